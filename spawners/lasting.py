"""A server whose session outlives the hub: stored at each change, fed by views and reports, ended once.

Nothing here knows what may be started; that is :mod:`spawners.site`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import object_session
from traitlets import default
from wrapspawner import WrapSpawner

from hpchub import internal_tls, metrics, tls_client
from hpchub.audit import record
from hpchub.engine import Engine
from hpchub.errors import CertificatesUnreadable
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Report, Session
from hpchub.signal import Signal
from hpchub.slurm.model import ClusterView
from hpchub.slurm.watch import Watcher
from hpchub.text import Sentence
from spawners import aftermath
from spawners.errors import Refused
from spawners.slurm import HPCSlurmSpawner
from spawners.takeup import TakeUp

BACKENDS = {"slurm": HPCSlurmSpawner}
"""The spawner class of each kind of cluster; a cluster with another backend is one entry and one class."""


class LastingSpawner(WrapSpawner):  # type: ignore[misc]  # wrapspawner has no types
    """One server and its session.

    ``session`` is the current session, or the last one once that is over.  ``accepted`` is the last choice that was
    accepted, and ``recent`` what the start page keeps of that and those before it.  ``unreadable`` is a stored session
    of another version: it is kept as it is, and its job left alone.  ``gpu_percent`` is how busy the session's GPUs
    are, as its notebook said last; nobody stores that.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.session: Session | None = None
        self.accepted: dict[str, Any] | None = None
        self.recent: list[dict[str, Any]] = []
        self.unreadable: dict[str, Any] | None = None
        self.gpu_percent: int | None = None
        self.signal = Signal()
        self._stop_listening: Callable[[], None] = lambda: None
        self._take_up: TakeUp | None = None
        self._looked_into: Session | None = None
        self._leaving = False
        super().__init__(**kwargs)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.user.settings["hpchub"]
        return engine

    @property
    def watcher(self) -> Watcher:
        if self.session is None:
            raise RuntimeError("there is no session yet, and so no cluster to watch")
        return self.engine.watcher_of(self.session.request.cluster)

    @property
    def hub_address(self) -> str:
        """Where the server's job looks for the hub."""
        return str(self.hub_connect_url or self.engine.catalogue.site.hub.hub_url)

    @default("db")
    def _own_db_session(self) -> Any:
        return object_session(self.orm_spawner)

    # The session and its storage

    def begin(self, session: Session) -> None:
        """Make a session this server's own, and listen to its cluster."""
        self._forget()
        self.session = session
        self.gpu_percent = None
        self.engine.sessions[session.id] = self
        cluster = self.engine.catalogue.site.clusters.get(session.request.cluster)
        self.child_class = BACKENDS[cluster.backend if cluster else "slurm"]
        # Made when it is needed: after a restart a thousand at once would keep the hub from answering for seconds.
        self.child_spawner = None
        if not session.over:
            self._stop_listening = self.watcher.listen(self._on_view)
            if session.job_id:
                self.watcher.follow(session.job_id)

    def _forget(self) -> None:
        self._stop_listening()
        if self.session is not None:
            self.engine.sessions.pop(self.session.id, None)

    def delete_forever(self) -> None:
        """JupyterHub removes this server: nobody will ask for its last session any more."""
        self._forget()
        self.engine.storage.forget(self)

    def construct_child(self) -> HPCSlurmSpawner:
        self.child_config = {"owner": self}
        child: HPCSlurmSpawner = super().construct_child()
        return child

    def changed(self) -> None:
        """Store the session and tell everyone who waits for it; called after every change."""
        session = self.session
        if session is None:
            return
        if session.over:
            self._stop_listening()
            self.watcher.unfollow(session.job_id)
            self._look_into(session)
        elif session.job_id:
            self.watcher.follow(session.job_id)
        self.engine.storage.soon(self)
        self.signal.fire()

    def _look_into(self, session: Session) -> None:
        """Find out more about an end, once, and write it into the audit record."""
        if self._looked_into is session:
            return
        self._looked_into = session
        if aftermath.has_questions(session):
            self.engine.keep(self._find_out(session), f"looking into {session.id}")
        else:
            self._record_end(session)

    async def _find_out(self, session: Session) -> None:
        try:
            await aftermath.look_into(self, session)
        finally:
            self._record_end(session)

    def _record_end(self, session: Session) -> None:
        record.session_ended(self.event_log, session)
        metrics.ended(session)
        if self.session is session:
            self.engine.storage.soon(self)

    @property
    def event_log(self) -> Any:
        """The hub's event log."""
        return self.user.settings.get("eventlog")

    def let_the_next_in(self) -> None:
        """The start is on its way: whoever waits outside to start another server can come in."""
        place = getattr(self.handler, "place", None)
        if place is not None:
            place.leave()

    def get_state(self) -> dict[str, Any]:
        """Give all that must survive the hub: the session and the last accepted choice."""
        stored = self.session.as_dict() if self.session else self.unreadable
        return {
            **({"accepted": self.accepted} if self.accepted else {}),
            **({"recent": self.recent} if self.recent else {}),
            **({"session": stored} if stored else {}),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what was stored."""
        self.accepted = state.get("accepted")
        self.recent = list(state.get("recent", ()))
        stored = state.get("session")
        if not stored:
            return
        try:
            session = Session.from_dict(stored)
        except (ValueError, TypeError, KeyError) as error:
            self.log.error("%s: the stored session cannot be read, its job is left alone: %s", self._log_name, error)
            self.unreadable = stored
            self.engine.unreadable.add(str(stored.get("request", {}).get("session_id")))
            return
        self.begin(session)
        if self.orm_spawner.server is None:
            # JupyterHub has ended this server; the hub died before the session was stored as over.
            self._revoke(session)
        if session.over and not session.recorded:
            # likewise, before its end was written into the record
            self._record_end(session)

    def clear_state(self) -> None:
        """Keep the last session, which is over, for whoever asks what happened; forget the child."""
        self.child_spawner = None
        self.child_config = {}

    # News of the session

    def _on_view(self, view: ClusterView) -> None:
        """Take in a new snapshot of the cluster."""
        session = self.session
        if session is None or session.over:
            return
        was_ready = session.phase is Phase.READY
        job = session.mine_among(view)
        if job is not None and session.observe(job, view, self.hub_address):
            self._changed_from(was_ready, session)

    def report(self, report: Report) -> None:
        """Take in what the job itself says.

        Raises:
            ReportConflict: it contradicts what is known.
        """
        session = self.session
        if session is None:
            return
        was_ready = session.phase is Phase.READY
        if session.accept(report):
            self._changed_from(was_ready, session)

    def withdraw(self, sentence: str) -> None:
        """End the session of somebody who may no longer have one; their job is cancelled.

        Args:
            sentence: why, for them.
        """
        session = self.session
        if session is None or session.over:
            return
        was_ready = session.phase is Phase.READY
        session.end(Ending.ACCESS_ENDED, detail=sentence)
        self._changed_from(was_ready, session)

    def _changed_from(self, was_ready: bool, session: Session) -> None:
        self.changed()
        if was_ready and session.phase is not Phase.READY and self.server is not None and not self._stop_pending:
            self.engine.keep(self._see_it_off(), f"ending {session.id}")

    @property
    def pending(self) -> str | None:
        """What JupyterHub is doing with this server: one that is being seen off is stopping, whoever ended it.

        A server without a route that is called ready would be sent to and fro between hub and proxy.
        """
        pending: str | None = super().pending
        return pending or ("stop" if self._leaving else None)

    async def _see_it_off(self) -> None:
        """Remove the route at the first sign of the end: the node is shared, and the port may soon be another's."""
        self._leaving = True
        try:
            await self.user.settings["proxy"].delete_user(self.user, self.name)
            child = self.construct_child()
            await child.learn_why_it_ends()
            await child.cancel_what_is_left()
        finally:
            self._leaving = False
        await self._until_stored()
        if self.ready:
            await self.poll_and_notify()

    # The life of the server

    async def start(self) -> str:
        """Run the session that the choice began."""
        if self.session is not None:
            record.session_begun(self.event_log, self.session, record.actor(self.handler))
        try:
            return await self.construct_child().start()
        finally:
            await self._until_stored()

    async def _until_stored(self) -> None:
        """Wait for the database: JupyterHub writes next, and where it cannot, that server is stuck until a restart."""
        await self.engine.database.answered(self.db)

    async def poll(self) -> int | None:
        """Return None as long as the session is not known to be over."""
        if self.session is None:
            return 0 if self.unreadable is None else None
        if self._check_pending and self._take_up is None:
            self._take_up = TakeUp(self)
            status = await self._take_up.run()
            if status is not None:
                await self._until_stored()
            return status
        status = await self.construct_child().poll()
        # It is asked again; an end that JupyterHub cannot write down would leave the server neither here nor there.
        return status if status is None or self.engine.database.answers(self.db) else None

    async def stop(self, now: bool = False) -> None:
        """End the session.

        Raises:
            Refused: it was stored by another version, so that nobody here knows its job.
        """
        if self.unreadable is not None and self.session is None:
            says = Sentence("This session belongs to another version of the hub; its job goes on.")
            raise Refused(says, reason="version")
        if self.session is not None:
            await self.construct_child().stop(now)
            await self._until_stored()

    def run_post_stop_hook(self) -> Any:
        """Revoke the token at every end."""
        if self.session is not None:
            self._revoke(self.session)
        return super().run_post_stop_hook()

    def _revoke(self, session: Session) -> None:
        """End a session for good: its token goes by its id, since after a restart nobody knows the token itself."""
        if session.token_id == 0:
            return
        session.end(Ending.STOPPED)
        token = self.db.get(orm.APIToken, session.token_id)
        if token is not None and token.user is self.user.orm_user:
            self.db.delete(token)
        # SQLite gives a deleted row's id to a later one: it must not be used a second time.
        session.token_id = 0
        self.changed()

    async def get_url(self) -> str:
        """Give the server's address from the session, which knows it also where JupyterHub does not yet."""
        if self.session is None or not self.session.port:
            url: str = self.server.url
            return url
        # JupyterHub writes the scheme down when a start returns, and a restart of the hub takes such a start's place.
        self.server.proto = "https" if self.session.encrypted else "http"
        return f"{self.session.server_url}{self.server.base_url}"

    # Encryption between hub, proxy and notebook

    @property
    def server(self) -> Any:
        """The server's address; with internal TLS it is waited for by the name in its session's certificate."""
        server = WrapSpawner.server.fget(self)
        if server is not None and self.session is not None and self.session.encrypted:
            server.wait_up = partial(self._wait_up, server)
        return server

    @server.setter
    def server(self, server: Any) -> None:
        WrapSpawner.server.fset(self, server)

    def _wait_up(self, server: Any, ssl_context: Any = None, **how: Any) -> Any:
        return type(server).wait_up(server, ssl_context=self.trust(), **how)

    def trust(self) -> ssl.SSLContext | None:
        """Give what the hub connects to the session's server with; None where nothing is encrypted.

        Raises :class:`CertificatesUnreadable`.
        """
        if self.session is None or not self.session.encrypted:
            return None
        folder = self.engine.catalogue.site.hub.internal_tls_folder
        try:
            return tls_client.to_notebook(folder, internal_tls.name_of(self.session.id))
        except OSError as error:
            raise CertificatesUnreadable(str(error)) from error

    async def create_certs(self) -> dict[str, str]:
        """Give JupyterHub no paths: the job gets its certificate with its environment, and lays it where it runs."""
        return {}

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Nothing is moved: see :meth:`create_certs`."""
        return paths
