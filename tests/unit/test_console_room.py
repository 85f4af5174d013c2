"""The room of an event: each seat as it is, and what a trainer does with all or one of them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from hpchub.console.hub import AT_ONCE, Hub
from tests.unit.data.console import NINE, Console, session


@pytest.fixture
async def room(tmp_path: Path) -> Console:
    """A console with a school that is open; ada and bruno have joined."""
    console = Console(tmp_path)
    code = (await console.create(seats=4))["code"]
    console.now_epoch = NINE
    for name in ("ada", "bruno"):
        assert (await console.ask(name, "POST", "/join", {"code": code})).status_code == 200
    return console


async def seats(room: Console) -> dict[str, tuple[str, str]]:
    """Each seat's state and what is said of it."""
    answer = await room.ask("carla", "GET", "/events/gpu-school/room")
    return {seat["name"]: (seat["state"], seat["says"]) for seat in answer.json()}


@pytest.mark.parametrize(
    ("told", "state", "says"),
    [
        ([], "away", ""),
        ([session("ada", "submitted")], "queued", "Whatever."),
        ([session("ada", "queued", sentence="All GPUs are in use.")], "queued", "All GPUs are in use."),
        ([session("ada", "starting")], "starting", "Whatever."),
        ([session("ada", "ready")], "working", ""),
        ([session("ada", "ending")], "ending", ""),
        ([session("ada", "ended", ending="stopped")], "ended", "Whatever."),
        ([session("ada", "ended", ending="time-limit")], "ended", "Whatever."),
        ([session("ada", "ended", ending="out-of-memory", sentence="It needed more.")], "failed", "It needed more."),
        ([session("ada", "ready", event=None)], "away", ""),
        ([session("ada", "ready", event="other")], "away", ""),
        ([session("ada", "ended", ending="stopped", begun_epoch=NINE + 9), session("ada", server="b")], "working", ""),
    ],
)
async def test_a_seat_is_what_its_last_session_is(room: Console, told: list[Any], state: str, says: str) -> None:
    room.hub.sessions = [session("dario"), *told]
    assert await seats(room) == {"ada": (state, says), "bruno": ("away", "")}


async def test_all_start_who_have_a_seat_and_no_notebook(room: Console) -> None:
    room.hub.sessions = [session("ada")]
    answer = await room.ask("carla", "POST", "/events/gpu-school/room/start")
    assert (answer.status_code, answer.json()) == (202, {"starting": 1})
    await room.rooms.settled()
    assert room.hub.choice("bruno", "gpu-school")["event"] == "gpu-school" and "ada" not in room.hub.servers


async def test_whom_the_event_names_have_seats_before_they_come(tmp_path: Path) -> None:
    console = Console(tmp_path)
    await console.create(seats=2, people=["ada", "bruno", "dario"])
    console.now_epoch = NINE
    assert {name for name, _ in (await seats(console)).items()} == {"ada", "bruno", "dario"}
    await console.ask("carla", "POST", "/events/gpu-school/room/start")
    await console.rooms.settled()
    assert sorted(console.hub.servers) == ["ada", "bruno"], "as many as there are seats"
    assert console.hub.events[0]["members"] == ["carla", "ada", "bruno"]


async def test_why_somebody_was_not_started_stands_on_their_tile_until_the_next_try(room: Console) -> None:
    room.hub.refusal = "You have 3 sessions; 3 are possible."
    await room.ask("carla", "POST", "/events/gpu-school/room/start")
    await room.rooms.settled()
    assert (await seats(room))["ada"] == ("failed", "You have 3 sessions; 3 are possible.")
    room.hub.refusal = ""
    await room.ask("carla", "POST", "/events/gpu-school/room/start")
    await room.rooms.settled()
    assert (await seats(room))["ada"] == ("away", "")


async def test_stop_all_stops_what_is_the_event_s_and_the_event_goes_on(room: Console) -> None:
    await room.ask("carla", "POST", "/events/gpu-school/room/start")
    await room.rooms.settled()
    room.hub.servers["ada"][""] = {"ready": True, "pending": None, "user_options": {"event": None}}
    assert (await room.ask("carla", "POST", "/events/gpu-school/room/stop")).status_code == 204
    assert (list(room.hub.servers["ada"]), list(room.hub.servers["bruno"])) == ([""], [])
    assert (await room.ask("carla", "GET", "/events/gpu-school")).json()["state"] == "open"


