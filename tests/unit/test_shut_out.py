"""Who is in a seat that nobody may be in: out with the next round, on JupyterHub's own database."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy
from jupyterhub import orm
from jupyterhub.user import UserDict

from hpchub.catalogue.event import Event
from hpchub.signin.seats import Seats
from hpchub.signin.shut_out import Rounds, shut_out, tokens_of_servers
from tests.unit.test_seats import CODE, OTHER, around_now


class Owner:
    """A session in an account, which says what it is withdrawn with."""

    def __init__(self, user: Any, token_id: int, by: str = "", event: str | None = None) -> None:
        self.user, self.said = user, list[str]()
        self.session = SimpleNamespace(token_id=token_id, begun_by=by, request=SimpleNamespace(event=event))

    def withdraw(self, sentence: str) -> None:
        self.said.append(sentence)


class Room:
    """A hub that knows events and seat01, and rounds over its seats."""

    def __init__(self, folder: Path) -> None:
        self.events: tuple[Event, ...] = ()
        self.pool = frozenset({"seat01"})
        self.seats = Seats(folder / "seats.json", lambda: self.events, lambda: self.pool)
        self.sessions: list[Any] = []
        self.written: list[dict[str, Any]] = []
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        self.users = UserDict(lambda: self.db, {})
        person = orm.User(name="seat01")
        self.db.add_all([person, orm.OAuthClient(identifier="jupyterhub")])
        self.db.commit()
        self.seat = self.users[person]
        self.eventlog = SimpleNamespace(emit=lambda schema_id, data: self.written.append(data))
        self.rounds = Rounds(self, self)

    def owners_of_sessions(self) -> list[Any]:
        return self.sessions

    def go_round(self) -> None:
        asyncio.run(self.rounds.go_round())

    def start(self) -> Any:
        """Begin to start a server, as JupyterHub does; give its token."""
        self.seat.spawners[""].api_token = self.seat.new_api_token(note="Server at /user/seat01/", scopes=[])
        return orm.APIToken.find(self.db, self.seat.spawners[""].api_token)

    def come_in(self) -> str:
        """Let somebody sign in to seat01 in the ordinary way and make a token; give their cookie's id."""
        self.new_token("mine")
        return str(self.seat.cookie_id)

    def new_token(self, note: str) -> Any:
        orm.APIToken.new(user=self.seat.orm_user, note=note, scopes=[])
        return self.seat.api_tokens[-1]

    def is_in(self, cookie: str) -> bool:
        return bool(self.seat.cookie_id == cookie)

    @property
    def tokens(self) -> list[str]:
        return [str(token.note) for token in self.seat.api_tokens]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_an_ordinary_account_is_left_alone(room: Room) -> None:
    cookie = room.come_in()
    room.go_round()
    assert (room.is_in(cookie), room.tokens) == (True, ["mine"])


def test_whoever_was_in_an_account_before_it_was_lent_is_out(room: Room) -> None:
    cookie = room.come_in()
    room.events = (around_now(),)
    room.go_round()
    assert (room.is_in(cookie), room.tokens, room.written) == (False, [], [])


def test_an_account_that_is_lent_again_is_cleared_again(room: Room) -> None:
    room.events = (around_now(),)
    room.go_round()
    room.events = ()
    room.go_round()
    cookie = room.come_in()
    room.events = (around_now(),)
    room.go_round()
    assert not room.is_in(cookie)


def test_whoever_brought_the_card_stays_in_while_the_event_goes_on(room: Room) -> None:
    room.events = (around_now(),)
    room.go_round()
    room.seats.take(CODE)
    cookie = room.come_in()
    room.go_round()
    room.events = (around_now(card=OTHER),)
    room.go_round()
    assert (room.is_in(cookie), room.tokens) == (True, ["mine"])


