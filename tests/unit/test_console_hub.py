"""The console beside a hub that is slow, answers badly, or has things of its own: events, servers, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from hpchub.console.hub import AT_ONCE, HubRefused
from hpchub.console.model import TrainerRow
from hpchub.console.reserving import Reservations
from hpchub.console.rounds import once, rounds
from tests.unit.data.console import HOUR, NINE, Console, SmallHub, session
from tests.unit.data.world import demo_catalogue

PEOPLE = [f"seat{number:02}" for number in range(AT_ONCE + 4)]
DEADLINE_SECONDS = 60


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


def with_hub(console: Console, hub: SmallHub) -> Console:
    """The same beside another hub."""
    console.hub = hub
    console.start()
    return console


# Starts that wait


@dataclass
class Busy(SmallHub):
    """Keeps who starts a server waiting."""

    full: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    def __call__(self, request: httpx.Request) -> Any:
        if request.method == "POST" and "/servers/" in request.url.path:
            return self._slowly(request)
        return super().__call__(request)

    async def _slowly(self, request: httpx.Request) -> httpx.Response:
        self.waiting += 1
        if self.waiting == AT_ONCE:
            self.full.set()
        await self.go_on.wait()
        return super().__call__(request)

    @property
    def started(self) -> list[str]:
        return sorted(name for name, servers in self.servers.items() if servers)


async def starting(console: Console) -> Busy:
    """A room of which a first wave is at the hub, and the others wait for their turn."""
    hub = Busy()
    with_hub(console, hub)
    await console.create(seats=len(PEOPLE), people=PEOPLE, by_code=False, minutes=480)
    console.now_epoch = NINE
    answer = await console.ask("carla", "POST", "/events/gpu-school/room/start")
    assert answer.json() == {"starting": len(PEOPLE)}
    async with asyncio.timeout(DEADLINE_SECONDS):
        await hub.full.wait()
    return hub


async def test_to_stop_a_room_that_starts_leaves_nothing_running(console: Console) -> None:
    hub = await starting(console)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert (await console.ask("carla", "POST", "/events/gpu-school/room/stop")).status_code == 204
    hub.go_on.set()
    await console.rooms.settled()
    assert (hub.started, hub.waiting) == ([], AT_ONCE), "the others never came to the hub"


async def test_a_room_that_was_stopped_can_be_started_again(console: Console) -> None:
    hub = await starting(console)
    await console.ask("carla", "POST", "/events/gpu-school/room/stop")
    await console.ask("carla", "POST", "/events/gpu-school/room/start")
    hub.go_on.set()
    await console.rooms.settled()
    assert hub.started == PEOPLE


async def test_who_is_about_to_start_is_not_started_twice(console: Console) -> None:
    hub = await starting(console)
    assert (await console.ask("carla", "POST", "/events/gpu-school/room/start")).json() == {"starting": 0}
    hub.go_on.set()
    await console.rooms.settled()
    assert hub.started == PEOPLE and hub.waiting == len(PEOPLE)


async def test_a_start_that_had_to_wait_lasts_until_the_event_s_end_all_the_same(console: Console) -> None:
    hub = await starting(console)
    console.now_epoch = NINE + 6 * HOUR + 1
    hub.go_on.set()
    await console.rooms.settled()
    asked = sorted(hub.choice(name, "gpu-school")["minutes"] for name in PEOPLE)
    assert asked == [118] * (len(PEOPLE) - AT_ONCE) + [479] * AT_ONCE


# Names that somebody else has


@pytest.mark.parametrize("state", [{"ready": True}, {"ready": False, "stopped": True}])
async def test_a_server_of_one_s_own_does_not_take_the_seat(console: Console, state: dict[str, bool]) -> None:
    code = (await console.create(title="2027"))["code"]
    console.now_epoch = NINE
    console.hub.servers["ada"] = {"session": {"pending": None, "user_options": {"event": None}, **state}}
    await console.ask("ada", "POST", "/join", {"code": code})
    for _ in range(2):
        answer = await console.ask("ada", "POST", "/mine/session/start")
        assert (answer.status_code, answer.json()) == (202, {"path": "/hub/spawn-pending/ada/session-2"})
    assert console.hub.choice("ada", "session-2")["event"] == "session"
    assert console.hub.choice("ada", "session") == {"event": None}


async def test_a_server_of_the_event_that_is_stopped_is_started_again(console: Console) -> None:
    code = (await console.create())["code"]
    console.now_epoch = NINE
    stopped = {"ready": False, "pending": None, "stopped": True, "user_options": {"event": "gpu-school"}}
    console.hub.servers["ada"] = {"gpu-school": stopped}
    await console.ask("ada", "POST", "/join", {"code": code})
    assert (await console.ask("ada", "POST", "/mine/gpu-school/start")).status_code == 202
    assert list(console.hub.servers["ada"]) == ["gpu-school"], "under the name that it had"
    assert console.hub.servers["ada"]["gpu-school"]["pending"] == "spawn"


async def test_an_event_never_takes_the_name_of_one_that_a_script_told_the_hub(console: Console) -> None:
    await console.create()
    of_script = {**console.hub.events[0], "slug": "hackathon"}
    console.hub.events = [of_script]
    assert (await console.create(title="Hackathon"))["slug"] == "hackathon-2"
    await once(console.verbs)
    assert of_script in console.hub.events and len(console.hub.events) == 3


# Pushes


@dataclass
class Slow(SmallHub):
    """Takes its time with the first events that it is told."""

    asked_first: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, request: httpx.Request) -> Any:
        if request.method == "PUT" and not self.asked_first.is_set():
            self.asked_first.set()
            return self._slowly(request)
        return super().__call__(request)

    async def _slowly(self, request: httpx.Request) -> httpx.Response:
        await self.go_on.wait()
        return super().__call__(request)


async def test_no_push_overtakes_another(console: Console) -> None:
    code = str((await console.create())["code"])
    console.now_epoch = NINE
    hub = Slow()
    with_hub(console, hub)
    before = asyncio.ensure_future(console.verbs.push())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await hub.asked_first.wait()
    joining = asyncio.ensure_future(console.ask("ada", "POST", "/join", {"code": code}))
    # a push that does not wait for the one before is done by then
    await asyncio.wait({joining}, timeout=1)
    hub.go_on.set()
    await asyncio.gather(before, joining)
    assert hub.events[0]["members"] == ["carla", "ada"]


async def test_a_push_that_fails_is_told_to_all_who_wait_for_it_and_the_next_one_works(console: Console) -> None:
    console.hub.away = True
    failed = await asyncio.gather(*(console.verbs.push() for _ in range(5)), return_exceptions=True)
    assert [type(each).__name__ for each in failed] == ["HubSilent"] * 5
    console.hub.away = False
    await console.verbs.push()


# Rounds


@dataclass
class Broken(SmallHub):
    """Has a fault of its own with ada, and no others."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "/users/ada" in request.url.path:
            return httpx.Response(500)
        return super().__call__(request)


