"""The spawner of a Slurm cluster: one session's job, submitted, waited for, cancelled.

It is built on batchspawner's ``SlurmSpawner`` and keeps its contract (``query_job_status``, ``submit_batch_script``,
``cancel_batch_job``), with other insides: no command of Slurm is started for a single server, no template is filled
from what a user sent, and the state of a job is three-valued.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import Mapping
from typing import Any

from batchspawner import JobStatus, SlurmSpawner
from traitlets import Any as AnyTrait

from hpchub import metrics
from hpchub.engine import Engine
from hpchub.errors import CertificatesUnreadable, HomeUnusable, LauncherError, SubmitRefused, SubmitUnclear
from hpchub.jobs import script
from hpchub.jobs.endings import Ending
from hpchub.jobs.launcher import LAUNCHER_SECONDS
from hpchub.jobs.refusals import read_refusal
from hpchub.jobs.session import Phase, Session
from spawners import estimate
from spawners.errors import Refused

_ENDING_SECONDS = 15
"""How long we wait for the reason of an end while Slurm still ends processes (``KillWait`` and epilogs)."""
_STOP_SECONDS = 10
"""How long a stop looks for a job whose id got lost, and how long it waits for Slurm to accept the cancel."""
_REACH_SECONDS = 5
"""How long the hub tries to connect to a server that says it listens."""
CONNECT_SECONDS = 2.0
"""How long a connection may take; the kernel of the node answers, however busy the server is."""
ANSWER_SECONDS = 5.0
"""How long the server may take to encrypt the connection and to answer, before it is asked again."""
_SETTLED_SECONDS = 10
"""How long a job that has come into the queue may still be on its way through it: most start within this."""


class HPCSlurmSpawner(SlurmSpawner):  # type: ignore[misc]  # batchspawner has no types
    """One session on one Slurm cluster.

    :class:`~spawners.site.SiteSpawner` makes it from an accepted choice, gives it the session and stores that at every
    change; settings that JupyterHub's spawners have in common are made there and not here.
    """

    owner = AnyTrait(help="The SiteSpawner that this job belongs to: it holds, stores and announces the session.")

    _submission: asyncio.Task[None] | None = None
    _unclear_until_epoch: float = 0

    @property
    def session(self) -> Session:
        session: Session = self.owner.session
        return session

    @property
    def engine(self) -> Engine:
        engine: Engine = self.owner.engine
        return engine

    async def start(self) -> str:
        """Submit the job and wait until its server can be used; return the server's address.

        Raises:
            Refused: the job was refused or ended before; with the reason in words.
        """
        await self.submit_batch_script()
        return await self.until_ready()

    async def submit_batch_script(self) -> str:
        """Hand the job to Slurm; return its id, or an empty text where nobody knows whether there is a job.

        A stop must not throw away the answer, so the submission goes on by itself when the waiting is cancelled.
        """
        self.session.handed_over = True
        self.owner.changed()
        # Before the launcher hears of it: a hub that comes after this one must know that there may be a job.
        if self.engine.storage.write():
            self._submission = self.engine.keep(self._submit(), f"submitting {self.session.id}")
            await asyncio.shield(self._submission)
        else:
            self.session.end(Ending.NOT_SUBMITTED, detail="The hub's database did not answer. Start again.")
            self.owner.changed()
        return self.session.job_id

    async def _submit(self) -> None:
        session, request = self.session, self.session.request
        try:
            session.job_id = await self.engine.launcher.submit(
                request.user, request.cluster, session.id, script.render(request), self.owner.job_environment()
            )
        except SubmitRefused as error:
            self.log.info("%s: %s refused the job: %s", session.id, request.cluster, error.slurm_message)
            refusal = read_refusal(error.slurm_message)
            session.end(refusal.ending, detail=refusal.detail, reason=refusal.reason)
        except HomeUnusable as error:
            session.end(Ending.HOME_FULL, detail=str(error))
        except SubmitUnclear as error:
            self.log.warning("%s: it is not clear whether there is a job: %s", session.id, error)
            self._unclear_until_epoch = error.until_epoch
        except LauncherError as error:
            session.end(Ending.NOT_SUBMITTED, detail=str(error))
        except CertificatesUnreadable as error:
            self._end_without_certificates(error)
        else:
            self.log.info("%s is job %s on %s", session.id, session.job_id, request.cluster)
        self.owner.changed()
        self.owner.let_the_next_in()

    def _end_without_certificates(self, error: CertificatesUnreadable) -> None:
        self.log.error("%s: the hub's certificates cannot be read: %s", self.session.id, error)
        self.session.end(Ending.CERTIFICATES_UNREADABLE)

    async def until_ready(self) -> str:
        """Wait, however long the queue is, until the server can be used; return its address.

        Raises:
            Refused: the session ended before; with the reason in words.
        """
        session = self.session
        watcher = self.owner.watcher
        with watcher.somebody_waits():
            if not session.job_id:
                await self._find_job()
            while not session.over:
                if session.phase is Phase.ENDING:
                    await self.learn_why_it_ends()
                elif session.port and session.address:
                    await self._reach()
                    if session.phase is Phase.READY:
                        return session.server_url
                self._check_patience()
                estimate.consider(self.owner)
                soon = self._soon_different()
                if soon:
                    watcher.hurry()
                # A job that does not speak is found out in time, and one that waits in the queue costs little.
                await self.owner.signal.wait(0.25 if session.phase is Phase.STARTING else 1 if soon else 5)
        await self.cancel_what_is_left()
        raise Refused(session.says, reason=session.ending or "ended", status_code=500)

    def _soon_different(self) -> bool:
        """Tell whether Slurm may have news at any moment: not of a job that has found its place in the queue."""
        session = self.session
        if session.phase is not Phase.QUEUED or session.hopeless_since_epoch:
            return True
        return time.time() < session.reached.get(Phase.QUEUED, 0) + _SETTLED_SECONDS

    async def _find_job(self) -> None:
        """The answer to the submission got lost: its session id tells the job, or there is none.

        It is never submitted again.  A launcher outlives the hub that started it, so only an answer of Slurm's from
        after that launcher's time can say that there is no job.
        """
        session = self.session
        launched_epoch = max(session.begun_epoch, self.engine.started_epoch)
        await self._look_for_job(max(launched_epoch + LAUNCHER_SECONDS, self._unclear_until_epoch))
        if not (session.job_id or session.over):
            session.end(Ending.NOT_SUBMITTED, detail="Slurm did not answer at that moment. Start again.")
            self.owner.changed()

    async def _look_for_job(self, certain_epoch: float, patience_seconds: float = math.inf) -> None:
        """Look for the job, whose id got lost, in views until one is as late as this, and would show it."""
        session, watcher, since = self.session, self.owner.watcher, time.time()
        with watcher.somebody_waits():
            while watcher.asked_epoch < certain_epoch and time.time() < since + patience_seconds:
                if session.job_id or session.over:
                    return
                watcher.hurry()
                await self.owner.signal.wait(1)

    async def _reach(self) -> None:
        """Ask the server once, so that a closed network is named instead of a time-out later."""
        session = self.session
        connected_by = time.monotonic() + _REACH_SECONDS
        while session.phase is Phase.STARTING:
            try:
                await self._ask_server(self.owner.trust())
            except TimeoutError:
                self._check_patience()
            except CertificatesUnreadable as error:
                # It may be for a moment: too many files that are open.
                if time.monotonic() > connected_by:
                    self._end_without_certificates(error)
                    self.owner.changed()
                await asyncio.sleep(0.2)
            except OSError:
                if time.monotonic() > connected_by:
                    session.end(Ending.NODE_UNREACHABLE, hub_url=self.owner.hub_address)
                    self.owner.changed()
                await asyncio.sleep(0.2)
            else:
                session.become_ready()
                metrics.became_ready(session)
                self.owner.changed()

    async def _ask_server(self, trust: ssl.SSLContext | None) -> None:
        """Send a request and wait for the first line of any answer: JupyterHub's own check then succeeds at once.

        Raises:
            OSError: no connection, or one that ended without an answer.
            TimeoutError: a connection, and no answer yet; a cold file system makes a server slow.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(self.session.address, self.session.port)
        except TimeoutError as error:
            raise ConnectionError(f"no connection in {CONNECT_SECONDS} s") from error
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if trust is not None:
                    # The name that counts is the context's own.
                    await writer.start_tls(trust, server_hostname=self.session.address)
                writer.write(f"GET {self.owner.server.base_url}api HTTP/1.0\r\n\r\n".encode())
                if not (await reader.readline()).startswith(b"HTTP/"):
                    raise ConnectionError("no answer")
        finally:
            writer.close()

    async def learn_why_it_ends(self) -> None:
        """Ask often until Slurm says why the job ends, and end the session without a reason if it takes too long."""
        session = self.session
        # A hub that has just started has not heard of it yet, however long ago it was.
        deadline = max(session.ending_since_epoch, self.engine.started_epoch) + _ENDING_SECONDS
        with self.owner.watcher.somebody_waits():
            while not session.over and time.time() < deadline:
                self.owner.watcher.hurry()
                await self.owner.signal.wait(1)
        if not session.over:
            session.end_without_a_reason()
            self.owner.changed()

    def _check_patience(self) -> None:
        """End a session whose job runs but stays silent; the time in the queue does not count."""
        session, hears_epoch = self.session, self.engine.hears_epoch
        if not session.runs_since_epoch or session.over or hears_epoch is None:
            return
        cluster = self.engine.catalogue.site.clusters.get(session.request.cluster)
        if cluster is None:
            return
        # Measured from when this hub process could have heard it: no restart, of hub or database, may end a session.
        waited = time.time() - max(session.runs_since_epoch, hears_epoch)
        late = waited - cluster.contact_seconds
        # The crowd is counted last: each session that starts comes here four times a second.
        if not session.contacted and late > 0 and late > self._crowd_seconds():
            ending, facts = Ending.HUB_UNREACHABLE, {"hub_url": self.owner.hub_address}
        elif waited > cluster.start_seconds:
            ending, facts = Ending.SILENT_SERVER, {"seconds": cluster.start_seconds}
        else:
            return
        # Without a database nobody can tell whose word it is that comes; this may be the first to see it back.
        if self.engine.database.answers(self.owner.db) and self.engine.hears_epoch == hears_epoch:
            session.end(ending, **facts)
            self.owner.changed()

    def _crowd_seconds(self) -> int:
        """Give a room that starts at once more time: its jobs slow each other down, on one machine most of all."""
        sessions = [owner.session for owner in self.engine.sessions.values()]
        return sum(each is not None and each.phase is Phase.STARTING for each in sessions) - 1

    async def cancel_what_is_left(self) -> None:
        """Cancel the job of a session that we ended ourselves; Slurm refuses harmlessly if it is gone."""
        if self.session.job_id and self.session.ending in _OURS:
            with contextlib.suppress(LauncherError):
                await self.cancel_batch_job()

    async def query_job_status(self) -> JobStatus:
        """Say what is known of the job, from the snapshot alone."""
        session = self.session
        if session.over:
            return JobStatus.NOTFOUND
        if self.owner.watcher.view.silent_since_epoch is not None:
            return JobStatus.UNKNOWN
        return JobStatus.PENDING if session.phase in (Phase.SUBMITTED, Phase.QUEUED) else JobStatus.RUNNING

    async def poll(self) -> int | None:
        """Return None as long as the job is not known to be over; nothing is asked and unknown is not an end."""
        status = await self.query_job_status()
        return 0 if status is JobStatus.NOTFOUND else None

    async def stop(self, now: bool = False) -> None:
        """Cancel the job; where Slurm does not accept that now, the reconciler goes on trying."""
        session = self.session
        if session.over:
            return
        if self._submission is not None and not self._submission.done():
            await asyncio.wait([self._submission])
        session.stop_asked = True
        self.owner.changed()
        if not session.job_id:
            # The reconciler finds it later too.
            await self._look_for_job(time.time(), _STOP_SECONDS)
        session.end(await self._cancel_in_time() if session.job_id else Ending.STOPPED)
        self.owner.changed()

    async def _cancel_in_time(self) -> Ending:
        """Cancel the job and say how that ended; nobody waits long for a Slurm that is silent."""
        cancel = self.engine.keep(self._cancel(), f"cancelling {self.session.id}")
        await asyncio.wait([cancel], timeout=_STOP_SECONDS)
        return cancel.result() if cancel.done() else Ending.STOP_OWED

    async def _cancel(self) -> Ending:
        session = self.session
        try:
            await self.cancel_batch_job()
        except SubmitRefused as error:
            # Slurm has answered: there is nothing left to cancel.
            self.log.info("%s: job %s was not cancelled: %s", session.id, session.job_id, error)
        except LauncherError as error:
            self.log.warning("%s: the cancel of job %s is owed: %s", session.id, session.job_id, error)
            return Ending.STOP_OWED
        return Ending.STOPPED

    async def cancel_batch_job(self) -> None:
        """Cancel the job as its user."""
        request = self.session.request
        await self.engine.launcher.cancel(request.user, request.cluster, self.session.job_id)

    def get_state(self) -> dict[str, Any]:
        """Nothing: SiteSpawner stores the session."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing: the session comes from SiteSpawner."""

    def clear_state(self) -> None:
        """Nothing: the session is SiteSpawner's."""


_OURS = frozenset(
    {
        Ending.ACCESS_ENDED,
        Ending.BUDGET_SPENT,
        Ending.CERTIFICATES_UNREADABLE,
        Ending.ENCRYPTION_CHANGED,
        Ending.HUB_UNREACHABLE,
        Ending.NODE_UNREACHABLE,
        Ending.QOS_LIMIT,
        Ending.REQUEUED,
        Ending.SILENT_SERVER,
    }
)
"""Endings that the hub decides while the job may still wait or run."""
