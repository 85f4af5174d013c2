"""Waiting for the end of a session, and what it said."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.site import Site
from tests.support.wait import until

SECONDS = 10
"""How soon after the event its reason must be known (the issue's own number)."""


def ended(site: Site, user: str, server: str = "") -> dict[str, Any]:
    """Give the last session of a server if it is over, else nothing."""
    session = site.session(user, server)
    return session if session.get("phase") == "ended" else {}


def wait_for_end(site: Site, user: str, seconds: float = SECONDS, server: str = "") -> dict[str, Any]:
    """Wait until the session of a server is over; return it."""
    return until(lambda: ended(site, user, server), f"{user}'s session to be over", seconds, pause=0.2)


def refine(site: Site, over: dict[str, Any], key: str, words: str, seconds: float = 60) -> dict[str, Any]:
    """Wait until an ended session says these words too, which are found out after its end; return it."""
    return until(
        lambda: read if words in ((read := read_session(site, over["id"]))[key] or "") else {},
        f"the {key} of {over['user']}'s session to have {words!r}",
        seconds,
        pause=0.2,
    )


def read_session(site: Site, session_id: str) -> dict[str, Any]:
    """Read a session by its id."""
    return dict(site.api("GET", f"/hpchub/sessions/{session_id}").json)


def log_of(user: str, session_id: str) -> Path:
    """The file of a session's log."""
    return Path(pwd.getpwnam(user).pw_dir) / ".local" / "share" / "hpchub" / f"{session_id}.log"


@contextmanager
def jupyter_config(user: str, text: str) -> Iterator[None]:
    """Give a person a configuration file of the notebook server, which is Python, for a while."""
    entry = pwd.getpwnam(user)
    config = Path(entry.pw_dir) / ".jupyter" / "jupyter_server_config.py"
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)
    os.chown(config.parent, entry.pw_uid, -1)
    try:
        yield
    finally:
        config.unlink()
