"""What the hub's handlers of seats do where something fails: a card stays good, and a refusal says whose it is."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.user import UserDict
from tornado import web

from hpchub.catalogue.event import Event
from hpchub.errors import LauncherError, SubmitRefused, SubmitUnclear, Unreachable
from hpchub.handlers import seats as handlers
from hpchub.handlers.events import EventsHandler
from hpchub.handlers.seat import SeatHandler
from hpchub.handlers.seats import HandOverHandler
from hpchub.signin.seats import Seats
from tests.unit.test_seats import CODE, around_now
from tests.unit.test_shut_out import Owner


class Taking:
    """As much of the handler of cards as takes a seat; JupyterHub's database can be away."""

    def __init__(self, folder: Path, *events: Event) -> None:
        self.seats = Seats(folder / "seats.json", lambda: events, lambda: {"seat01"})
        self.owners: list[Owner] = []
        self.engine = SimpleNamespace(seats=self.seats, owners_of_sessions=lambda: self.owners)
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        users, person = UserDict(lambda: self.db, {}), orm.User(name="seat01")
        self.db.add_all([person, orm.OAuthClient(identifier="jupyterhub")])
        self.db.commit()
        self.user = users[person]
        self.fails: Exception | None = None
        self.signed_in: list[Any] = []
        self.log = SimpleNamespace(info=lambda *_: None)
        self.eventlog = SimpleNamespace(emit=lambda **_: None)
        self.find_user = lambda name: self.user
        self.set_login_cookie = self.signed_in.append
        self.clear_login_cookie = self.set_session_cookie = lambda: None
        self._go_to = self._event_of = lambda _: ""

    async def auth_to_user(self, _: dict[str, Any]) -> Any:
        if self.fails:
            raise self.fails
        return self.user

    async def take(self) -> None:
        handler: Any = self
        await SeatHandler._take(handler, self.seats.opened(CODE), CODE)


async def test_a_card_is_good_once_more_after_a_sign_in_that_failed(tmp_path: Path) -> None:
    room = Taking(tmp_path, around_now())
    room.fails = OSError("the database is away")
    with pytest.raises(OSError, match="away"):
        await room.take()
    assert (room.seats.taken("seat01"), room.signed_in) == (None, [])
    room.fails = None
    await room.take()
    assert room.signed_in == [room.user]


async def test_a_start_that_is_under_way_goes_on_when_its_seat_is_taken(tmp_path: Path) -> None:
    room = Taking(tmp_path, around_now())
    room.user.new_api_token(note="Server at /user/seat01/", scopes=[])
    token = room.user.spawners[""].api_token = room.user.new_api_token(note="Server at /user/seat01/", scopes=[])
    await room.take()
    assert [each.id for each in room.user.api_tokens] == [orm.APIToken.find(room.db, token).id], "no other of that name"


async def test_who_takes_a_seat_first_does_not_get_what_the_account_began_by_itself(tmp_path: Path) -> None:
    room = Taking(tmp_path, around_now())
    own, started = room.owners = [Owner(room.user, 98, by="seat01"), Owner(room.user, 99, by="service:hpchub-console")]
    await room.take()
    assert own.said == ["This account is lent as a seat of an event; only the seat's card opens it."]
    assert started.said == []


class Clearing:
    """As much of the handler that hands a seat over as has it emptied."""

    def __init__(self, error: Exception) -> None:
        self.engine = SimpleNamespace(catalogue=SimpleNamespace(site=None), launcher=self)
        self._error = error

    async def wipe(self, account: str, cluster: str) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SubmitRefused("job 17 waits"), "The home of seat01 is not clean: job 17 waits"),
        (SubmitUnclear("no answer in time"), "Nobody knows whether the home of seat01 is clean: no answer in time"),
        (LauncherError("leonardo does not answer"), "The home of seat01 is not clean: leonardo does not answer"),
    ],
)
async def test_what_keeps_a_home_from_being_emptied_is_not_told_as_the_hub_s_silence(
    monkeypatch: pytest.MonkeyPatch, error: LauncherError, says: str
) -> None:
    error.__cause__ = Unreachable("no route to host")
    monkeypatch.setattr(handlers, "clusters_with_homes", lambda site: ["leonardo"])
    handler: Any = Clearing(error)
    with pytest.raises(web.HTTPError) as refused:
        await HandOverHandler._wipe(handler, "seat01")
    assert (refused.value.status_code, refused.value.log_message) == (409, says)


async def test_an_account_that_left_the_pool_is_handed_over(tmp_path: Path) -> None:
    events: tuple[Event, ...] = (around_now(),)
    pool = {"seat01"}
    seats = Seats(tmp_path / "seats.json", lambda: events, lambda: pool)
    seats.take(CODE)
    events, pool = (), set()
    site = SimpleNamespace(console=None)
    statuses: list[int] = []
    handler: Any = SimpleNamespace(
        engine=SimpleNamespace(catalogue=SimpleNamespace(site=site), seats=seats, views={}),
        find_user=lambda _: None,
        set_status=statuses.append,
        eventlog=SimpleNamespace(emit=lambda **_: None),
        current_user=None,
    )
    hand_over = functools.partial(HandOverHandler.post.__wrapped__, handler)
    await hand_over("seat01")
    assert (statuses, seats.taken("seat01")) == ([204], None)
    with pytest.raises(web.HTTPError, match="seat01 is not in the site's pool"):
        await hand_over("seat01")


async def test_all_seats_are_looked_at_at_once_only_when_others_are_lent(tmp_path: Path) -> None:
    told: list[bytes] = []
    keeper = SimpleNamespace(events=())
    keeper.replace = lambda events: setattr(keeper, "events", events)
    seats = Seats(tmp_path / "seats.json", lambda: keeper.events, lambda: {"seat01"})
    handler: Any = SimpleNamespace(
        engine=SimpleNamespace(events=keeper, seats=seats), request=SimpleNamespace(body=b""), set_status=told.append
    )

    async def changes(*events: Event) -> bool:
        handler.request.body = f"[{','.join(event.model_dump_json() for event in events)}]".encode()
        seats.changed.clear()
        await EventsHandler.put.__wrapped__(handler)
        return seats.changed.is_set()

    lent = around_now()
    assert await changes(lent)
    assert not await changes(lent.model_copy(update={"title": "Another title"}))
    assert await changes()
