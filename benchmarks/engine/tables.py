"""What was measured, as tables for people.  Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.engine.click import Clicks
from benchmarks.engine.idle import Cost, Rest
from benchmarks.engine.pages import VIEWS, Pages
from benchmarks.engine.restart import Restart
from benchmarks.engine.results import Table, a_minute, milliseconds, seconds
from benchmarks.engine.room import Room
from benchmarks.engine.rush import Rush
from benchmarks.engine.sections import Ring, Section

NAMES = {"floor": "bare `sbatch` (the floor)", "ours": "ours", "batchspawner": "batchspawner", "moss": "MOSS"}


def of_sections(measured: Mapping[str, Section[Any]]) -> list[Table]:
    """Give the tables of what was measured, a peer's figures beside ours."""
    found = {name: section.found for name, section in measured.items()}
    made = []
    if "clicks" in found:
        made.append(clicks(found["clicks"]))
    hubs = _both(found, "idle")
    if hubs:
        made += [queries(hubs), answers(hubs)]
    if "restart" in found:
        made.append(restart(found["restart"]))
    rushes = _both(found, "rush")
    if rushes:
        made.append(rush(rushes))
    if "event" in found:
        made.append(event(found["event"]))
    if "pages" in found:
        made.append(pages(found["pages"]))
    return made