@pytest.mark.parametrize("after", [(), (around_now(until_epoch=int(time.time())),)], ids=["taken back", "over"])
def test_an_event_that_is_over_leaves_nobody_and_ends_the_servers(room: Room, after: tuple[Event, ...]) -> None:
    room.events = (around_now(),)
    room.seats.take(CODE)
    cookie = room.come_in()
    (owner,) = room.sessions = [Owner(room.seat, 99)]
    room.events = after
    room.go_round()
    room.go_round()
    assert (room.is_in(cookie), room.tokens) == (False, [])
    assert owner.said[0] == "The event is over, and with it this temporary seat."
    assert room.written == [{"action": "seat-ended", "username": "seat01", "event": "school"}]


def test_a_token_that_comes_later_goes_with_the_next_round(room: Room) -> None:
    room.events = (around_now(),)
    room.go_round()
    room.come_in()
    room.go_round()
    assert room.tokens == []


def test_a_seat_that_is_started_before_anybody_came_goes_on(room: Room) -> None:
    room.events = (around_now(),)
    room.go_round()
    token = room.start()
    room.go_round()
    assert room.tokens == ["Server at /user/seat01/"], "it is being started"
    room.seat.spawners[""].api_token = ""
    (owner,) = room.sessions = [Owner(room.seat, token.id, by="service:hpchub-console")]
    room.go_round()
    assert (room.tokens, owner.said) == (["Server at /user/seat01/"], []), "it runs"
    room.sessions = []
    room.go_round()
    assert room.tokens == []


def test_a_token_that_calls_itself_one_of_a_server_spares_nobody(room: Room) -> None:
    room.new_token("Server at /user/seat01/")
    room.events = (around_now(),)
    room.go_round()
    assert room.tokens == []


def test_a_handing_over_leaves_no_token_not_even_that_of_a_start(room: Room) -> None:
    token = room.start()
    shut_out(room.seat, tokens_of_servers(room.seat, ()))
    assert [each.id for each in room.seat.api_tokens] == [token.id], "a start that is under way goes on after a take"
    shut_out(room.seat)
    assert room.tokens == []


@pytest.mark.parametrize(
    ("by", "event", "goes_on"),
    [
        ("seat01", None, False),
        ("seat01", "school", False),
        ("service:hpchub-console", "another", False),
        ("service:hpchub-console", "school", True),
        ("admin", None, True),
        ("", "school", True),
    ],
)
def test_a_seat_that_nobody_took_keeps_only_what_was_started_for_its_event(
    room: Room, by: str, event: str | None, goes_on: bool
) -> None:
    (owner,) = room.sessions = [Owner(room.seat, 99, by, event)]
    room.events = (around_now(slug="school-files"),)
    room.go_round()
    assert (owner.said == []) is goes_on


def test_what_was_started_by_who_took_a_seat_goes_on(room: Room) -> None:
    (owner,) = room.sessions = [Owner(room.seat, 99, by="seat01")]
    room.events = (around_now(),)
    room.seats.take(CODE)
    room.go_round()
    assert owner.said == []


def test_a_round_over_many_seats_lets_others_have_their_turn_and_asks_once_about_all(room: Room) -> None:
    names = [f"seat{number:03}" for number in range(200)]
    room.pool = frozenset(names)
    room.db.add_all([orm.User(name=name) for name in names])
    room.db.commit()
    card = around_now().seats[0]
    room.events = (around_now(seats=[card.model_copy(update={"account": name}) for name in names]),)
    room.go_round()
    asked: list[str] = []
    sqlalchemy.event.listen(room.db.get_bind(), "before_cursor_execute", lambda *facts: asked.append(facts[2]))

    async def turns_of_another() -> int:
        round_, turns = asyncio.ensure_future(room.rounds.go_round()), 0
        while not round_.done():
            await asyncio.sleep(0)
            turns += 1
        await round_
        return turns

    assert asyncio.run(turns_of_another()) >= len(names)
    assert len([each for each in asked if "users" in each]) == 1


def test_a_database_that_is_away_ends_the_round_and_is_said_once(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    cookie = room.come_in()
    room.events = (around_now(),)
    room.db.add(orm.User(name="seat01"))
    room.go_round()
    room.go_round()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the seats could not be looked at, and are in the next round"
    ], "and is rolled back"
    assert not room.is_in(cookie)
