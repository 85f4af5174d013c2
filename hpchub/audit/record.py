"""Sessions, and what is done about other people, in JupyterHub's event log, by the schemas beside this file.

Sign-ins are written by :mod:`hpchub.signin.record`, starts and stops that succeed by JupyterHub itself.  No event has a
token, a text that somebody wrote, or a value of a claim but the names that became of it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Session

FOLDER = Path(__file__).parent
SESSION, ACCESS = "urn:hpchub:events:session", "urn:hpchub:events:access"
SCHEMAS = {SESSION: FOLDER / "session-event.yaml", ACCESS: FOLDER / "access-event.yaml"}
_BY_SOMEBODY = (Ending.STOPPED, Ending.STOP_OWED)


def actor(handler: Any) -> str:
    """Name who asks: a person by their account, a service as ``service:NAME``; empty where nobody is known."""
    who = handler.current_user if handler is not None else None
    if who is None:
        return ""
    return str(who.name) if who.kind == "user" else f"{who.kind}:{who.name}"


def session_begun(log: Any, session: Session, by: str) -> None:
    """Write that somebody's session is handed to Slurm.

    Args:
        log: the hub's event log; None writes nothing.
        session: the session.
        by: who asked for it.
    """
    _write(log, SESSION, action="begun", by=by, **_of(session))


def session_ended(log: Any, session: Session) -> None:
    """Write that a session is over, why, and who stopped it if somebody did; once a session, also across restarts."""
    if session.recorded or not session.handed_over:
        return
    session.recorded = True
    by = session.stopped_by if session.ending in _BY_SOMEBODY else ""
    _write(log, SESSION, action="ended", by=by, ending=str(session.ending), job=session.job_id, **_of(session))


def opened(log: Any, by: str, username: str, servername: str) -> None:
    """Write that somebody was let in to another person's server."""
    _write(log, ACCESS, action="opened", by=by, username=username, servername=servername)


def changed(log: Any, by: str, username: str, method: str, path: str) -> None:
    """Write that somebody changed something of another person's, or of the hub's, by the API."""
    _write(log, ACCESS, action="changed", by=by, username=username, method=method, path=path)


def _of(session: Session) -> dict[str, str]:
    request = session.request
    return {
        "username": request.user,
        "servername": request.server_name,
        "session": session.id,
        "cluster": request.cluster,
        "account": request.account,
        "profile": request.profile,
    }


def _write(log: Any, schema: str, **facts: str) -> None:
    if log is None:
        return
    if schema not in log.schemas:
        log.register_event_schema(SCHEMAS[schema])
    # the default server's name is empty, and means something
    log.emit(schema_id=schema, data={name: fact for name, fact in facts.items() if fact or name == "servername"})
