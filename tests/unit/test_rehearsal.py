"""A rehearsal: one seat is tried for real, and what came of it stays; with the real store and a hub that remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpchub.catalogue.event import Event, Rehearsal
from hpchub.console.rehearsing import Rehearsals
from hpchub.console.rounds import once
from tests.unit.data.console import HOUR, MINUTE, NINE, Console, session

DAY_BEFORE = NINE - 24 * HOUR
ROOMY = {"title": "GPU school", "opens_epoch": NINE, "closes_epoch": NINE + 8 * HOUR, "cluster": "leonardo"}


def event(**changes: Any) -> Event:
    """The school as the hub has it, with a rehearsal of carla's the day before."""
    told = {**ROOMY, "slug": "gpu-school", "allocation": "tra26_hack", "profiles": ["general/pytorch"]}
    rehearsal = {"user": "carla", "until_epoch": DAY_BEFORE + 10 * MINUTE}
    return Event.model_validate({**told, "reservation": "hpchub_school", "rehearsal": rehearsal, **changes})


@pytest.mark.parametrize(
    ("who", "now", "open_"),
    [
        ("carla", DAY_BEFORE, True),
        ("teresa", DAY_BEFORE, False),
        ("ada", DAY_BEFORE, False),
        ("carla", DAY_BEFORE + 10 * MINUTE, False),
        ("carla", NINE + 8 * HOUR, False),
        ("ada", NINE, True),
    ],
)
def test_before_it_opens_an_event_is_open_to_who_rehearses_it_and_for_that_time(
    who: str, now: float, open_: bool
) -> None:
    assert event().is_open_to(who, now) is open_


def test_a_rehearsal_cannot_outlast_its_time_nor_use_a_reservation_that_has_not_begun() -> None:
    rehearsed = event()
    assert (rehearsed.minutes_left(DAY_BEFORE), rehearsed.minutes_left(NINE)) == (10, 480)
    assert (rehearsed.reservation_at(DAY_BEFORE), rehearsed.reservation_at(NINE)) == (None, "hpchub_school")
    begun = event(rehearsal=Rehearsal(user="carla", until_epoch=DAY_BEFORE + 60, in_reservation=True))
    assert begun.reservation_at(DAY_BEFORE) == "hpchub_school"


class Stage:
    """The school the day before, and what the hub tells of the rehearsal's session."""

    def __init__(self, folder: Path) -> None:
        self.console = Console(folder)
        self.hub = self.console.hub
        self.rehearsals = Rehearsals(self.console.verbs)

    async def begin(self, who: str = "carla") -> Any:
        return await self.console.ask(who, "POST", "/events/gpu-school/rehearse")

    async def round(self) -> None:
        await once(self.console.verbs)
        await self.rehearsals.keep()

    async def told(self) -> dict[str, Any]:
        shown = (await self.console.ask("carla", "GET", "/events/gpu-school")).json()
        return dict(shown["rehearsal"])

    def session(self, phase: str, **changes: Any) -> None:
        begun = self.console.now_epoch
        steps = {"submitted": 0, "queued": 1, "starting": 3, "ready": 14}
        timeline = [{"phase": each, "epoch": begun + after} for each, after in steps.items()]
        reached = timeline[: list(steps).index(phase) + 1] if phase in steps else timeline[:3]
        facts = {"begun_epoch": begun, "timeline": reached, "node": "lrdn0003", "job_id": "17", **changes}
        self.hub.sessions = [session("carla", phase, **facts)]

    def server_of_carla(self) -> Any:
        return self.hub.servers.get("carla", {}).get("gpu-school")


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    await stage.console.create(reservation="hpchub_school")
    return stage


async def test_a_rehearsal_starts_one_seat_says_how_long_it_took_and_stops_it(stage: Stage) -> None:
    answer = await stage.begin()
    assert (answer.status_code, answer.json()["rehearsal"]["step"]) == (202, "asked")
    assert stage.hub.events[0]["rehearsal"] == {
        "user": "carla",
        "until_epoch": DAY_BEFORE + 10 * MINUTE,
        "in_reservation": False,
    }
    await stage.round()
    assert stage.hub.choice("carla", "gpu-school") == {
        "profile": "general/pytorch",
        "event": "gpu-school",
        "minutes": 9,
    }
    stage.session("starting")
    await stage.round()
    assert (await stage.told())["step"] == "started"
    stage.session("ready")
    await stage.round()
    await stage.round()
    await stage.round()
    told = await stage.told()
    assert (told["step"], told["ready"], told["trouble"]) == ("done", True, None)
    assert (told["queued_seconds"], told["ready_seconds"], told["node"]) == (3, 14, "lrdn0003")
    assert stage.server_of_carla() is None and stage.hub.events[0]["rehearsal"] is None
    record = [(act.verb, act.detail) for act in stage.console.verbs.store.record("gpu-school")]
    assert record[-2:] == [("rehearse", ""), ("rehearsed", "ready after 14 s")]
    page = await stage.console.visit("carla", "event/gpu-school")
    assert "ready after 14 s" in page.text and "lrdn0003" in page.text


