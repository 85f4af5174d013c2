"""One watcher a cluster: it alone asks Slurm, and everyone reads its snapshot.

Jobs tell the hub about themselves, so they are asked for seldom, and at once where something is about to change that a
person looks at; what changes slowly (nodes, partitions, associations, QOS) is asked for on a slower beat.  A failed
query keeps the last answer and its age; nothing negative is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from hpchub.catalogue.site import Watching
from hpchub.errors import SlurmError
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView, Job, JobState

log = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[ClusterView], None]

_JOBS_A_QUERY = 500
"""A longer list does not fit an argument; the rest is asked about with the next answer."""
_LOOKED_SECONDS = 60
"""How long a look at the queue lasts: an open page looks again sooner."""


class Watcher:
    """Keeps the :class:`~hpchub.slurm.model.ClusterView` of one cluster.

    ``view`` can be read at any time; it is replaced, never changed.  ``asked_epoch`` is when the job query behind the
    current view was begun: a job submitted later may be missing in it.
    """

    def __init__(self, client: SlurmClient, watching: Watching | None = None) -> None:
        self._client = client
        self._beat = watching or Watching()
        self.view = ClusterView(cluster=client.cluster)
        self.asked_epoch = 0.0
        self._waiting = 0
        self._listeners: set[Listener] = set()
        self._poke = asyncio.Event()
        self._missing = {"jobs", "nodes", "partitions", "associations", "qos"}
        self._complete = asyncio.Event()
        self._failing_since: dict[str, float] = {}
        self._followed: dict[str, float] = {}
        self._remembered: dict[str, Job] = {}
        self._missing_jobs: dict[str, float] = {}
        self._verdicts: dict[str, asyncio.Future[Job]] = {}
        self._something_is_missing = asyncio.Event()
        self._queue_wanted = asyncio.Event()
        self._looked_epoch = 0.0
        self._place_unknown = asyncio.Event()

    @property
    def cluster(self) -> str:
        return self._client.cluster

    @property
    def client(self) -> SlurmClient:
        """Who asks: others who ask the same daemons share its circuit breakers."""
        return self._client

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every new view until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @contextlib.contextmanager
    def somebody_waits(self) -> Iterator[None]:
        """Ask at once, and not only as a safety net as long as this lasts."""
        self._waiting += 1
        self._poke.set()
        try:
            yield
        finally:
            self._waiting -= 1

    def hurry(self) -> None:
        """Ask for jobs as soon as the beat allows: something is about to change, and somebody looks at it."""
        self._poke.set()

    async def first_view(self, seconds: float) -> None:
        """Wait until the cluster has told everything once, or so long: right after a start of the hub."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._complete.wait()

    def somebody_looks(self) -> None:
        """Ask about everybody's waiting jobs for a minute: somebody looks at what they might start."""
        self._looked_epoch = time.time()
        self._queue_wanted.set()

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
        """Note whether one of our sessions waits; while none does and nobody looks, an old queue would only mislead."""
        waiting = {job_id for job_id in self._followed if job_id in jobs and jobs[job_id].state is JobState.PENDING}
        if waiting:
            self._queue_wanted.set()
            if not waiting <= {queued.job_id for queued in self.view.queue or ()}:
                self._place_unknown.set()
        elif self._queue_wanted.is_set() and time.time() > self._looked_epoch + _LOOKED_SECONDS:
            self._queue_wanted.clear()
            self._publish(queue=None, queue_epoch=None)

    async def _watch_queue(self) -> None:
        """Ask about everybody's waiting jobs as long as one of ours is among them, or somebody looks at the queue."""
        while True:
            await self._queue_wanted.wait()
            asked = time.time()
            queue = await self._tried("queue", self._client.queue())
            if queue is not None and self._queue_wanted.is_set():
                self._publish(queue=queue, queue_epoch=asked)
            await asyncio.sleep(self._beat.retry_seconds)
            if queue is not None:
                # Whoever has just come to wait is not left without a place for a whole beat.
                with contextlib.suppress(TimeoutError):
                    longer = max(self._beat.queue_seconds - self._beat.retry_seconds, 0)
                    async with asyncio.timeout(longer):
                        await self._place_unknown.wait()
                self._place_unknown.clear()

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
            await asyncio.sleep(self._beat.retry_seconds if told is None else self._beat.busy_seconds)

    def _hand_out_verdicts(self, told: Mapping[str, Job]) -> None:
        for job_id, answer in self._verdicts.items():
            job = told.get(job_id)
            # whose job it was comes a moment later (:func:`hpchub.slurm.parse.accounting`)
            if job is not None and job.state is JobState.ENDED and job.user_id is not None and not answer.done():
                answer.set_result(job)
        if not all(answer.done() for answer in self._verdicts.values()):
            self._something_is_missing.set()

    async def _pause(self, answered: bool) -> None:
        """Sleep until the next query; whoever is in a hurry cuts the pause short."""
        if not answered:
            await asyncio.sleep(self._beat.retry_seconds)
            return
        await asyncio.sleep(self._beat.busy_seconds)
        longest = self._beat.waiting_seconds if self._waiting else self._beat.idle_seconds
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with the poke.
            async with asyncio.timeout(max(longest - self._beat.busy_seconds, 0)):
                await self._poke.wait()
        # The next query begins now: whoever is in a hurry later wants the one after it.
        self._poke.clear()

    async def _watch_nodes(self) -> None:
        while True:
            nodes = await self._tried("nodes", self._client.nodes())
            if nodes is not None:
                self._publish(nodes=nodes)
            await asyncio.sleep(self._beat.nodes_seconds if nodes is not None else self._beat.retry_seconds)

    async def _watch_accounts(self) -> None:
        while True:
            # One after the other: all at once would be as many processes for a hung controller.
            partitions = await self._tried("partitions", self._client.partitions())
            associations = await self._tried("associations", self._client.associations())
            qos = await self._tried("qos", self._client.qos())
            reservations = await self._tried("reservations", self._client.reservations())
            told = {
                "partitions": partitions,
                "associations": associations,
                "qos": qos,
                "reservations": reservations,
            }
            answers = {name: answer for name, answer in told.items() if answer is not None}
            self._publish(**answers, accounting_silent_since_epoch=self._client.accounting_daemon.open_since_epoch)
            await asyncio.sleep(self._beat.accounts_seconds if len(answers) == len(told) else self._beat.retry_seconds)

    async def _tried(self, what: str, query: Awaitable[T]) -> T | None:
        try:
            answer = await query
        except SlurmError as error:
            # Said once, and not with each try of an outage that may take hours.
            level = logging.DEBUG if what in self._failing_since else logging.WARNING
            log.log(level, "%s: no new %s: %s", self.cluster, what, error)
            self._failing_since.setdefault(what, time.time())
            self._note_silence()
            return None
        if since := self._failing_since.pop(what, None):
            log.info("%s: %s are told again, after %.0f s", self.cluster, what, time.time() - since)
        return answer

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
