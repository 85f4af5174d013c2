"""Reservations that the console makes by itself: when, once, and away again; with the real store and a scripted door.

The real door, the real Slurm and a real event are in the ring ``events``.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpchub.catalogue.doors import ReserverSettings
from hpchub.console.reserver import Reserver
from hpchub.console.reserving import QUIET_SECONDS, RETRY_SECONDS, Reservations
from tests.unit.data.console import HOUR, NINE, Console, SmallHub, catalogue_with_approval, plan, session
from tests.unit.data.world import demo_catalogue

NAME = "hpchub_gpu-school"
SLUG = "gpu-school"
WANTED: dict[str, Any] = {
    "name": NAME,
    "cluster": "leonardo",
    "partition": "boost_usr_prod",
    "starts_epoch": NINE - 1800,
    "ends_epoch": NINE + 8 * HOUR,
    "nodes": 1,
    "account": "tra26_hack",
}
MADE = json.dumps({"ok": True, "reservation": {"name": NAME, "nodes": 1, "starts_epoch": 1, "ends_epoch": 2}})


def refused(kind: str, message: str) -> str:
    return json.dumps({"ok": False, "kind": kind, "message": message})


@dataclass
class RoomyHub(SmallHub):
    """Knows which reservation the event needs, and what Slurm has."""

    until_epoch: int | None = None
    alike: bool = True
    """Whether what Slurm has is what the event needs."""
    questions: int = 0
    nodes: int = 1
    """As many as it has."""
    wants: dict[str, Any] = field(default_factory=dict)
    """What the event needs by now, where that is something else."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/hpchub/capacity") and not self.away:
            self.questions += 1
            there = {"starts_epoch": WANTED["starts_epoch"], "ends_epoch": self.until_epoch, "nodes": self.nodes}
            told = {"missing": False, "findings": [], "reservation": {**WANTED, **self.wants}}
            told |= {"reserved": there if self.until_epoch else None, "reserved_alike": self.alike}
            return httpx.Response(200, json={**told, "associated": ["carla"]})
        return super().__call__(request)


class Door:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "door"
        self.path.write_text(f"#!/bin/sh\ncat >> {folder}/asked; echo >> {folder}/asked\ncat {folder}/answer\n")
        self.path.chmod(0o755)
        self.answer(MADE)

    def answer(self, text: str) -> None:
        (self.folder / "answer").write_text(text)

    @property
    def asked(self) -> list[dict[str, Any]]:
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def verbs(self) -> list[str]:
        return [each["verb"] for each in self.asked]


