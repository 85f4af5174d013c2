"""Whom the hub lets into whose notebook, by what the console told: shares of JupyterHub's in a real database of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.scopes import get_scopes_for

from hpchub.catalogue.event import Event, Helper
from hpchub.helping import Helping, in_step, wanted
from hpchub.jobs.session import Phase, Session
from tests.unit.data.job_request import request

NOW = 1_900_000_000
ID = "a" * 32


@dataclass
class Server:
    """A server with a session, as far as a share concerns it."""

    orm_spawner: Any
    session: Session | None


def session() -> Session:
    ours = request(user="ada", session_id=ID, server_name="school", event="school")
    return Session(request=ours, token_id=1, begun_epoch=NOW, phase=Phase.READY)


def event(*helpers: Helper, **changes: Any) -> Event:
    return Event(
        slug="school",
        title="School",
        opens_epoch=NOW - 60,
        closes_epoch=NOW + 3600,
        members=("carla", "ada", "bruno"),
        trainers=("carla",),
        cluster="leonardo",
        allocation="tra26_hack",
        profiles=("general/pytorch",),
        helpers=helpers,
    ).model_copy(update=changes)


def helper(**changes: Any) -> Helper:
    return Helper(owner="ada", session=ID, helper="carla", until_epoch=NOW + 600).model_copy(update=changes)


@pytest.mark.parametrize(
    ("asked", "there", "good"),
    [
        (event(helper()), session(), True),
        (event(helper(helper=None)), session(), True),
        (event(helper(helper=None), trainers=("ada",)), session(), False),
        (event(helper(until_epoch=NOW)), session(), False),
        (event(helper(), closes_epoch=NOW), session(), False),
        (event(helper(), opens_epoch=NOW + 1), session(), False),
        (event(helper(helper="bruno")), session(), False),
        (event(helper(helper="ada"), trainers=("ada",)), session(), False),
        (event(helper(owner="bruno")), session(), False),
        (event(helper(session="b" * 32)), session(), False),
        (event(helper()), None, False),
        (event(helper(), slug="other"), session(), False),
        (event(), session(), False),
    ],
)
def test_a_consent_opens_a_live_session_of_the_event_to_its_trainer_and_nothing_else(
    asked: Event, there: Session | None, good: bool
) -> None:
    server = Server(None, there)
    assert bool(wanted([asked], {ID: server}, NOW)) is good


@pytest.mark.parametrize(("phase", "good"), [(Phase.STARTING, True), (Phase.ENDING, False), (Phase.ENDED, False)])
def test_a_session_that_ends_ends_it(phase: Phase, good: bool) -> None:
    there = session()
    there.phase = phase
    assert bool(wanted([event(helper())], {ID: Server(None, there)}, NOW)) is good


async def test_notebooks_are_told_when_a_consent_begins_and_when_it_ends_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hpchub.helping.SECONDS", 0.01)
    now, told = [NOW], asyncio.Event()
    servers = {ID: Server(None, session())}
    running = asyncio.create_task(Helping(told.set).run(lambda: [event(helper())], servers, lambda: now[0]))
    try:
        async with asyncio.timeout(20):
            await told.wait()
            told.clear()
            now[0] = NOW + 600
            await told.wait()
    finally:
        running.cancel()


# In JupyterHub's database


@pytest.fixture
def database() -> Iterator[Any]:
    session = orm.new_session_factory("sqlite:///:memory:")()
    for name in ("ada", "bruno", "carla"):
        session.add(orm.User(name=name))
    session.commit()
    yield session
    session.close()


def server_of(database: Any, owner: str, name: str = "school") -> Server:
    spawner = orm.Spawner(user=orm.User.find(database, owner), name=name)
    database.add(spawner)
    database.commit()
    return Server(spawner, session())


def may_enter(database: Any, who: str) -> set[str]:
    """The servers that somebody may enter beside their own."""
    user = orm.User.find(database, who)
    return {scope for scope in get_scopes_for(user) if scope.startswith("access:servers!server=")}


def test_who_is_let_in_may_enter_that_server_and_no_other_until_it_is_taken_back(database: Any) -> None:
    server = server_of(database, "ada")
    server_of(database, "bruno")
    assert may_enter(database, "carla") == set()
    assert in_step(database, [(server, helper())])
    assert may_enter(database, "carla") == {"access:servers!server=ada/school"}
    assert may_enter(database, "bruno") == set()
    assert not in_step(database, [])
    assert may_enter(database, "carla") == set()
    assert database.query(orm.Share).count() == 0


def test_a_share_ends_by_itself_and_a_longer_consent_is_the_same_share(database: Any) -> None:
    server = server_of(database, "ada")
    soon = int(datetime.now(UTC).timestamp()) + 60
    in_step(database, [(server, helper(until_epoch=soon))])
    in_step(database, [(server, helper(until_epoch=soon + 60))])
    (share,) = database.query(orm.Share)
    assert timedelta(seconds=100) < share.expires_at - orm.Share.now() < timedelta(seconds=130)


def test_what_is_wanted_already_is_left_as_it_is(database: Any) -> None:
    server = server_of(database, "ada")
    in_step(database, [(server, helper())])
    (before,) = database.query(orm.Share)
    in_step(database, [(server, helper())])
    (after,) = database.query(orm.Share)
    assert before is after


def test_shares_of_others_are_neither_taken_nor_given_an_end(database: Any) -> None:
    server = server_of(database, "ada")
    others = orm.Share.grant(database, server.orm_spawner, orm.User.find(database, "carla"))
    in_step(database, [(server, helper())])
    in_step(database, [])
    assert database.query(orm.Share).all() == [others] and others.expires_at is None


def test_a_helper_whom_the_hub_does_not_know_is_not_let_in(database: Any) -> None:
    in_step(database, [(server_of(database, "ada"), helper(helper="nobody"))])
    assert database.query(orm.Share).count() == 0
