"""Points inside the hub where a test can kill it: before and after the commit of a session, and of a report.

This is a settings file of the site (``jupyterhub_local.py``): the hub executes it, and :mod:`tests.support.killing`
puts it there.  The file ``point`` in the folder names one point and one person, ``before commit ready ada``; where that
person's server gets there, the hub kills itself as a power cut would.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterhub import orm
from sqlalchemy import event, inspect
from sqlalchemy.orm import Session as Database

from hpchub.handlers.sessions import SessionHandler

STORED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "begun": lambda session: session["phase"] == "submitted" and not session["job_id"],
    "submitted": lambda session: bool(session["job_id"]),
    "ready": lambda session: bool(session["phase"] == "ready"),
    "ended": lambda session: bool(session["phase"] == "ended"),
}
"""What a commit stores, by name."""


def install(folder: Path) -> None:
    """Watch the commits and reports of this hub."""
    after = "after commit in this transaction"

    def here(point: str) -> bool:
        try:
            return (folder / "point").read_text() == point
        except OSError:
            return False

    def die_at(point: str) -> None:
        if here(point):
            os.kill(os.getpid(), signal.SIGKILL)

    def before_commit(database: Database) -> None:
        for spawner in database.dirty:
            if isinstance(spawner, orm.Spawner) and inspect(spawner).attrs.state.history.has_changes():
                session = (spawner.state or {}).get("session")
                for name in [name for name, holds in STORED.items() if session and holds(session)]:
                    die_at(f"before commit {name} {spawner.user.name}")
                    database.info[after] = f"after commit {name} {spawner.user.name}"
                    if here(database.info[after]):
                        return

    def after_commit(database: Database) -> None:
        die_at(database.info.pop(after, ""))

    event.listen(Database, "before_commit", before_commit)
    event.listen(Database, "after_commit", after_commit)

    take_report = SessionHandler.post

    async def post(handler: SessionHandler, session_id: str) -> None:
        owner = handler.engine.sessions.get(session_id)
        user = owner.user.name if owner is not None else "nobody"
        die_at(f"before report {user}")
        await take_report(handler, session_id)
        die_at(f"after report {user}")

    SessionHandler.post = post  # type: ignore[method-assign, assignment]
