"""The report of an event: from what the hub told while it ran, and nothing that was not the event's."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from hpchub.console.accounts import AGAIN_SECONDS, Accounts
from hpchub.console.rounds import once
from tests.unit.data.console import HOUR, NINE, Console, session


def ran(user: str, number: int, start: int, end: int | None, **changes: Any) -> dict[str, Any]:
    """A session whose job ran from one time to another, or still runs."""
    timeline = [{"phase": "submitted", "epoch": start - 300}, {"phase": "starting", "epoch": start}]
    phase = {} if end is None else {"phase": "ended", "ended_epoch": end, "ending": "stopped"}
    ids = {"id": f"{number:032x}", "begun_epoch": start - 300, "timeline": timeline}
    return session(user, **{**ids, **phase, **changes})


async def school(folder: Path) -> Console:
    """A school of two seats in which ada and bruno sit."""
    console = Console(folder)
    code = (await console.create())["code"]
    console.now_epoch = NINE
    for name in ("ada", "bruno"):
        await console.ask(name, "POST", "/join", {"code": code})
    return console


async def test_a_report_counts_people_waits_failures_and_gpu_hours(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [
        ran("ada", 1, NINE, NINE + HOUR, gpus=2),
        ran("carla", 2, NINE, NINE + HOUR),
        ran("ada", 3, NINE, NINE + HOUR, event=None),
        ran("bruno", 4, NINE, NINE + HOUR // 2, ending="out-of-memory"),
    ]
    await once(console.verbs)
    # the hub knows of each server only the last session
    console.hub.sessions = [ran("ada", 5, NINE + 2 * HOUR, None)]
    console.now_epoch = NINE + 3 * HOUR
    await once(console.verbs)
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    lines = {line["name"]: line for line in told.pop("lines")}
    assert told.pop("failed") == [
        {
            "name": "bruno",
            "ended_epoch": NINE + HOUR // 2,
            "ending": "out-of-memory",
            "cluster": "leonardo",
            "job_id": "17",
        }
    ]
    hours = {"hours": 3.5, "gpu_hours": 4.5, "core_hours": None, "accounted": False}
    assert told == {"seats": 2, "came": 2, "sessions": 4, "failures": 1, **hours}
    assert lines["ada"] == {
        "name": "ada",
        "joined": "2030-03-17 17:46",
        "by": "code",
        "sessions": 2,
        "failures": 0,
        "waited_minutes": 5.0,
        "hours": 2.0,
        "gpu_hours": 3.0,
        "core_hours": None,
        "accounted": False,
    }
    assert (lines["bruno"]["failures"], lines["carla"]["by"]) == (1, "trainer")


async def test_hours_are_those_of_slurm_s_accounting_as_soon_as_it_has_them(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [
        ran("ada", 1, NINE, NINE + HOUR, job_id="1"),
        ran("bruno", 2, NINE, NINE + HOUR, job_id="2", gpus=2),
        ran("carla", 3, NINE, None, job_id="3"),
    ]
    await once(console.verbs)
    accounts = Accounts(console.verbs)
    console.hub.accounted = {
        "1": {"seconds": HOUR - 36, "gpus": 1, "core_hours": 7.92},
        "3": {"seconds": 17, "gpus": 1, "core_hours": 1.0},
    }
    await accounts.keep()
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    lines = {line["name"]: line for line in told["lines"]}
    assert (lines["ada"]["hours"], lines["ada"]["core_hours"], lines["ada"]["accounted"]) == (0.99, 7.92, True)
    assert (lines["bruno"]["gpu_hours"], lines["bruno"]["accounted"], told["accounted"]) == (2.0, False, False)
    assert not lines["carla"]["accounted"], "it runs: what is told of it so far is not its end"

    console.hub.sessions[2] = ran("carla", 3, NINE, NINE + HOUR, job_id="3")
    console.hub.accounted |= {
        "2": {"seconds": HOUR, "gpus": None, "core_hours": 16.0},
        "3": {"seconds": HOUR, "gpus": 1, "core_hours": 8.0},
    }
    await once(console.verbs)
    console.now_epoch += AGAIN_SECONDS
    await accounts.keep()
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    assert (told["accounted"], told["hours"], told["gpu_hours"], told["core_hours"]) == (True, 2.99, 3.99, 31.92)
    page = await console.visit("carla", "event/gpu-school/report")
    assert "All hours are by Slurm’s accounting." in page.text and "Charged: 31.92 core-hours." in page.text
    # the hub tells the same of a session for as long as it remembers it: what is accounted stays
    await once(console.verbs)
    assert (await console.ask("carla", "GET", "/events/gpu-school/report")).json() == told


async def test_a_session_that_slurm_never_had_used_nothing_and_is_not_waited_for(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [
        ran("ada", 1, NINE, NINE + HOUR, job_id="1"),
        ran("bruno", 2, NINE, NINE + HOUR, job_id=None, ending="not-submitted"),
    ]
    await once(console.verbs)
    console.hub.accounted = {"1": {"seconds": HOUR, "gpus": 1, "core_hours": 8.0}}
    await Accounts(console.verbs).keep()
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    assert (told["accounted"], told["hours"], told["gpu_hours"], told["core_hours"]) == (True, 1.0, 1.0, 8.0)


async def test_a_cluster_whose_accounting_is_silent_is_asked_again_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [ran("ada", 1, NINE, NINE + HOUR, job_id="1")]
    await once(console.verbs)
    accounts = Accounts(console.verbs)
    console.hub.away = True
    await accounts.keep()
    console.hub.away = False
    console.hub.accounted = {"1": {"seconds": 5, "gpus": 1, "core_hours": 0.1}}
    await accounts.keep()
    assert console.verbs.store.used("gpu-school")[0].accounted_seconds is None, "not before its time"
    console.now_epoch += AGAIN_SECONDS
    await accounts.keep()
    assert console.verbs.store.used("gpu-school")[0].accounted_seconds == 5


async def test_who_had_a_seat_and_did_not_come_is_in_it_with_nothing(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [session("ada", "queued")]
    await once(console.verbs)
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    assert (told["came"], told["gpu_hours"]) == (0, 0.0)
    assert [(line["name"], line["sessions"]) for line in told["lines"]] == [("ada", 1), ("bruno", 0)]


async def test_what_ends_with_the_event_is_in_it_and_what_comes_later_is_not(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [ran("ada", 1, NINE, None)]
    await once(console.verbs)
    console.now_epoch = NINE + 8 * HOUR
    console.hub.sessions = [ran("ada", 1, NINE, NINE + 8 * HOUR + 2)]
    await once(console.verbs)
    console.now_epoch = NINE + 20 * HOUR
    console.hub.sessions = [ran("ada", 1, NINE, NINE + 19 * HOUR)]
    await once(console.verbs)
    told = (await console.ask("carla", "GET", "/events/gpu-school/report")).json()
    assert told["gpu_hours"] == 8.0006, "the two seconds of its stop are in it"


async def test_the_page_and_the_file_have_the_same_lines(tmp_path: Path) -> None:
    console = await school(tmp_path)
    console.hub.sessions = [ran("ada", 1, NINE, NINE + HOUR)]
    await once(console.verbs)
    page = await console.visit("carla", "event/gpu-school/report")
    assert page.status_code == 200 and '<th scope="row">ada</th>' in page.text
    file = await console.visit("carla", "event/gpu-school/report.csv")
    assert file.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [(row["name"], row["gpu_hours"]) for row in rows] == [("ada", "1.0"), ("bruno", "0.0")]
    file = await console.visit("carla", "event/gpu-school/sessions.csv")
    (row,) = csv.DictReader(io.StringIO(file.text))
    assert (row["name"], row["job_id"], row["gpu_hours"], row["accounted"]) == ("ada", "17", "1.0", "False")
    for who in ("ada", "teresa"):
        for name in ("report", "sessions"):
            assert (await console.visit(who, f"event/gpu-school/{name}.csv")).status_code == 404
