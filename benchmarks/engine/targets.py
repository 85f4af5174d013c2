"""What the figures have to be.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.engine.click import Clicks
from benchmarks.engine.idle import Cost, Rest
from benchmarks.engine.pages import VIEWS, Pages
from benchmarks.engine.restart import Restart
from benchmarks.engine.results import Table
from benchmarks.engine.room import Room
from benchmarks.engine.rush import Rush
from benchmarks.engine.sections import Section


@dataclass(frozen=True)
class Target:
    """One figure of ours and its limit."""

    what: str
    found: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of its limit."""
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def of_sections(measured: Mapping[str, Section[Any]]) -> list[Target]:
    """Judge what was measured."""
    found = {name: section.found for name, section in measured.items()}
    made = []
    if "clicks" in found:
        made += of_clicks(found["clicks"])
    if "idle" in found:
        made += of_rest(found["idle"])
    if "idle" in found and "idle-batchspawner" in found:
        made += of_comparison(found["idle"], found["idle-batchspawner"])
    if "restart" in found:
        made += of_restart(found["restart"])
    if "rush" in found:
        made += of_rush(found["rush"])
    if "event" in found:
        made += of_event(found["event"])
    if "pages" in found:
        made += of_pages(found["pages"])
    return made


def of_clicks(clicks: Clicks) -> list[Target]:
    """The notebook comes nearly as fast as it can."""
    return [Target("click to ready, above the floor", clicks.median("ours") - clicks.median("floor"), 0.3, "s")]


def of_rest(ours: Rest) -> list[Target]:
    """A thousand sessions cost no more queries than ten."""
    waiting = [cost for cost in ours.costs if cost.queued]
    least, most = waiting[0], waiting[-1]
    load = load_of(most)
    more = a_minute(most) - a_minute(least)
    return [
        # One more or less falls into an interval that begins and ends anywhere.
        Target(f"job queries a minute, more than with {least.running} + {least.queued}: {load}", more, 2),
        Target(f"hub's CPU when nothing changes: {load}", most.cpu_share * 100, 5, "% of a core"),
        Target(f"API p99, users: {load}", ours.answers[-1].user_p99, 50, "ms"),
        Target(f"API p99, sessions: {load}", ours.answers[-1].sessions_p99 or 0, 50, "ms"),
    ]


def of_comparison(ours: Rest, theirs: Rest) -> list[Target]:
    """Slurm is asked hundreds of times less than by a hub that asks for each server."""
    mine, their = ours.costs[-1], theirs.costs[-1]
    less = mine.asked.by_clients / mine.asked.seconds
    more = their.asked.by_clients / their.asked.seconds
    what = f"times fewer requests than batchspawner with {their.running} + {their.queued}: {load_of(mine)}"
    return [Target(what, more / less, 500, at_least=True)]


def load_of(cost: Cost) -> str:
    """Name a load."""
    return f"{cost.running:,} running and {cost.queued} waiting"


def a_minute(cost: Cost) -> float:
    """How often a hub asked for jobs in a minute."""
    return cost.asked.job_queries * 60 / cost.asked.seconds


def of_restart(found: Restart) -> list[Target]:
    """The hub is back before anybody has noticed."""
    return [
        Target(f"restart until the API answers: {found.servers:,} running", found.api_seconds, 10, "s"),
        Target("job queries until then", found.asked_until_api.job_queries, 1),
        Target("servers not routed afterwards", found.servers - found.routed, 0),
    ]


def of_rush(found: Rush) -> list[Target]:
    """A room starts at once."""
    return [
        Target(f"{found.servers} servers at once, all submitted", found.submitted_seconds, 15, "s"),
        Target("API p99 meanwhile", found.api_p99, 250, "ms"),
        Target("servers of them that were not ready", found.not_ready, 0),
    ]


def of_event(found: Room) -> list[Target]:
    """A room of people finds its notebooks, and the hub is there for all others meanwhile."""
    return [Target(f"API p99 while a trainer starts {found.seats} seats", max(found.api_p99), 250, "ms")]


def of_pages(found: Pages) -> list[Target]:
    """A page is there at once, and Slurm is not asked for it."""
    size = f"{found.nodes:,} nodes, {found.profiles} profiles"
    made = []
    for name, each in found.views.items():
        if name != "moss":
            made.append(Target(f"{VIEWS[name]}, median one by one: {size}", each.one_p50, 15, "ms"))
            # What the hub asks by itself goes on meanwhile: a query now and then, however many pages there are.
            made.append(Target(f"{VIEWS[name]}, requests to Slurm a page", each.requests_a_page, 0.05))
            made.append(Target(f"{VIEWS[name]}, failed", each.failures, 0))
    return made


def table(targets: Sequence[Target]) -> Table:
    """List them."""
    made = Table("Targets", "What ours has to reach.", ("figure of ours", "measured", "target", "met"))
    for each in targets:
        sign = "≥" if each.at_least else "≤"
        made.rows.append(
            (
                each.what,
                f"{each.found:.4g} {each.unit}".strip(),
                f"{sign} {each.limit:g} {each.unit}".strip(),
                "yes" if each.met else "**no**",
            )
        )
    return made
