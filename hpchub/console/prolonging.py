"""Which notebooks of an event last longer when the event does.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hpchub.console.plans import Event
from hpchub.console.room import SessionTold

PROLONG_ASKED, PROLONGED = "prolong-asked", "prolonged"
"""Lines of an event's record: the end that it had, and how many jobs got the new one."""
SLACK_SECONDS = 300
"""A notebook that ends so long before its event was to last as long: it gets whole minutes, and has a way to Slurm."""
_RUNNING = ("starting", "ready")


def pending(record: Iterable[tuple[str, str]]) -> int | None:
    """Give the end that an event had when its notebooks were prolonged last; None where nothing is to be done.

    Args:
        record: verbs and details, in order.
    """
    ends: list[int] = []
    for verb, detail in record:
        if verb == PROLONGED:
            ends.clear()
        elif verb == PROLONG_ASKED:
            ends.append(int(datetime.fromisoformat(detail).timestamp()))
    return min(ends, default=None)


def jobs_of(event: Event, sessions: Iterable[SessionTold], ended_epoch: int) -> Sequence[str]:
    """Give the jobs that run and would have ended with an event when that ended at a time; others were shorter."""
    return [
        session.job_id
        for session in sessions
        if session.job_id
        and session.phase in _RUNNING
        and session.cluster == event.plan.cluster
        and session.ends_epoch is not None
        and ended_epoch - SLACK_SECONDS <= session.ends_epoch < event.plan.ends_epoch
    ]
