"""The sessions' way into the hub's database: many that change at the same moment are one commit.

When a room starts at once, or a view of the cluster brings news for hundreds, a commit for each would keep the hub from
answering anybody.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import object_session

log = logging.getLogger(__name__)


class Stored(Protocol):
    """Whose state is stored: the spawner of a server, or a test's stand-in."""

    orm_spawner: Any

    def get_state(self) -> dict[str, Any]: ...


class Storage:
    """Writes the states of changed servers: at the end of this turn of the event loop, or at once."""

    def __init__(self) -> None:
        self._changed: dict[Stored, None] = {}
        self._planned = False

    def soon(self, owner: Stored) -> None:
        """Write this one's state with all others that change in this turn of the event loop."""
        self._changed[owner] = None
        self._plan()

    def forget(self, owner: Stored) -> None:
        """Write nothing of a server that is removed."""
        self._changed.pop(owner, None)

    def write(self) -> bool:
        """Write all that has changed now; return whether it is in the database.

        What could not be written stays changed, and is tried again with the next change or view.
        """
        # One whose row is gone would keep all others from being written.
        changed = {owner: database for owner in self._changed if (database := object_session(owner.orm_spawner))}
        database = next(iter(changed.values()), None)
        if database is None:
            self._changed.clear()
            return True
        try:
            for owner in changed:
                owner.orm_spawner.state = owner.get_state()
            database.commit()
        except SQLAlchemyError as error:
            database.rollback()
            log.error("%s sessions could not be stored: %s", len(changed), error)
            return False
        self._changed.clear()
        return True

    def retry(self) -> None:
        """Try again what could not be written."""
        if self._changed:
            self._plan()

    def _plan(self) -> None:
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._write_as_planned)

    def _write_as_planned(self) -> None:
        self._planned = False
        self.write()