async def test_what_the_hub_refuses_is_what_the_rehearsal_says(stage: Stage) -> None:
    stage.hub.refusal = "Profile general/pytorch is not one of yours."
    await stage.begin()
    await stage.round()
    await stage.round()
    told = await stage.told()
    assert (told["step"], told["trouble"], told["says"]) == ("done", "refused", stage.hub.refusal)
    assert stage.hub.refusal in (await stage.console.visit("carla", "event/gpu-school")).text


async def test_a_session_that_ends_says_why_and_what_to_do(stage: Stage) -> None:
    await stage.begin()
    await stage.round()
    stage.session("ended", ending="no-environment", sentence="The environment is missing.", ended_epoch=DAY_BEFORE)
    await stage.round()
    assert (await stage.told())["trouble"] == "ended" and (await stage.told())["says"] == "The environment is missing."


async def test_what_is_not_ready_in_time_is_stopped(stage: Stage) -> None:
    await stage.begin()
    await stage.round()
    stage.session("queued", sentence="Job 17 waits on leonardo.")
    stage.console.now_epoch += 10 * MINUTE
    await stage.round()
    await stage.round()
    await stage.round()
    told = await stage.told()
    assert (told["step"], told["trouble"], told["says"]) == ("done", "late", "Job 17 waits on leonardo.")
    assert stage.server_of_carla() is None


async def test_an_event_that_is_closed_meanwhile_ends_its_rehearsal(stage: Stage) -> None:
    await stage.begin()
    await stage.round()
    await stage.console.ask("carla", "POST", "/events/gpu-school/close")
    await stage.rehearsals.keep()
    await stage.rehearsals.keep()
    await stage.rehearsals.keep()
    assert ((await stage.told())["step"], (await stage.told())["trouble"]) == ("done", "called-off")
    assert stage.server_of_carla() is None


async def test_a_console_that_was_killed_carries_on_and_starts_nothing_twice(stage: Stage) -> None:
    await stage.begin()
    stage.hub.servers["carla"] = {"gpu-school": {"ready": False, "user_options": {"event": "gpu-school"}}}
    stage.console.start()
    stage.rehearsals = Rehearsals(stage.console.verbs)
    await stage.round()
    assert list(stage.hub.servers["carla"]) == ["gpu-school"] and (await stage.told())["step"] == "started"


async def test_only_trainers_rehearse_and_one_at_a_time(stage: Stage) -> None:
    assert (await stage.begin("teresa")).status_code == 404
    answer = await stage.begin("admin")
    assert answer.status_code == 403 and "their own account" in answer.json()["message"]
    assert (await stage.begin()).status_code == 202
    answer = await stage.begin()
    assert (answer.status_code, answer.json()["message"]) == (409, "A rehearsal is under way already.")


async def test_who_has_a_notebook_of_the_event_stops_it_first(stage: Stage) -> None:
    stage.hub.servers["carla"] = {"gpu-school": {"ready": True, "user_options": {"event": "gpu-school"}}}
    answer = await stage.begin()
    assert answer.status_code == 409 and "Stop it first" in answer.json()["message"]


async def test_what_is_over_is_not_rehearsed(stage: Stage) -> None:
    stage.console.now_epoch = NINE + 8 * HOUR
    assert (await stage.begin()).status_code == 409


async def test_material_that_is_missing_is_seen_although_it_worked(stage: Stage) -> None:
    missing = "The material of the event could not be fetched: fatal: no repository"
    await stage.begin()
    await stage.round()
    stage.session("ready", troubles=[missing])
    for _ in range(3):
        await stage.round()
    told = await stage.told()
    assert (told["ready"], told["trouble"], told["says"]) == (True, None, missing)
    assert missing in (await stage.console.visit("carla", "event/gpu-school")).text


async def test_a_change_of_what_runs_calls_a_rehearsal_off(stage: Stage) -> None:
    await stage.begin()
    await stage.round()
    stage.session("ready")
    assert (await stage.console.ask("carla", "PATCH", "/events/gpu-school", {"size": "medium"})).status_code == 200
    for _ in range(3):
        await stage.round()
    told = await stage.told()
    assert (told["step"], told["ready"], told["trouble"]) == ("done", False, "called-off")
    assert stage.server_of_carla() is None


async def test_a_change_while_its_notebook_starts_calls_it_off_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.begin()
    start = stage.console.verbs.hub.start

    async def changed_meanwhile(*arguments: Any) -> Any:
        await stage.console.ask("carla", "PATCH", "/events/gpu-school", {"size": "medium"})
        return await start(*arguments)

    monkeypatch.setattr(stage.console.verbs.hub, "start", changed_meanwhile)
    for _ in range(4):
        await stage.round()
    told = await stage.told()
    assert (told["step"], told["trouble"]) == ("done", "called-off")
    assert stage.server_of_carla() is None