async def test_one_is_restarted(room: Console) -> None:
    room.hub.servers["ada"] = {"mine": {"ready": True, "pending": None, "user_options": {"event": "gpu-school"}}}
    answer = await room.ask("carla", "POST", "/events/gpu-school/room/ada/restart")
    assert answer.status_code == 202
    await room.rooms.settled()
    assert list(room.hub.servers["ada"]) == ["gpu-school"]
    for name in ("dario", "carla", "nobody"):
        assert (await room.ask("carla", "POST", f"/events/gpu-school/room/{name}/restart")).status_code == 404


@pytest.mark.parametrize("path", ["room/start", "room/stop", "room/ada/restart"])
@pytest.mark.parametrize("who", ["teresa", "ada"])
async def test_the_room_is_the_trainer_s(room: Console, who: str, path: str) -> None:
    assert (await room.ask(who, "POST", f"/events/gpu-school/{path}")).status_code == 404
    assert (await room.ask(who, "GET", "/events/gpu-school/room")).status_code == 404
    assert (await room.visit(who, "event/gpu-school/room")).status_code == 404
    assert room.hub.servers == {}


@pytest.mark.parametrize("path", ["room/start", "room/ada/restart"])
async def test_nothing_starts_when_the_event_is_over(room: Console, path: str) -> None:
    await room.ask("carla", "POST", "/events/gpu-school/close")
    answer = await room.ask("carla", "POST", f"/events/gpu-school/{path}")
    assert (answer.status_code, answer.json()["message"]) == (409, "The event is not open: nothing of it can start.")


async def test_the_page_has_a_tile_for_each_seat_and_keeps_itself_up_to_date(room: Console) -> None:
    room.hub.sessions = [session("ada"), session("bruno", "ended", ending="out-of-memory", sentence="<b>Too big</b>")]
    page = await room.visit("carla", "event/gpu-school/room")
    assert re.findall(r'data-seat="([a-z]+)" data-state="([a-z]+)"', page.text) == [
        ("bruno", "failed"),
        ("ada", "working"),
    ], "what needs a trainer stands first"
    assert "&lt;b&gt;Too big" in page.text
    token = room.sign_in.form_token("carla")
    fetched = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    live = await room.visit("carla", "event/gpu-school/room", more={**fetched, "X-XSRFToken": token})
    assert live.status_code == 200 and 'data-live="seats"' in live.text
    assert (await room.visit("carla", "event/gpu-school/room", more=fetched)).status_code == 403
    pressed = await room.visit("carla", "event/gpu-school/room/restart", {"name": "bruno"})
    assert pressed.status_code == 303
    await room.rooms.settled()
    assert list(room.hub.servers["bruno"]) == ["gpu-school"]


async def test_a_room_starts_in_waves_and_looks_do_not_wait_for_them() -> None:
    waiting, most, full, go_on = 0, 0, asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal waiting, most
        if request.method == "GET":
            return httpx.Response(200, json=[] if request.url.path.endswith("/sessions") else {})
        waiting += 1
        most = max(most, waiting)
        if waiting == AT_ONCE:
            full.set()
        await go_on.wait()
        waiting -= 1
        return httpx.Response(202)

    hub = Hub("http://hub/hub/api", "f" * 32, httpx.MockTransport(slow))
    starts = [asyncio.ensure_future(hub.start(f"seat{number:02}", "school", dict, "en")) for number in range(40)]
    async with asyncio.timeout(60):
        await full.wait()
    assert await hub.sessions("school", "en") == []
    go_on.set()
    await asyncio.gather(*starts)
    assert most == AT_ONCE
    await hub.aclose()


async def test_what_was_not_started_before_the_end_is_no_failure_after_it(tmp_path: Path) -> None:
    console = Console(tmp_path)
    await console.create(people=["ada"])
    console.now_epoch, console.hub.refusal = NINE, "No place."
    await console.ask("carla", "POST", "/events/gpu-school/room/start")
    await console.rooms.settled()
    (seat,) = (await console.ask("carla", "GET", "/events/gpu-school/room")).json()
    assert seat["state"] == "failed"
    await console.ask("carla", "POST", "/events/gpu-school/close")
    (seat,) = (await console.ask("carla", "GET", "/events/gpu-school/room")).json()
    assert (seat["state"], seat["says"]) == ("away", "")
