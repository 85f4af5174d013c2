"""What is found out after a session has ended: who cancelled its job, and the last lines of its log.

The end itself is said at once; this makes it more exact a moment later, and changes nothing where it fails.
"""

from __future__ import annotations

from typing import Any

from hpchub.errors import LauncherError
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Session

_VERDICT_SECONDS = 30
"""How long the accounting may take, which lags behind on a busy cluster; without it the sentence stays as it is."""
_WITH_LOG = frozenset(
    {
        Ending.BROKEN_ENVIRONMENT,
        Ending.HUB_UNREACHABLE,
        Ending.JOB_FAILED,
        Ending.NO_PLACE,
        Ending.OUT_OF_MEMORY,
        Ending.SERVER_EXITED,
        Ending.SILENT_SERVER,
    }
)
"""Endings that the end of the log may explain."""


def has_questions(session: Session) -> bool:
    """Tell whether the end of a session leaves something to find out."""
    if not session.job_id:
        return False
    return session.ending is Ending.CANCELLED or (session.ending in _WITH_LOG and not session.log_tail)


async def look_into(owner: Any, session: Session) -> None:
    """Find out what can be known of an ended session, and have its owner (a LastingSpawner) store it."""
    request = session.request
    if session.ending is Ending.CANCELLED:
        job = await owner.engine.watcher_of(request.cluster).verdict(session.job_id, _VERDICT_SECONDS)
        if job is None or not session.learn_who_cancelled(job):
            return
    else:
        try:
            text = await owner.engine.launcher.log(request.user, request.cluster, session.id)
        except LauncherError as error:
            owner.log.info("%s: its log cannot be read: %s", session.id, error)
            return
        session.take_log(text)
    if owner.session is session:
        owner.changed()
