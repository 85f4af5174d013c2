"""One watcher a cluster: it alone asks Slurm, and everyone reads its snapshot.

Jobs are asked for often while somebody waits and seldom otherwise, because jobs tell the hub about themselves; what
changes slowly (nodes, partitions, associations, QOS) is asked for on a slower beat.  A failed query keeps the last
answer and its age; nothing negative is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hpchub.errors import SlurmError
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView, Job, JobState

log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[ClusterView], None]

_JOBS_A_QUERY = 500
"""A longer list does not fit an argument; the rest is asked about with the next answer."""


@dataclass(frozen=True, slots=True)
class Beat:
    """How often a watcher asks, in seconds; the reason of each default stands with the site's setting of its name."""

    busy: float = 1.0
    idle: float = 20.0
    queue: float = 5.0
    nodes: float = 10.0
    accounts: float = 60.0
    retry: float = 3.0


class Watcher:
    """Keeps the :class:`~hpchub.slurm.model.ClusterView` of one cluster.

    ``view`` can be read at any time; it is replaced, never changed.  ``asked_epoch`` is when the job query behind the
    current view was begun: a job submitted later may be missing in it.
    """

    def __init__(self, client: SlurmClient, beat: Beat | None = None) -> None:
        self._client = client
        self._beat = beat or Beat()
        self.view = ClusterView(cluster=client.cluster)
        self.asked_epoch = 0.0
        self._waiting = 0
        self._listeners: set[Listener] = set()
        self._poke = asyncio.Event()
        self._missing = {"jobs", "nodes", "partitions", "associations", "qos"}
        self._complete = asyncio.Event()
        self._followed: dict[str, float] = {}
        self._remembered: dict[str, Job] = {}
        self._missing_jobs: dict[str, float] = {}
        self._verdicts: dict[str, asyncio.Future[Job]] = {}
        self._something_is_missing = asyncio.Event()
        self._one_of_ours_waits = asyncio.Event()

    @property
    def cluster(self) -> str:
        return self._client.cluster

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every new view until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @contextlib.contextmanager
    def somebody_waits(self) -> Iterator[None]:
        """Ask often as long as this lasts, and once at the start."""
        self._waiting += 1
        self._poke.set()
        try:
            yield
        finally:
            self._waiting -= 1

    async def first_view(self, seconds: float) -> None:
        """Wait until the cluster has told everything once, or so long: right after a start of the hub."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._complete.wait(), seconds)

    def follow(self, job_id: str) -> None:
        """Have the accounting asked about this job, should the controller not list it any more.

        A job that is not listed is not ended: the controller forgets ended ones after ``MinJobAge``, and may have lost
        more.  What the accounting says of its end then appears in the view like an answer of the controller.
        """
        self._followed.setdefault(job_id, time.time())

    def unfollow(self, job_id: str) -> None:
        """Nobody is interested in this job any more."""
        self._followed.pop(job_id, None)
        self._remembered.pop(job_id, None)

    async def verdict(self, job_id: str, seconds: float) -> Job | None:
        """Give the accounting's record of a job that has ended, from the query that is common to all.

        It knows what the controller does not tell, such as who cancelled a job.  None where it does not tell in time.
        """
        answer = self._verdicts.setdefault(job_id, asyncio.get_running_loop().create_future())
        self._something_is_missing.set()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(answer)
        except TimeoutError:
            return None
        finally:
            self._verdicts.pop(job_id, None)

    def has_news_of(self, job_id: str) -> bool:
        """Tell whether this watcher has heard of a job, or of its absence from the accounting too."""
        return bool(self.asked_epoch) and (job_id in self.view.jobs or self._missing_jobs.get(job_id, 0) > 0)

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(
            self._watch_jobs(),
            self._watch_queue(),
            self._watch_accounting(),
            self._watch_nodes(),
            self._watch_accounts(),
        )

    async def _watch_jobs(self) -> None:
        while True:
            asked = time.time()
            jobs = await self._tried("jobs", self._client.jobs())
            if jobs is not None:
                self.asked_epoch = asked
                self._note_missing(jobs, asked)
                self._publish(jobs={**self._remembered, **jobs}, silent_since_epoch=None)
                self._note_waiting(jobs)
            elif self.view.silent_since_epoch is None:
                self._publish(silent_since_epoch=asked)
            await self._pause(jobs is not None)

    def _note_missing(self, jobs: Mapping[str, Job], asked: float) -> None:
        """Note which followed jobs this answer should list and does not, and when each was last asked about."""
        self._missing_jobs = {
            job_id: self._missing_jobs.get(job_id, 0.0)
            for job_id, since in self._followed.items()
            if since < asked and job_id not in jobs and job_id not in self._remembered
        }
        if self._missing_jobs:
            self._something_is_missing.set()

    def _note_waiting(self, jobs: Mapping[str, Job]) -> None:
        """Note whether one of our sessions waits; while none does, an old queue would only mislead."""
        if any(job_id in jobs and jobs[job_id].state is JobState.PENDING for job_id in self._followed):
            self._one_of_ours_waits.set()
        elif self._one_of_ours_waits.is_set():
            self._one_of_ours_waits.clear()
            self._publish(queue=None, queue_epoch=None)

    async def _watch_queue(self) -> None:
        """Ask about everybody's waiting jobs as long as one of ours is among them."""
        while True:
            await self._one_of_ours_waits.wait()
            asked = time.time()
            queue = await self._tried("queue", self._client.queue())
            if queue is not None and self._one_of_ours_waits.is_set():
                self._publish(queue=queue, queue_epoch=asked)
            await asyncio.sleep(self._beat.queue if queue is not None else self._beat.retry)

    async def _watch_accounting(self) -> None:
        """Ask the accounting, in one query for all, about jobs that the controller should list and does not, and about
        ends of which somebody wants to know more.

        On a beat of its own: a slow slurmdbd must not hold up the news of everybody else.
        """
        while True:
            await self._something_is_missing.wait()
            self._something_is_missing.clear()
            longest_ago = sorted(self._missing_jobs, key=self._missing_jobs.__getitem__)[:_JOBS_A_QUERY]
            wanted = [*longest_ago, *(each for each in self._verdicts if each not in longest_ago)][:_JOBS_A_QUERY]
            if not wanted:
                continue
            told = await self._tried("accounting", self._client.accounting(wanted))
            self._missing_jobs.update(dict.fromkeys(longest_ago, time.time()))
            # The accounting lags behind: what it calls running may have ended, so only its ends are news.
            ends = {
                job_id: job
                for job_id, job in (told or {}).items()
                if job.state is JobState.ENDED and job_id in self._followed
            }
            if ends:
                self._remembered.update(ends)
                self._publish(jobs={**self.view.jobs, **ends})
            self._hand_out_verdicts(told or {})
            await asyncio.sleep(self._beat.retry if told is None else self._beat.busy)

    def _hand_out_verdicts(self, told: Mapping[str, Job]) -> None:
        for job_id, answer in self._verdicts.items():
            job = told.get(job_id)
            if job is not None and job.state is JobState.ENDED and not answer.done():
                answer.set_result(job)
        if not all(answer.done() for answer in self._verdicts.values()):
            self._something_is_missing.set()

    async def _pause(self, answered: bool) -> None:
        """Sleep until the next query; somebody who begins to wait cuts an idle pause short."""
        if not answered:
            await asyncio.sleep(self._beat.retry)
        elif self._waiting:
            await asyncio.sleep(self._beat.busy)
        else:
            self._poke.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poke.wait(), self._beat.idle)

    async def _watch_nodes(self) -> None:
        while True:
            nodes = await self._tried("nodes", self._client.nodes())
            if nodes is not None:
                self._publish(nodes=nodes)
            await asyncio.sleep(self._beat.nodes if nodes is not None else self._beat.retry)

    async def _watch_accounts(self) -> None:
        while True:
            # One after the other: three at once would be three processes for a hung controller.
            partitions = await self._tried("partitions", self._client.partitions())
            associations = await self._tried("associations", self._client.associations())
            qos = await self._tried("qos", self._client.qos())
            told = {"partitions": partitions, "associations": associations, "qos": qos}
            answers = {name: answer for name, answer in told.items() if answer is not None}
            self._publish(**answers, accounting_silent_since_epoch=self._client.accounting_daemon.open_since_epoch)
            await asyncio.sleep(self._beat.accounts if len(answers) == len(told) else self._beat.retry)

    async def _tried(self, what: str, query: Awaitable[T]) -> T | None:
        try:
            return await query
        except SlurmError as error:
            log.warning("%s: no new %s: %s", self.cluster, what, error)
            self._note_silence()
            return None

    def _note_silence(self) -> None:
        """Show at once, whichever query found it, that a daemon is silent; the next answer takes it back."""
        controller = self._client.controller.open_since_epoch
        accounting = self._client.accounting_daemon.open_since_epoch
        if controller is not None and self.view.silent_since_epoch is None:
            self._publish(silent_since_epoch=controller)
        if accounting is not None and self.view.accounting_silent_since_epoch is None:
            self._publish(accounting_silent_since_epoch=accounting)

    def _publish(self, **changes: Any) -> None:
        self._missing -= changes.keys()
        if not self._missing:
            # Half a picture would say "no such partition" where nobody has been asked yet.
            self._complete.set()
            if "jobs" in changes or self.view.taken_epoch is None:
                changes["taken_epoch"] = time.time()
        self.view = replace(self.view, **changes)
        for listener in tuple(self._listeners):
            try:
                listener(self.view)
            except Exception:
                # One session's mistake must not blind the others.
                log.exception("%s: a listener failed", self.cluster)
