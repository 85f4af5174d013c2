"""Finds jobs of this hub that no session owns, and cancels them.

Such a job is left when a cancel could not be accepted while Slurm was silent, or when the hub lost its database.
The rules: the comment names this hub and a well-formed session id; the job's Slurm user is the user of the comment,
since anybody can write any comment; no live session has the id; and all of this for some time, because a session and
its job do not appear at the same instant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from hpchub.jobs.request import read_comment
from hpchub.slurm.model import Job, JobState

SECONDS_APART = 20
_SESSION = re.compile(r"[0-9a-f]{32}")


def orphans(jobs: Iterable[Job], hub_id: str, live: Collection[str]) -> list[Job]:
    """List the jobs of this hub that hold a place and belong to no live session.

    Args:
        jobs: what the cluster lists.
        hub_id: this hub's own.
        live: ids of the sessions that are not over.
    """
    found = []
    for job in jobs:
        if job.state not in (JobState.PENDING, JobState.RUNNING):
            continue
        identity = read_comment(job.comment)
        if (
            identity is not None
            and identity["hub"] == hub_id
            and identity["user"] == job.user
            and _SESSION.fullmatch(identity["session"])
            and identity["session"] not in live
        ):
            found.append(job)
    return found


class Reconciler:
    """Remembers since when a job has been an orphan."""

    def __init__(self, hub_id: str) -> None:
        self._hub_id = hub_id
        self._since: dict[str, float] = {}

    def due(self, jobs: Iterable[Job], live: Collection[str], now: float) -> list[Job]:
        """List the orphans that have been such for long enough; each is listed again until it is gone."""
        found = orphans(jobs, self._hub_id, live)
        self._since = {job.job_id: self._since.get(job.job_id, now) for job in found}
        return [job for job in found if now - self._since[job.job_id] >= SECONDS_APART]
