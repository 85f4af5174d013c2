"""The spawner that JupyterHub is configured with: one server of one person, on whatever cluster the choice names.

It owns what must hold for every backend: a choice is validated before anything starts, the session is stored at each
change, the token is revoked by its id at every end, and a session that was on its way when the hub died is taken up
again.  The cluster's backend decides which spawner class runs the job beneath it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from jupyterhub import orm
from pydantic import ValidationError
from sqlalchemy.orm import object_session
from traitlets import default
from wrapspawner import WrapSpawner

from hpchub.catalogue.choice import Accepted, accept, default_offer
from hpchub.catalogue.offers import Person, offers
from hpchub.catalogue.reasons import echo
from hpchub.engine import Engine
from hpchub.environments.build import environment_path
from hpchub.errors import ChoiceRefused
from hpchub.jobs.endings import Ending
from hpchub.jobs.request import JobRequest
from hpchub.jobs.session import Phase, Report, Session
from hpchub.slurm.model import ClusterView
from hpchub.slurm.watch import Watcher
from spawners import form, progress
from spawners.errors import Refused
from spawners.signal import Signal
from spawners.slurm import HPCSlurmSpawner

_OUTER_KEYS = frozenset({"user_options", "display_name"})
"""What a REST start may have around a choice."""

BACKENDS = {"slurm": HPCSlurmSpawner}
"""The spawner class of each kind of cluster; a cluster with another backend is one entry and one class."""


class SiteSpawner(WrapSpawner):  # type: ignore[misc]  # wrapspawner has no types
    """One server of one person.

    ``session`` is the server's current session, or its last one once that is over.  ``accepted`` is the last choice
    that was accepted: the default of the next start.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.session: Session | None = None
        self.accepted: dict[str, Any] | None = None
        self.signal = Signal()
        self._stop_listening: Callable[[], None] = lambda: None
        self._taken_up = False
        super().__init__(**kwargs)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.user.settings["hpchub"]
        return engine

    @property
    def watcher(self) -> Watcher:
        if self.session is None:
            raise RuntimeError("there is no session yet, and so no cluster to watch")
        return self.engine.watchers[self.session.request.cluster]

    @property
    def person(self) -> Person:
        return Person(self.user.name, frozenset(group.name for group in self.user.orm_user.groups))

    @property
    def hub_address(self) -> str:
        """Where the server's job looks for the hub."""
        return str(self.hub_connect_url or self.engine.catalogue.site.hub.hub_url)

    @default("db")
    def _own_db_session(self) -> Any:
        return object_session(self.orm_spawner)

    # What a person may start

    async def get_options_form(self) -> str:
        """Draw the spawn page's form from the person's offers."""
        await self.engine.first_views()
        catalogue, views = self.engine.catalogue, self.engine.views
        mine = offers(catalogue, self.person, views)
        message = ""
        if not mine:
            try:
                default_offer(catalogue, self.person, views)
            except ChoiceRefused as refusal:
                message = str(refusal)
        return form.form_html(catalogue, mine, "en", last=self.accepted, preset=self._preset(), message=message)

    def _preset(self) -> dict[str, str]:
        """Take from a link what should be selected on the page; a link never starts anything."""
        arguments = self.handler.request.query_arguments if self.handler else {}
        return {key: arguments[key][-1].decode(errors="replace") for key in form.FIELDS if arguments.get(key)}

    def run_options_from_form(self, form_data: Mapping[str, list[str]]) -> dict[str, Any] | Refused:
        """Read the form; what it says is judged like any other choice, when the server starts.

        A refusal is returned and not raised: JupyterHub would log it with a traceback.  SpawnPageHandler raises it.
        """
        try:
            return form.choice_from_form(form_data)
        except ChoiceRefused as refusal:
            return Refused(str(refusal), reason="choice")

    async def _run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """Validate the choice, whichever way it came, and make the job request of it.

        This overrides a method of JupyterHub's that is not public, because the public hook logs a refusal with a
        traceback; a test notices if JupyterHub stops calling it.
        """
        await self.engine.first_views()
        try:
            self._check_outer_keys()
            accepted = self._accept(user_options)
            self._check_session_limit()
            request = self._request(accepted)
        except ChoiceRefused as refusal:
            # JupyterHub has stored the options already: a refused choice must not become the next default.
            self.orm_spawner.user_options = self.accepted or {}
            self.db.commit()
            raise Refused(str(refusal), reason="choice") from None
        self.accepted = accepted.as_user_options()
        self.user_options = self.orm_spawner.user_options = self.accepted
        token = orm.APIToken.find(self.db, self.api_token)
        self._begin(Session(request=request, token_id=token.id, begun_epoch=time.time()))
        self._store()

    def _accept(self, asked: Mapping[str, Any]) -> Accepted:
        catalogue, views = self.engine.catalogue, self.engine.views
        if asked:
            try:
                return accept(dict(asked), catalogue, self.person, views)
            except ChoiceRefused:
                if not (self._nothing_was_asked() and asked == self.accepted):
                    raise
        return default_offer(catalogue, self.person, views)

    def _check_outer_keys(self) -> None:
        """Refuse what JupyterHub would leave out without a word: fields beside ``user_options``."""
        if not hasattr(self.handler, "get_server_json_body"):
            return
        keys = set(self.handler.get_json_body() or {})
        foreign = keys - _OUTER_KEYS if keys & _OUTER_KEYS else set()
        if foreign:
            raise ChoiceRefused(
                f"{echo(min(foreign))} means nothing beside {' and '.join(sorted(keys & _OUTER_KEYS))}. "
                "Possible there: user_options, display_name; a choice belongs inside user_options."
            )

    def _nothing_was_asked(self) -> bool:
        """Tell a start without a choice from one that asks for the stored choice: only REST knows the difference."""
        body = getattr(self.handler, "get_server_json_body", None)
        return body is not None and body()["user_options"] is None

    def _check_session_limit(self) -> None:
        limit = self.engine.catalogue.site.session_limit
        others = [spawner for spawner in self.user.spawners.values() if spawner.active and spawner is not self]
        if len(others) >= limit:
            names = ", ".join(sorted(spawner.name or "the default server" for spawner in others))
            raise ChoiceRefused(f"You have {len(others)} sessions, and {limit} is the most. Stop one first: {names}.")

    def _request(self, accepted: Accepted) -> JobRequest:
        site, offer = self.engine.catalogue.site, accepted.offer
        target = site.clusters[offer.cluster].software_target
        build = environment_path(site.environments_root, offer.environment, target)
        if site.environments_root.is_dir() and not (build / "bin" / "python").exists():
            raise ChoiceRefused(
                f"The environment {offer.environment} of {offer.profile} is not built for {offer.cluster}: "
                f"there is no {build}. Choose another profile, or tell the people who run this service."
            )
        try:
            return JobRequest(
                session_id=secrets.token_hex(16),
                hub_id=site.hub_id,
                user=self.user.name,
                server_name=self.name,
                profile=offer.profile,
                cluster=offer.cluster,
                partition=offer.partition,
                account=offer.allocation,
                qos=offer.qos,
                gpus=offer.gpus,
                gpu_type=offer.gpu_type,
                cores=offer.cores,
                memory_mb=offer.memory_mb,
                minutes=accepted.minutes,
                # The build itself and not the link to the current one: a session keeps what it started with.
                environment=os.path.realpath(build),
            )
        except ValidationError as error:
            field = ".".join(map(str, error.errors()[0]["loc"]))
            raise ChoiceRefused(f"This choice cannot be written into a job: {field} is not of a safe form.") from None

    # The session and its storage

    def _begin(self, session: Session) -> None:
        """Make a session this server's own: store it and listen to its cluster."""
        if self.session is not None:
            self.engine.sessions.pop(self.session.id, None)
        self.session = session
        self.engine.sessions[session.id] = self
        self.child_class = BACKENDS[self.engine.catalogue.site.clusters[session.request.cluster].backend]
        self.child_config = {"owner": self}
        self.construct_child()
        if not session.over:
            self._stop_listening()
            self._stop_listening = self.watcher.listen(self._on_view)
            if session.job_id:
                self.watcher.follow(session.job_id)

    def _store(self) -> None:
        self.orm_spawner.state = self.get_state()
        self.db.commit()

    def changed(self) -> None:
        """Store the session and tell everyone who waits for it; called after every change."""
        session = self.session
        if session is None:
            return
        if session.over:
            self._stop_listening()
            self.watcher.unfollow(session.job_id)
        elif session.job_id:
            self.watcher.follow(session.job_id)
        self._store()
        self.signal.fire()

    def _on_view(self, view: ClusterView) -> None:
        """Take in a new snapshot of the cluster."""
        session = self.session
        if session is None or session.over:
            return
        was_ready = session.phase is Phase.READY
        job = session.mine_among(view)
        if job is not None and session.observe(job, view, self.hub_address):
            self.changed()
            if was_ready and session.phase is not Phase.READY:
                self._server_is_gone()

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
            self.changed()
            if was_ready and session.phase is not Phase.READY:
                self._server_is_gone()

    def _server_is_gone(self) -> None:
        if self.ready:
            asyncio.ensure_future(self._see_it_off()).add_done_callback(self._log_failure)

    async def _see_it_off(self) -> None:
        """Remove the route at the first sign of the end: the node is shared, and the port may soon be another's."""
        await self.user.settings["proxy"].delete_user(self.user, self.name)
        await self.construct_child().learn_why_it_ends()
        if self.ready:
            await self.poll_and_notify()

    def _log_failure(self, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and done.exception() is not None:
            self.log.error("%s: %s", self._log_name, done.exception())

    def job_environment(self) -> dict[str, str]:
        """Give the job's environment: JupyterHub's own variables and what the bootstrap needs."""
        session = self.session
        if session is None:
            raise RuntimeError("there is no session to make an environment for")
        cluster = self.engine.catalogue.site.clusters[session.request.cluster]
        return {
            **{key: str(value) for key, value in self.get_env().items()},
            "HPCHUB_SESSION": session.id,
            "HPCHUB_ADDRESS": cluster.notebook_address,
        }

    def get_state(self) -> dict[str, Any]:
        """Give all that must survive the hub: the session and the last accepted choice."""
        state: dict[str, Any] = {}
        if self.accepted:
            state["accepted"] = self.accepted
        if self.session:
            state["session"] = self.session.as_dict()
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what was stored; an old or foreign session is logged and left."""
        self.accepted = state.get("accepted")
        stored = state.get("session")
        if stored:
            try:
                session = Session.from_dict(stored)
                if self.orm_spawner.server is None:
                    # JupyterHub has ended this server; the hub died before the session was stored as over.
                    session.end(Ending.STOPPED)
                self._begin(session)
            except (ValueError, TypeError, KeyError) as error:
                self.log.error("%s: the stored session cannot be read: %s", self._log_name, error)

    def clear_state(self) -> None:
        """Keep the last session, which is over, for whoever asks what happened; forget the child."""
        self.child_spawner = None
        self.child_config = {}

    # The life of the server

    def start(self) -> Any:
        """Run the session that the choice began."""
        return self.construct_child().start()

    def construct_child(self) -> HPCSlurmSpawner:
        if self.session is not None:
            self.child_config = {"owner": self}
        child: HPCSlurmSpawner = super().construct_child()
        return child

    async def poll(self) -> int | None:
        """Return None as long as the session is not known to be over."""
        if self.session is None:
            return 0
        if self._check_pending and not self._taken_up:
            self._taken_up = True
            return await self._take_up_again()
        status: int | None = await self.construct_child().poll()
        return status

    async def stop(self, now: bool = False) -> None:
        """End the session; it is over once its cluster has accepted that."""
        if self.session is not None:
            await self.construct_child().stop(now)

    def run_post_stop_hook(self) -> Any:
        """Revoke the token at every end, by its id: after a restart of the hub nobody knows the token itself."""
        session = self.session
        if session is not None and session.token_id:
            session.end(Ending.STOPPED)
            token = self.db.get(orm.APIToken, session.token_id)
            if token is not None and token.user is self.user.orm_user:
                self.db.delete(token)
            # SQLite gives a deleted row's id to a later one: it must not be used a second time.
            session.token_id = 0
            self.changed()
        return super().run_post_stop_hook()

    async def _take_up_again(self) -> int | None:
        """After a restart of the hub: a running server needs nothing, one on its way is waited for again.

        JupyterHub would leave such a server in "pending: check", where it can be neither stopped nor watched; so it is
        shown as what it is, a start under way.  JupyterHub's own route for it is added by us, because it looks for
        routes before this server is ready.
        """
        session = self.session
        if session is None or session.over:
            return 0
        if session.phase is Phase.READY:
            return None
        if session.phase is Phase.ENDING:
            await self.construct_child().learn_why_it_ends()
            return 0
        self._spawn_pending = True
        waiting = asyncio.ensure_future(self._resume())
        self._spawn_future: asyncio.Future[str] | None = waiting
        waiting.add_done_callback(self._resumed)
        await asyncio.wait([waiting])
        if waiting.cancelled():
            # Somebody pressed Stop; JupyterHub is about to call stop().
            while not session.over:
                await self.signal.wait(1)
            return 1
        if waiting.exception() is not None:
            return 1
        asyncio.ensure_future(self._add_route()).add_done_callback(self._log_failure)
        return None

    async def _resume(self) -> str:
        session = self.session
        if session is not None and not session.job_id:
            await self._find_lost_job(session)
        return await self.construct_child().until_ready()

    async def _find_lost_job(self, session: Session) -> None:
        """The hub died between the submission and its answer: a fresh view has the job, or it was never submitted."""
        since = time.time()
        with self.watcher.somebody_waits():
            while not session.job_id and self.watcher.asked_epoch < since + 2:
                await self.signal.wait(1)
        if not session.job_id:
            session.end(Ending.NOT_SUBMITTED, detail="the hub was restarted at that moment. Start again.")
            self.changed()

    def _resumed(self, waiting: asyncio.Future[Any]) -> None:
        self._spawn_pending = False
        if waiting.cancelled():
            self._check_pending = False
        if waiting.cancelled() or waiting.exception() is None:
            # JupyterHub asks a finished start for its exception, and keeps none that was cancelled either.
            self._spawn_future = None

    async def _add_route(self) -> None:
        while self._check_pending:  # noqa: ASYNC110 - JupyterHub has a flag here, and no event
            await asyncio.sleep(0.05)
        if self.ready:
            await self.user.settings["proxy"].add_user(self.user, self.name)

    async def get_url(self) -> str:
        """Give the server's address from the session, which knows it also where JupyterHub does not yet."""
        session, child = self.session, self.construct_child()
        if session is None or not session.port:
            url: str = self.server.url
            return url
        return f"{child.address()}{self.server.base_url}"

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Refuse JupyterHub's internal TLS: the certificates would have to reach the node, and cannot yet."""
        raise Refused("Encryption inside (internal_ssl) is not possible with this spawner.", reason="internal-ssl")

    @property
    def news(self) -> dict[str, Any]:
        """What a waiting person reads at this moment: the waiting page without JavaScript shows it."""
        return progress.event(self.session, self.engine.views)

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """Tell a waiting person what happens; valid before there is a session."""
        said = None
        while True:
            event = self.news
            if event != said:
                said = event
                yield event
            if self.session is not None and (self.session.over or self.session.phase is Phase.READY):
                return
            await self.signal.wait(1)
