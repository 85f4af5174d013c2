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

SECONDS_APART = 20.0
LONGEST_PAUSE = 600.0
AT_ONCE = 2
"""Cancels a view: anybody can submit a thousand jobs that look like orphans, and the launcher is for people first."""
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
    """Remembers since when a job has been an orphan, and how often its cancel was tried."""

    def __init__(self, hub_id: str) -> None:
        self._hub_id = hub_id
        self._tries: dict[str, dict[str, tuple[float, float]]] = {}
        """By cluster and job id: when to try next, and the pause before that."""

    def due(self, cluster: str, jobs: Iterable[Job], live: Collection[str], now: float) -> list[Job]:
        """List the orphans of a cluster to cancel now; each comes again after a doubled pause, until it is gone."""
        found = {job.job_id: job for job in orphans(jobs, self._hub_id, live)}
        known, first = self._tries.get(cluster, {}), (now + SECONDS_APART, SECONDS_APART)
        tries = self._tries[cluster] = {job_id: known.get(job_id, first) for job_id in found}
        due = [job_id for job_id, (when, _) in tries.items() if when <= now][:AT_ONCE]
        for job_id in due:
            pause = min(tries[job_id][1] * 2, LONGEST_PAUSE)
            tries[job_id] = (now + pause, pause)
        return [found[job_id] for job_id in due]