@dataclass
class World:
    """A console with an event, and its door."""

    console: Console
    hub: RoomyHub
    door: Door

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with nothing but what is on the disk."""
        self.console.start()
        settings = ReserverSettings(door=(str(self.door.path),))
        self.reservations = Reservations(self.console.verbs, Reserver(settings))

    async def round(self) -> None:
        await self.reservations.keep()

    async def record(self) -> list[str]:
        acts = self.console.verbs.store.record(SLUG)
        return [act.verb for act in acts if act.verb.startswith("reservation")]

    def over(self, *, cleared: bool) -> None:
        """Its time has come, and perhaps nothing of it runs any more."""
        self.console.now_epoch = NINE + 8 * HOUR
        if cleared:
            self.console.verbs.store.cleared(SLUG, NINE + 8 * HOUR)


@pytest.fixture
def world(tmp_path: Path) -> World:
    console = Console(tmp_path)
    console.hub = hub = RoomyHub()
    return World(console, hub, Door(tmp_path))


async def test_an_event_that_takes_place_gets_its_reservation_once(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    await world.round()
    assert world.door.asked == [{"verb": "create", **WANTED}]
    assert await world.record() == ["reservation-asked", "reservation-made"]
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.restart()
    await world.round()
    assert len(world.door.asked) == 1


async def test_a_reservation_of_another_name_is_somebody_else_s_to_make(world: World) -> None:
    await world.console.create(reservation="s_tra_school")
    await world.console.create(title="Other")
    await world.round()
    assert world.door.asked == []


async def test_a_site_without_the_door_makes_none(world: World) -> None:
    catalogue = demo_catalogue()
    site = catalogue.site.model_copy(update={"reservations": None})
    world.console.catalogue = replace(catalogue, site=site)
    await world.console.create(reservation=NAME)
    await world.round()
    assert world.door.asked == []


async def test_it_is_removed_when_nothing_of_the_event_runs_any_more(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.over(cleared=False)
    await world.round()
    assert world.door.verbs == ["create"]
    world.over(cleared=True)
    await world.round()
    await world.round()
    world.restart()
    await world.round()
    assert world.door.verbs == ["create", "delete"]
    assert (await world.record())[-1] == "reservation-removed"


async def test_what_was_there_before_is_never_removed(world: World) -> None:
    world.hub.until_epoch = WANTED["ends_epoch"]
    await world.console.create(reservation=NAME)
    await world.round()
    world.over(cleared=True)
    await world.round()
    assert world.door.asked == [] and await world.record() == []


async def test_a_refusal_is_noted_once_and_tried_again_later(world: World) -> None:
    world.door.answer(refused("slurm", "Requested nodes are busy"))
    await world.console.create(reservation=NAME)
    await world.round()
    await world.round()
    assert world.door.verbs == ["create"]
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    assert await world.record() == ["reservation-asked", "reservation-refused"]
    world.door.answer(MADE)
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    assert await world.record() == ["reservation-refused", "reservation-asked", "reservation-made"]


async def test_a_console_that_was_killed_after_asking_finds_its_reservation_again(world: World) -> None:
    await world.console.create(reservation=NAME)
    world.door.answer("")
    await world.round()
    assert await world.record() == ["reservation-asked", "reservation-unclear"]
    world.restart()
    world.door.answer(refused("refused", f"there is a reservation {NAME} already"))
    await world.round()
    assert (await world.record())[-1] == "reservation-asked", "the hub has not seen it yet"
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    assert (await world.record())[-1] == "reservation-made"
    world.door.answer(MADE)
    world.over(cleared=True)
    await world.round()
    assert world.door.verbs[-1] == "delete"


@pytest.mark.parametrize("over", [False, True])
async def test_what_somebody_else_made_after_a_lost_answer_stays_theirs(world: World, over: bool) -> None:
    await world.console.create(reservation=NAME)
    world.door.answer(refused("unclear", "Unable to contact slurm controller"))
    await world.round()
    # Nothing was made, and an administrator makes one of that name, for others and for longer.
    world.door.answer(MADE)
    world.hub.alike, world.hub.until_epoch = False, NINE + HOUR
    world.console.now_epoch += RETRY_SECONDS
    if not over:
        await world.round()
    world.over(cleared=True)
    await world.round()
    world.console.now_epoch += HOUR
    await world.round()
    assert world.door.verbs == ["create"]
    assert (await world.record())[-1] == "reservation-refused"


async def test_a_lost_answer_is_cleared_up_also_after_the_event(world: World) -> None:
    await world.console.create(reservation=NAME)
    world.door.answer("")
    await world.round()
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.door.answer(MADE)
    world.over(cleared=True)
    await world.round()
    assert (await world.record())[-2:] == ["reservation-made", "reservation-removed"]
    assert world.door.verbs == ["create", "delete"]


async def test_a_console_that_is_killed_in_a_new_try_finds_its_reservation_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.door.answer(refused("slurm", "Requested nodes are busy"))
    await world.console.create(reservation=NAME)
    await world.round()
    assert await world.record() == ["reservation-asked", "reservation-refused"]
    world.console.now_epoch += RETRY_SECONDS

    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch, pytest.raises(asyncio.CancelledError):
        patch.setattr(Reserver, "create", killed)
        await world.round()
    world.restart()
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.door.answer(MADE)
    world.over(cleared=True)
    await world.round()
    assert world.door.verbs[-1] == "delete"


async def test_a_door_that_is_closed_says_nothing_of_an_earlier_request(world: World) -> None:
    await world.console.create(reservation=NAME)
    world.door.answer("")
    await world.round()
    world.door.answer(refused("refused", "another request has not ended within 30 s, try again"))
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    assert "reservation-refused" not in await world.record()
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    assert (await world.record())[-1] == "reservation-made"


async def test_two_events_do_not_share_a_reservation_that_goes_away_with_one(world: World) -> None:
    await world.console.create(reservation=NAME)
    answer = await world.console.ask("carla", "POST", "/events", plan(title="Other", reservation=NAME))
    assert answer.status_code == 400
    assert f"Reservation {NAME} is that of another event. Choose another name." in answer.text
    await world.console.create(title="Course", reservation="s_tra_school")
    await world.console.create(title="Another course", reservation="s_tra_school")


async def test_an_event_that_is_over_leaves_its_reservation_to_a_later_one(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.over(cleared=True)
    starts_epoch = NINE + 9 * HOUR
    await world.console.create(
        title="Later", reservation=NAME, starts_epoch=starts_epoch, ends_epoch=starts_epoch + HOUR
    )
    world.hub.until_epoch = WANTED["ends_epoch"]
    await world.round()
    assert world.door.verbs == ["create"]


async def test_what_is_as_it_should_be_is_not_asked_about_every_few_seconds(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = WANTED["ends_epoch"]
    world.hub.questions = 0
    for _ in range(3):
        await world.round()
    assert world.hub.questions == 1
    world.console.now_epoch += QUIET_SECONDS
    await world.round()
    assert world.hub.questions == 2


async def test_a_name_that_another_one_has_stays_the_other_one_s(world: World) -> None:
    world.door.answer(refused("refused", f"there is a reservation {NAME} already"))
    await world.console.create(reservation=NAME)
    await world.round()
    world.over(cleared=True)
    await world.round()
    assert "delete" not in world.door.verbs


async def test_a_reservation_that_ends_too_early_lasts_until_the_event_ends(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = NINE + HOUR
    await world.round()
    await world.round()
    assert world.door.asked[1:] == [
        {"verb": "change", "cluster": "leonardo", "name": NAME, "ends_epoch": NINE + 8 * HOUR}
    ]


async def changed(world: World, **changes: Any) -> None:
    """Carla changes the school."""
    answer = await world.console.ask("carla", "PATCH", f"/events/{SLUG}", changes)
    assert answer.status_code == 200, answer.text


async def test_a_changed_event_changes_its_reservation_in_one_request(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = NINE + 8 * HOUR
    await world.round()
    starts, ends = NINE + 2 * HOUR, NINE + 7 * HOUR
    await changed(world, seats=9, starts_epoch=starts, ends_epoch=ends)
    world.hub.wants = {"nodes": 3, "starts_epoch": starts - 1800, "ends_epoch": ends}
    await world.round()
    assert world.door.asked[1:] == [
        {
            "verb": "change",
            "cluster": "leonardo",
            "name": NAME,
            "nodes": 3,
            "starts_epoch": starts - 1800,
            "ends_epoch": ends,
        }
    ]
    assert (await world.record())[-1] == "reservation-changed"


async def test_the_reservation_of_an_event_that_is_open_only_grows(world: World) -> None:
    await world.console.create(reservation=NAME, seats=9)
    await world.round()
    world.hub.until_epoch, world.hub.nodes = NINE + 8 * HOUR, 3
    world.console.now_epoch = NINE
    await changed(world, seats=4, ends_epoch=NINE + 5 * HOUR)
    world.hub.wants = {"nodes": 1, "starts_epoch": None, "ends_epoch": NINE + 5 * HOUR}
    await world.round()
    assert world.door.verbs == ["create"]


async def test_an_event_that_was_approved_changed_and_refused_leaves_no_reservation(world: World) -> None:
    world.console.catalogue = catalogue_with_approval()
    await world.console.create(reservation=NAME)
    await world.console.ask("admin", "POST", f"/events/{SLUG}/approve")
    await world.round()
    world.hub.until_epoch = NINE + 8 * HOUR
    assert (await world.console.ask("carla", "PATCH", f"/events/{SLUG}", {"seats": 5})).json()["state"] == "requested"
    await world.round()
    assert world.door.verbs == ["create"], "nobody has decided yet"
    await world.console.ask("admin", "POST", f"/events/{SLUG}/refuse", {"reason": "Too many."})
    await world.round()
    assert world.door.verbs == ["create", "delete"]


def running(name: str, job: str, ends_epoch: int) -> dict[str, Any]:
    return session(name, job_id=job, ends_epoch=ends_epoch)


async def test_notebooks_that_would_have_ended_with_an_event_last_as_long_as_it_does(world: World) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = old = NINE + 8 * HOUR
    world.console.now_epoch = NINE
    world.hub.sessions = [
        running("ada", "17", old - 60),
        running("bruno", "18", old - 2 * HOUR),
        session("dario", "queued", job_id="19", ends_epoch=None),
    ]
    new = old + HOUR
    world.hub.wants = {"starts_epoch": None, "ends_epoch": new}
    await world.console.ask("carla", "POST", f"/events/{SLUG}/extend", {"ends_epoch": new})
    world.door.answer(json.dumps({**json.loads(MADE), "jobs": ["17"]}))
    await world.round()
    assert world.door.asked[1:] == [
        {"verb": "change", "cluster": "leonardo", "name": NAME, "ends_epoch": new},
        {"verb": "prolong", "cluster": "leonardo", "name": NAME, "ends_epoch": new, "jobs": ["17"]},
    ], "the reservation first: no job outlasts it"
    told = [(act.verb, act.detail) for act in world.console.verbs.store.record(SLUG)]
    assert told[-1] == ("prolonged", "1 of 1")
    world.console.now_epoch += 300
    world.restart()
    await world.round()
    assert world.door.verbs.count("prolong") == 1


async def extended(world: World) -> None:
    """The school is open, ada's notebook ends with it, and it is to last an hour longer."""
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = NINE + 9 * HOUR
    world.console.now_epoch = NINE
    world.hub.sessions = [running("ada", "17", NINE + 8 * HOUR)]
    await world.console.ask("carla", "POST", f"/events/{SLUG}/extend", {"ends_epoch": NINE + 9 * HOUR})