def _both(found: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Give what a section found, by who was measured."""
    who = {"ours": section, "batchspawner": f"{section}-batchspawner"}
    return {name: found[each] for name, each in who.items() if each in found}


def of_rings(rings: Mapping[str, Section[Ring]]) -> list[Table]:
    """Give the table of the rings of tests, if any was run."""
    table = Table("Tests", "", ("ring", "passed", "failed", "skipped"))
    for name, ring in rings.items():
        table.rows.append((name, str(ring.found.passed), str(ring.found.failed), str(ring.found.skipped)))
    return [table] if rings else []


def clicks(found: Clicks) -> Table:
    """From the click to the notebook."""
    floor = found.median("floor")
    rounds = len(found.seconds["floor"])
    table = Table(
        "Click to ready",
        f"From the REST call to an answer of a real JupyterLab server through the proxy, {rounds} times each in "
        "turn. The floor is the same server in the same environment, started by `sbatch` without a spawner.",
        ("", "median", "above the floor", "fastest", "slowest"),
    )
    for name, taken in found.seconds.items():
        above = "" if name == "floor" else f"{statistics.median(taken) - floor:+.2f} s"
        table.rows.append((NAMES[name], seconds(found.median(name)), above, seconds(min(taken)), seconds(max(taken))))
    return table


def queries(hubs: Mapping[str, Rest]) -> Table:
    """What Slurm is asked while nothing changes."""
    table = Table(
        "What a hub asks of Slurm",
        "Counted by `sdiag` while nothing changes. Job queries are the messages that ask for jobs; requests are all "
        "that clients send, those included. Cheap servers: jobs that sleep, and one process that answers for all.",
        ("running + waiting", "who", "job queries a minute", "requests a minute", "hub's CPU, of one core"),
    )
    for who, rest in hubs.items():
        table.rows += [_cost_row(f"{cost.running:,} + {cost.queued}", who, cost) for cost in rest.costs]
    return table


def _cost_row(load: str, who: str, cost: Cost) -> Sequence[str]:
    asked = cost.asked
    return (
        load,
        who,
        a_minute(asked.job_queries, asked.seconds),
        a_minute(asked.by_clients, asked.seconds),
        f"{cost.cpu_share * 100:.1f} %",
    )


def answers(hubs: Mapping[str, Rest]) -> Table:
    """How fast the API is under these loads."""
    table = Table(
        "API under the load",
        "`GET /hub/api/users/NAME`, and for ours `GET /hub/api/hpchub/sessions/ID`: 500 requests each, one at a time, "
        "and the first also four at once.",
        (
            "running + waiting",
            "who",
            "user, median",
            "user, p99",
            "user, p99 of four at once",
            "session, p99",
            "failed",
        ),
    )
    for who, rest in hubs.items():
        for cost, each in zip(rest.costs[1::2], rest.answers, strict=True):
            table.rows.append(
                (
                    f"{cost.running:,} + {cost.queued}",
                    who,
                    milliseconds(each.user_p50),
                    milliseconds(each.user_p99),
                    milliseconds(each.user_p99_at_once),
                    milliseconds(each.sessions_p99),
                    str(each.failures),
                )
            )
    return table


def restart(found: Restart) -> Table:
    """The hub comes back."""
    table = Table(
        "Restart of our hub",
        "It is killed by SIGKILL; seconds from the start of the new process on.",
        (
            "running servers",
            "`/hub/health`",
            "user's API",
            "all ready again",
            "job queries until the API answers",
            "until all are ready",
            "routed afterwards",
        ),
    )
    table.rows.append(
        (
            f"{found.servers:,}",
            seconds(found.health_seconds),
            seconds(found.api_seconds),
            seconds(found.all_ready_seconds),
            str(found.asked_until_api.job_queries),
            str(found.asked.job_queries),
            f"{found.routed:,}",
        )
    )
    return table


def rush(hubs: Mapping[str, Rush]) -> Table:
    """A room that starts at once."""
    table = Table(
        "A room that presses Start at once",
        "Cheap servers; until Slurm has every job, and until the last server is ready after which none comes for a "
        "minute. The API is asked until then.",
        (
            "servers",
            "who",
            "all submitted",
            "last ready",
            "API, median",
            "API, p99",
            "API, slowest",
            "refused at first",
            "not ready a minute later",
        ),
    )
    for who, each in hubs.items():
        table.rows.append(
            (
                str(each.servers),
                who,
                seconds(each.submitted_seconds),
                seconds(each.ready_seconds),
                milliseconds(each.api_p50),
                milliseconds(each.api_p99),
                milliseconds(each.api_worst),
                str(each.not_now),
                str(each.not_ready),
            )
        )
    return table


def event(found: Room) -> Table:
    """A trainer's room."""
    table = Table(
        "A trainer starts the room",
        f"From *Start all* to the last of {found.seats} notebooks at the proxy, and the same jobs by `sbatch`, eight "
        f"at once, until the last one answers; {len(found.floor)} times each in turn. Small servers in real jobs, "
        f"each of another person. The room takes {found.ratio:.2f} times the floor.",
        ("", "median", "fastest", "slowest", "API, p99, worst round"),
    )
    for who, taken in (("floor", found.floor), ("ours", found.started)):
        worst = milliseconds(max(found.api_p99)) if who == "ours" else ""
        table.rows.append(
            (NAMES[who], seconds(statistics.median(taken)), *map(seconds, (min(taken), max(taken))), worst)
        )
    return table


def pages(found: Pages) -> Table:
    """The page on which people choose."""
    table = Table(
        "The page on which people choose",
        f"`GET /hub/spawn`, signed in, from the hub without its proxy; {found.nodes:,} nodes in the controller, and "
        f"{found.profiles} profiles more in our catalogue. One by one, and 100 at the same moment. Requests are all "
        "that reached the controller meanwhile, those included that a hub sends by itself.",
        (
            "who",
            "median",
            "p99",
            "100 at once, median",
            "100 at once, p99",
            "size",
            "requests to Slurm a page",
            "failed",
        ),
    )
    for who, each in found.views.items():
        times = (each.one_p50, each.one_p99, each.at_once_p50, each.at_once_p99)
        size, asked = f"{each.kilobytes:.0f} kB", f"{each.requests_a_page:.2f}"
        table.rows.append((VIEWS[who], *map(milliseconds, times), size, asked, f"{each.failures} of {each.pages}"))
    return table