async def test_a_person_of_whom_the_hub_cannot_say_anything_keeps_no_other_s_server_running(console: Console) -> None:
    hub = with_hub(console, Broken()).hub
    for title in ("GPU school", "Other"):
        event = await console.create(title=title, people=["ada", "bruno"])
        console.now_epoch = NINE
        for name in ("ada", "bruno"):
            await console.ask(name, "POST", "/join", {"event": event["slug"]})
        await console.ask("bruno", "POST", f"/mine/{event['slug']}/start")
        console.now_epoch = NINE - 24 * HOUR
    assert sorted(hub.servers["bruno"]) == ["gpu-school", "other"]
    console.now_epoch = NINE + 8 * HOUR
    await once(console.verbs)
    assert hub.servers["bruno"] == {}
    await once(console.verbs)
    shown = (await console.ask("carla", "GET", "/events/gpu-school")).json()
    assert shown["cleared_epoch"] is None, "ada's may still run"


@asynccontextmanager
async def running(console: Console) -> AsyncIterator[None]:
    """Rounds without a pause, for as long as a test looks."""
    settings = console.verbs.settings.model_copy(update={"push_seconds": 0})
    site = demo_catalogue().site.model_copy(update={"console": settings})
    console.catalogue = replace(console.catalogue, site=site)
    task = asyncio.ensure_future(rounds(console.verbs))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def told(console: Console, condition: Callable[[], object]) -> None:
    """Wait until the hub was told something."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - the small hub has no event for it
            await asyncio.sleep(0.01)


async def test_an_answer_that_nobody_foresaw_ends_no_rounds(console: Console, caplog: pytest.LogCaptureFixture) -> None:
    await console.create()
    wanted, console.hub.events = console.hub.events, [{"no": "event"}]
    async with running(console):
        await told(console, lambda: "are tried again" in caplog.text)
        console.hub.events = []
        await told(console, lambda: console.hub.events == wanted)
    assert caplog.text.count("Traceback") == 1, "the same trouble is said once"


async def test_a_reservation_that_hangs_keeps_no_event_from_the_hub(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = asyncio.Event()

    async def hang(_: Reservations) -> None:
        hangs.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Reservations, "keep", hang)
    await console.create()
    wanted = console.hub.events
    async with running(console):
        await told(console, hangs.is_set)
        console.hub.events = []
        await told(console, lambda: console.hub.events == wanted)


async def test_all_open_events_are_watched_with_one_question(console: Console) -> None:
    for title in ("GPU school", "Other", "Third"):
        await console.create(title=title)
    console.now_epoch = NINE
    console.hub.sessions = [
        session("carla", id="a" * 32),
        session("carla", id="b" * 32, event="other"),
        session("dario", id="c" * 32, event=None),
    ]
    asked = []
    small = console.hub.__call__

    def counted(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return small(request)

    with_hub(console, counted)  # type: ignore[arg-type]  # it answers as the small one
    await console.verbs.watch()
    assert asked == ["/hub/api/hpchub/sessions"]
    used = {slug: [each.user for each in console.verbs.store.used(slug)] for slug in ("gpu-school", "other", "third")}
    assert used == {"gpu-school": ["carla"], "other": ["carla"], "third": []}


def with_a_stranger(console: Console) -> None:
    """Teresa, who is no trainer any more, still has a notebook of the school."""
    server = {"ready": True, "pending": None, "user_options": {"event": "gpu-school"}}
    console.hub.servers = {"teresa": {"gpu-school": server}}
    console.hub.sessions = [session("teresa")]


async def test_who_left_an_event_has_no_server_of_it_for_long(console: Console) -> None:
    await console.create(trainers=["teresa"])
    console.now_epoch = NINE
    with_a_stranger(console)
    await once(console.verbs)
    assert console.hub.servers["teresa"], "a trainer"
    with console.verbs.store.sessions.begin() as database:
        database.execute(delete(TrainerRow).where(TrainerRow.name == "teresa"))
    await once(console.verbs)
    assert console.hub.servers["teresa"] == {}


async def test_the_end_of_an_event_finds_also_who_left_it(console: Console) -> None:
    await console.create()
    with_a_stranger(console)
    console.now_epoch = NINE + 8 * HOUR
    await once(console.verbs)
    assert console.hub.servers["teresa"] == {}


async def test_stop_all_finds_also_who_left(console: Console) -> None:
    await console.create()
    console.now_epoch = NINE
    with_a_stranger(console)
    assert (await console.ask("carla", "POST", "/events/gpu-school/room/stop")).status_code == 204
    assert console.hub.servers["teresa"] == {}


async def test_a_hub_that_refuses_the_events_of_now_has_those_that_are_over_stopped(console: Console) -> None:
    await console.create()
    with_a_stranger(console)
    console.now_epoch = NINE + 8 * HOUR
    small = console.hub.__call__

    def refuses(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"message": "No."}) if request.method == "PUT" else small(request)

    hub = console.hub
    with_hub(console, refuses)  # type: ignore[arg-type]  # it answers as the small one
    for _ in range(2):
        with pytest.raises(HubRefused):
            await once(console.verbs)
    assert hub.servers["teresa"] == {}
    assert console.verbs.store.get("gpu-school").cleared_epoch is None, "the hub would still let people start"
