"""Real jobs for a check: submitted as a user through the launcher, waited for, read by their logs, never left behind.

They have names of their own, so that no hub takes them for sessions.  What such a job has to tell it writes into its
log as lines of JSON, each behind :data:`MARK`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpchub.errors import HpchubError, LauncherError, SlurmError, SubmitUnclear
from hpchub.jobs.endings import ending_of, sentence
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.request import JobRequest
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import Job, JobState
from hpchub.slurm.reasons import why_it_waits

MARK = "hpchub-check: "
"""Begins each line of a job's log that is for the check."""
POLL_SECONDS = 1.0
CANCEL_SECONDS = 20.0
"""How long the cancels at the end may take in all."""


@dataclass(slots=True)
class CheckJob:
    """One job of a check, and what is known of it."""

    request: JobRequest
    script: str
    environment: Mapping[str, str] = field(default_factory=dict)
    job_id: str = ""
    job: Job | None = None
    problem: str = ""
    """Why it did not run to its end, in a sentence; empty while it may."""
    over: bool = False
    log: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """All that the job has told, the values of its lines in one."""
        told: dict[str, Any] = {}
        for line in self.log.splitlines():
            if line.startswith(MARK):
                # The last line may be half written, and anything can be in a log.
                with contextlib.suppress(ValueError, TypeError):
                    told.update(json.loads(line.removeprefix(MARK)))
        return told

    @property
    def state(self) -> str:
        """Where it is, in a word for a person who waits."""
        if self.over:
            return "failed" if self.problem else "done"
        return self.job.state.value if self.job else "submitted"

    def end(self, problem: str = "") -> None:
        """Nothing more is to be expected of it."""
        self.over, self.problem = True, problem


class CheckJobs:
    """Runs the jobs of one check side by side.

    Args:
        launcher: the door.
        clients: of the clusters, by name.
        name: of the jobs in Slurm.
        wait_seconds: how long a job may take in all, its time in the queue included.
        changed: called whenever something was learnt.
    """

    def __init__(
        self,
        launcher: Launcher,
        clients: Mapping[str, SlurmClient],
        name: str,
        wait_seconds: float,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._launcher = launcher
        self._clients = clients
        self._name = name
        self._wait_seconds = wait_seconds
        self._changed = changed

    async def run(self, jobs: Sequence[CheckJob], while_running: Callable[[CheckJob], Any] = lambda _: None) -> None:
        """Run all of them to their ends; whatever interrupts this, none is left in Slurm.

        ``while_running`` is called, and awaited where it is a coroutine, with each running job after each look at it.
        """
        submissions = [asyncio.create_task(self._submit(job)) for job in jobs]
        try:
            await asyncio.gather(*(asyncio.shield(each) for each in submissions))
            await self._watch(jobs, while_running)
        finally:
            await asyncio.shield(self._cancel_all(submissions, jobs))

    async def _submit(self, job: CheckJob) -> None:
        request = job.request
        try:
            job.job_id = await self._launcher.submit(
                request.user, request.cluster, request.session_id, job.script, job.environment
            )
        except LauncherError as error:
            unclear = " (whether there is a job is not clear)" if isinstance(error, SubmitUnclear) else ""
            job.end(f"It could not be submitted{unclear}: {error}")
        self._changed()

    async def _watch(self, jobs: Sequence[CheckJob], while_running: Callable[[CheckJob], Any]) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while open_jobs := [job for job in jobs if not job.over]:
            for cluster in {job.request.cluster for job in open_jobs}:
                await self._look(cluster, [job for job in open_jobs if job.request.cluster == cluster])
            for job in open_jobs:
                if job.job is not None and job.job.state is JobState.RUNNING:
                    working = while_running(job)
                    if working is not None:
                        await working
                elif job.job is not None and job.job.state is JobState.ENDED:
                    await self._read(job)
                if not job.over and time.monotonic() > deadline:
                    job.end(self._too_late(job))
            self._changed()
            if any(not job.over for job in jobs):
                await asyncio.sleep(POLL_SECONDS)

    async def _look(self, cluster: str, jobs: Sequence[CheckJob]) -> None:
        try:
            listed = await self._clients[cluster].jobs(self._name)
        except SlurmError as error:
            for job in jobs:
                job.end(f"Slurm could not be asked about it: {error}")
            return
        for job in jobs:
            job.job = listed.get(job.job_id, job.job)

    def _too_late(self, job: CheckJob) -> str:
        minutes = round(self._wait_seconds / 60)
        if job.job is not None and job.job.state is JobState.PENDING:
            return f"It was still in the queue after {minutes} minutes: {why_it_waits(job.job.reason)}"
        return f"It was not over after {minutes} minutes."

    async def _read(self, job: CheckJob) -> None:
        """Take in the log of a job that is over; only a job that ended well may lack one."""
        request, record = job.request, job.job
        with contextlib.suppress(LauncherError):
            job.log = await self._launcher.log(request.user, request.cluster, request.session_id)
        if record is not None and record.slurm_state != "COMPLETED":
            job.end(sentence(ending_of(record), request, node=record.node or "", slurm_state=record.slurm_state))
        else:
            job.end()

    async def _cancel_all(self, submissions: Sequence[asyncio.Task[None]], jobs: Sequence[CheckJob]) -> None:
        """Cancel what Slurm may still have; a submission that is under way is waited for, since it may succeed."""
        await asyncio.wait(submissions, timeout=CANCEL_SECONDS)
        alive = [job for job in jobs if job.job_id and not (job.job and job.job.state is JobState.ENDED)]
        cancels = [self._launcher.cancel(job.request.user, job.request.cluster, job.job_id) for job in alive]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                for result in await asyncio.gather(*cancels, return_exceptions=True):
                    if isinstance(result, BaseException) and not isinstance(result, HpchubError):
                        raise result
