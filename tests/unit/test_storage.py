"""Sessions that change together are stored together, in a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session as Database

from hpchub.storage import Storage


@pytest.fixture
def database() -> Iterator[Database]:
    made: Database = orm.new_session_factory(url="sqlite:///:memory:")()
    yield made
    made.close()


class Owner:
    """A server of one person, whose state a test changes."""

    def __init__(self, database: Database, name: str) -> None:
        user = orm.User(name=name)
        self.orm_spawner = orm.Spawner(name="", user=user)
        database.add_all([user, self.orm_spawner])
        database.commit()
        self.phase = "submitted"

    def get_state(self) -> dict[str, Any]:
        return {"phase": self.phase}


def stored(database: Database) -> set[str]:
    """Read the phases as a hub would that comes after this one."""
    database.expire_all()
    return {(spawner.state or {}).get("phase", "nothing") for spawner in database.query(orm.Spawner)}


class Commits:
    """Counts the commits, and has them fail as long as a test wants."""

    def __init__(self, database: Database) -> None:
        self.count, self.broken = 0, False
        event.listen(database, "before_commit", self.note)

    def note(self, _: Database) -> None:
        if self.broken:
            raise OperationalError("COMMIT", {}, Exception("the disk is full"))
        self.count += 1


async def test_many_that_change_at_once_are_one_commit(database: Database) -> None:
    owners = [Owner(database, f"seat{number:02}") for number in range(50)]
    commits, storage = Commits(database), Storage()
    for owner in owners:
        storage.soon(owner)
        owner.phase = "queued"
        storage.soon(owner)
    await asyncio.sleep(0)
    assert commits.count == 1
    assert stored(database) == {"queued"}


async def test_what_must_be_there_now_is_there_now(database: Database) -> None:
    owner, storage = Owner(database, "ada"), Storage()
    storage.soon(owner)
    assert storage.write()
    assert stored(database) == {"submitted"}


async def test_what_fails_is_said_and_written_later(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    owner = Owner(database, "ada")
    commits, storage = Commits(database), Storage()
    commits.broken = True
    storage.soon(owner)
    assert not storage.write()
    assert "could not be stored" in caplog.text
    commits.broken = False
    assert stored(database) == {"nothing"}
    storage.retry()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stored(database) == {"submitted"}


async def test_a_server_that_was_removed_keeps_no_other_from_being_stored(database: Database) -> None:
    gone, there, storage = Owner(database, "ada"), Owner(database, "bruno"), Storage()
    storage.soon(gone)
    storage.soon(there)
    database.delete(gone.orm_spawner)
    database.commit()
    assert storage.write()
    assert stored(database) == {"submitted"}
