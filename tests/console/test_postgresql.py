"""The console on PostgreSQL: its tables, the way there from SQLite, and a database that restarts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Engine, Integer, String, select

from hpchub.console.database import copy, migrate, opened
from hpchub.console.model import Base
from hpchub.console.plans import Plan
from hpchub.console.store import Store
from tests.support.postgresql import PostgreSQL, postgresql
from tests.unit.data.console import NINE, Console, plan
from tests.unit.test_console_database import come_at_once, migrate_from, revisions
from tests.unit.test_console_seats import want_the_last_seats

NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


@pytest.fixture
def address(server: PostgreSQL) -> str:
    """That of an empty database."""
    return server.database(f"console{next(NUMBERS)}")


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    engine = opened(address)
    yield engine
    engine.dispose()


def everything(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {table.name: list(connection.execute(select(table))) for table in Base.metadata.sorted_tables}


def something(column: Column[Any]) -> Any:
    """A value that a column takes."""
    if column.foreign_keys or column.name == "slug":
        return "gpu-school"
    if isinstance(column.type, JSON):
        return {"è": [1, None]}
    return "è" if isinstance(column.type, String) else 7 if isinstance(column.type, Integer) else 7.5


@pytest.mark.parametrize("revision", ["nothing", *revisions()])
def test_from_every_revision_the_tables_become_those_of_the_program(engine: Engine, revision: str) -> None:
    migrate_from(engine, revision)


def test_everything_comes_along_from_sqlite_and_the_console_goes_on_from_there(
    engine: Engine, address: str, tmp_path: Path
) -> None:
    before = opened(f"sqlite:///{tmp_path / 'console.sqlite'}")
    migrate(before)
    event = Store(before).create(Plan.model_validate(plan()), "carla", 0, approved=True)
    with before.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name != "events":
                # as a row that is not the first one may have it
                row = {column.name: something(column) for column in table.columns}
                connection.execute(table.insert().values(row))
    assert copy(before, engine) == 1
    assert everything(engine) == everything(before)
    joined = Store(engine).join("gpu-school", "ada", (), event.code or "", NINE)
    assert [each.name for each in joined.participants] == ["è", "ada"]


def test_the_last_seat_is_given_once_when_all_come_at_the_same_time(engine: Engine) -> None:
    come_at_once(engine)


def test_two_events_that_want_the_last_temporary_seats_at_once_never_get_the_same(engine: Engine) -> None:
    want_the_last_seats(engine)


async def test_a_database_that_restarts_is_said_to_be_away_and_nothing_is_lost(
    server: PostgreSQL, address: str, tmp_path: Path
) -> None:
    console = Console(tmp_path, database=address)
    event = await console.create()
    server.stop()
    try:
        answer = await console.ask("carla", "GET", "/events")
        assert (answer.status_code, answer.json()["message"]) == (
            503,
            "The database of the events does not answer at the moment. Try again in a minute.",
        )
    finally:
        server.start()
    assert (await console.ask("carla", "GET", "/events")).json() == [event]
    console.verbs.store.dispose()
