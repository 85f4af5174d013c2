"""Databases of the hub and its console: how they are opened, and whether the hub's answers."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from hpchub.errors import CatalogueError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1
_WAITS = 4
"""How many times as long as the last answer took the database is left alone: the hub stands still while it asks."""

_PATIENCE = {"connect_timeout": 3, "tcp_user_timeout": 10_000}
"""In seconds and in milliseconds; libpq's own names ("Parameter Key Words" in PostgreSQL's manual)."""


def url_in(path: Path) -> str:
    """Read the address of a database from a file.

    Raises:
        CatalogueError: it cannot be read, others may read it, or there is none in it.
    """
    try:
        # It has a password.
        if path.stat().st_mode & 0o077:
            raise CatalogueError(f"{path} can be read by other users: chmod 600 {path}")
        text = path.read_text(encoding="utf-8").strip()
        make_url(text)
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from error
    except ArgumentError:
        raise CatalogueError(
            f"{path} has no address of a database, such as postgresql+psycopg://hpchub@host/console"
        ) from None
    return text


def settings_for(url: str) -> dict[str, Any]:
    """Give what SQLAlchemy's ``create_engine`` shall be told beside a database's address.

    A machine that is silent keeps the whole hub waiting: by default for minutes, as TCP does.  What the address itself
    says of that counts.
    """
    # Statements with their values would bring codes and tokens into logs.
    settings: dict[str, Any] = {"hide_parameters": True}
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        settings["connect_args"] = {name: value for name, value in _PATIENCE.items() if name not in address.query}
    return settings


class Database:
    """JupyterHub's database, as one hub process sees it."""

    def __init__(self) -> None:
        self.back_epoch = 0.0
        """Since when it answers again; 0 where it was never away."""
        self._away_since: float | None = None
        self._ask_at = 0.0

    def answers(self, session: Any) -> bool:
        """Ask the database now, over a new connection where the old one is gone.

        Args:
            session: JupyterHub's of SQLAlchemy.  What it has not committed is lost where the connection is.
        """
        if time.monotonic() < self._ask_at:
            return False
        began = time.monotonic()
        try:
            _ask(session)
        except SQLAlchemyError as error:
            self._ask_at = time.monotonic() + _WAITS * (time.monotonic() - began)
            self._note_away(error)
            return False
        self._note_back()
        return True

    async def answered(self, session: Any) -> None:
        """Wait until it answers."""
        while not self.answers(session):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_LOOK_SECONDS)

    def _note_away(self, error: SQLAlchemyError) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.error("the database does not answer: %s", str(getattr(error, "orig", error)).strip())

    def _note_back(self) -> None:
        if self._away_since is not None:
            log.warning("the database answers again, after %.0f s", time.monotonic() - self._away_since)
            self._away_since = None
            self.back_epoch = time.time()


def _ask(session: Any) -> None:
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        session.rollback()
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            raise
        # The session had a connection from before a restart, or was left in an error by somebody else.
        try:
            session.execute(text("SELECT 1"))
        except SQLAlchemyError:
            session.rollback()
            raise
