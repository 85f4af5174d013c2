"""Who is in a seat that nobody may be in: out with the next round, on JupyterHub's own database."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.user import UserDict

from hpchub.catalogue.event import Event
from hpchub.signin.seats import Seats
from hpchub.signin.shut_out import Rounds
from tests.unit.test_seats import CODE, OTHER, around_now


class Room:
    """A hub that knows events and seat01, and rounds over its seats."""

    def __init__(self, folder: Path) -> None:
        self.events: tuple[Event, ...] = ()
        self.seats = Seats(folder / "seats.json", lambda: self.events, lambda: ("seat01",))
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
    room.rounds.go_round()
    assert (room.is_in(cookie), room.tokens) == (True, ["mine"])


def test_whoever_was_in_an_account_before_it_was_lent_is_out(room: Room) -> None:
    cookie = room.come_in()
    room.events = (around_now(),)
    room.rounds.go_round()
    assert (room.is_in(cookie), room.tokens, room.written) == (False, [], [])


def test_an_account_that_is_lent_again_is_cleared_again(room: Room) -> None:
    room.events = (around_now(),)
    room.rounds.go_round()
    room.events = ()
    room.rounds.go_round()
    cookie = room.come_in()
    room.events = (around_now(),)
    room.rounds.go_round()
    assert not room.is_in(cookie)


def test_whoever_brought_the_card_stays_in_while_the_event_goes_on(room: Room) -> None:
    room.events = (around_now(),)
    room.rounds.go_round()
    room.seats.take(CODE)
    cookie = room.come_in()
    room.rounds.go_round()
    room.events = (around_now(card=OTHER),)
    room.rounds.go_round()
    assert (room.is_in(cookie), room.tokens) == (True, ["mine"])


@pytest.mark.parametrize("after", [(), (around_now(until_epoch=int(time.time())),)], ids=["taken back", "over"])
def test_an_event_that_is_over_leaves_nobody_and_ends_the_servers(room: Room, after: tuple[Event, ...]) -> None:
    room.events = (around_now(),)
    room.seats.take(CODE)
    cookie, said = room.come_in(), list[str]()
    room.sessions = [SimpleNamespace(user=room.seat, session=SimpleNamespace(token_id=99), withdraw=said.append)]
    room.events = after
    room.rounds.go_round()
    room.rounds.go_round()
    assert (room.is_in(cookie), room.tokens) == (False, [])
    assert said[0] == "The event is over, and with it this temporary seat."
    assert room.written == [{"action": "seat-ended", "username": "seat01", "event": "school"}]


def test_a_token_that_comes_later_goes_with_the_next_round(room: Room) -> None:
    room.events = (around_now(),)
    room.rounds.go_round()
    room.come_in()
    room.rounds.go_round()
    assert room.tokens == []


def test_a_seat_that_is_started_before_anybody_came_goes_on(room: Room) -> None:
    room.events = (around_now(),)
    room.rounds.go_round()
    token = room.new_token("Server at /user/seat01/")
    room.rounds.go_round()
    assert room.tokens == ["Server at /user/seat01/"], "it is being started"
    token.created = token.created.replace(year=2000)
    room.sessions = [SimpleNamespace(user=room.seat, session=SimpleNamespace(token_id=token.id), withdraw=print)]
    room.rounds.go_round()
    assert room.tokens == ["Server at /user/seat01/"], "it runs"
    room.sessions = []
    room.rounds.go_round()
    assert room.tokens == []
