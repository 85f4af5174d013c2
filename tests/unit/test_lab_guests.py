"""A trainer's open connections in somebody's notebook server end with the consent: real sockets of tornado."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from hpchub.lab.hpchub_session.guests import Guests, close, let_in

Connect = Callable[[str], Awaitable[Any]]
AT_ONCE = {"HPCHUB_CACHE_SECONDS": "0"}
LATER = time.time() + 3600


class Kernel(WebSocketHandler):
    """Knows its person as jupyter_server's handlers do."""

    def prepare(self) -> None:
        self.current_user = SimpleNamespace(username=self.request.path.strip("/"))

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connects somebody by their name."""
    socket, port = bind_unused_port()
    server = HTTPServer(Application([(r"/.*", Kernel)]))
    server.add_sockets([socket])
    opened = []

    async def connected(name: str) -> Any:
        opened.append(await websocket_connect(f"ws://127.0.0.1:{port}/{name}"))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()
    server.stop()


async def answers(connection: Any) -> bool:
    """Whether a connection is open still."""
    await connection.write_message("1")
    async with asyncio.timeout(20):
        return bool(await connection.read_message() == "1")


async def test_who_is_let_in_no_more_loses_their_connections_and_nobody_else(connect: Connect) -> None:
    owner, trainer, admin = [await connect(name) for name in ("ada", "carla", "admin")]
    guests = Guests({"HPCHUB_CACHE_SECONDS": "30"})
    guests.are({"carla": LATER})
    assert [await answers(each) for each in (owner, trainer, admin)] == [True, True, True]
    guests.are({})
    async with asyncio.timeout(20):
        assert await trainer.read_message() is None, "it is closed"
    assert [await answers(each) for each in (owner, admin)] == [True, True]


async def test_a_page_that_connects_again_meanwhile_is_closed_when_the_hub_s_word_is_fresh(connect: Connect) -> None:
    guests = Guests(AT_ONCE, margin_seconds=0.1)
    guests.are({"carla": LATER, "teresa": LATER})
    guests.are({"teresa": LATER})
    again, other = await connect("carla"), await connect("teresa")
    async with asyncio.timeout(20):
        assert await again.read_message() is None
    assert await answers(other)


async def test_who_is_let_in_anew_is_left_alone(connect: Connect) -> None:
    guests = Guests(AT_ONCE, margin_seconds=0.1)
    guests.are({"carla": LATER, "teresa": LATER})
    guests.are({})
    guests.are({"carla": LATER})
    trainer, other = await connect("carla"), await connect("teresa")
    async with asyncio.timeout(20):
        assert await other.read_message() is None
    assert await answers(trainer)


async def test_a_consent_ends_in_time_while_the_hub_is_away(connect: Connect) -> None:
    guests = Guests(AT_ONCE, margin_seconds=0.1)
    trainer, other = await connect("carla"), await connect("teresa")
    guests.are({"carla": time.time() + 0.2, "teresa": LATER})
    assert await answers(trainer)
    async with asyncio.timeout(20):
        assert await trainer.read_message() is None
        assert await (await connect("carla")).read_message() is None, "nor when their page connects again"
    assert await answers(other)


async def test_a_consent_that_is_given_for_longer_goes_on(connect: Connect) -> None:
    guests = Guests(AT_ONCE, margin_seconds=0.1)
    trainer, other = await connect("carla"), await connect("teresa")
    soon = time.time() + 0.2
    guests.are({"carla": soon, "teresa": soon})
    guests.are({"carla": LATER, "teresa": soon})
    async with asyncio.timeout(20):
        assert await other.read_message() is None
    assert await answers(trainer)


async def test_nobody_is_closed_without_a_name(connect: Connect) -> None:
    nobody = await connect("")
    assert close(set()) == 0 and await answers(nobody)


def test_the_hub_s_answer_names_them() -> None:
    helpers = [{"name": "carla", "until_epoch": 9}, {"name": "carla", "until_epoch": 7}]
    assert let_in({"helpers": helpers}) == {"carla": 9}
    assert let_in({}) == let_in({"helpers": None}) == {}