@pytest.mark.parametrize("why", ["another request has not ended within 30 s, try again", "there is no reservation"])
async def test_notebooks_that_could_not_be_prolonged_are_tried_again(world: World, why: str) -> None:
    await extended(world)
    world.door.answer(refused("refused", why))
    await world.round()
    await world.round()
    assert world.door.verbs.count("prolong") == 1, "not before its time"
    world.door.answer(json.dumps({**json.loads(MADE), "jobs": ["17"]}))
    world.console.now_epoch += RETRY_SECONDS
    await world.round()
    told = [(act.verb, act.detail) for act in world.console.verbs.store.record(SLUG)]
    assert told[-2:] == [("prolong-refused", why), ("prolonged", "1 of 1")]


async def test_a_site_whose_door_does_not_prolong_says_so_once_until_these_notebooks_ended(world: World) -> None:
    await extended(world)
    world.door.answer(refused("refused", "verb must be one of create, change, delete"))
    for _ in range(3):
        await world.round()
        world.console.now_epoch += 300
    world.console.now_epoch = NINE + 8 * HOUR
    world.hub.sessions = []
    await world.round()
    world.console.now_epoch += 300
    await world.round()
    assert world.door.verbs.count("prolong") == 3
    told = [(act.verb, act.detail) for act in world.console.verbs.store.record(SLUG)]
    assert told[-2:] == [
        ("prolong-refused", "verb must be one of create, change, delete"),
        ("prolonged", "0 of 0"),
    ]


@pytest.mark.parametrize("over", [False, True])
async def test_a_long_record_forgets_no_reservation(world: World, over: bool) -> None:
    await world.console.create(reservation=NAME)
    await world.round()
    world.hub.until_epoch = WANTED["ends_epoch"]
    for number in range(1100):
        world.console.verbs.store.note(SLUG, "ada", NINE, "ask-in", str(number))
    assert (await world.record()) == []
    world.restart()
    if not over:
        answer = await world.console.ask("carla", "PATCH", f"/events/{SLUG}", {"reservation": f"{NAME}-2"})
        assert answer.status_code == 400
        return
    world.over(cleared=True)
    await world.round()
    assert world.door.verbs == ["create", "delete"]


async def test_an_event_without_a_reservation_of_its_own_prolongs_nothing(world: World) -> None:
    await world.console.create(reservation="s_tra_school")
    world.console.now_epoch = NINE
    world.hub.sessions = [running("ada", "17", NINE + 8 * HOUR)]
    await world.console.ask("carla", "POST", f"/events/{SLUG}/extend", {"ends_epoch": NINE + 9 * HOUR})
    await world.round()
    assert world.door.asked == [] and "prolong-asked" not in [
        act.verb for act in world.console.verbs.store.record(SLUG)
    ]
