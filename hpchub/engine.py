"""What the parts of one hub share: the site, its catalogue, a watcher a cluster, the launcher, the live sessions.

JupyterHub's settings carry it (``settings["hpchub"]``), so that spawners and handlers find it without globals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from hpchub.admission import Admission
from hpchub.budgets import BudgetKeeper
from hpchub.catalogue.limits import Held
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.reload import CatalogueKeeper
from hpchub.catalogue.rules import Person
from hpchub.catalogue.seats import Pool
from hpchub.catalogue.site import Watching
from hpchub.clusters import client_of, login_nodes, open_clusters, watching_of
from hpchub.database import Database
from hpchub.environments.own import Registry, with_own
from hpchub.errors import LauncherError
from hpchub.events import EventKeeper
from hpchub.helping import Helping
from hpchub.jobs.estimates import Estimates
from hpchub.jobs.expected import expected, slurm_could_tell
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.request import JobRequest
from hpchub.jobs.session import Report, Session
from hpchub.notebooks import Notebooks
from hpchub.reconcile import Reconciler
from hpchub.signin.seats import Seats
from hpchub.slurm.model import ClusterView, Job
from hpchub.slurm.watch import Watcher
from hpchub.storage import Storage

log = logging.getLogger(__name__)

T = TypeVar("T")


class SessionOwner(Protocol):
    """Who holds a session: the spawner of its server."""

    name: str
    user: Any
    session: Session | None
    gpu_percent: int | None

    def report(self, report: Report) -> None: ...

    def withdraw(self, sentence: str) -> None: ...


class WithEngine:
    """To be put before a handler of JupyterHub's in the bases of a class: it finds the engine in the settings."""

    settings: Any

    @property
    def engine(self) -> Engine:
        """What all handlers of this hub share."""
        engine: Engine = self.settings["hpchub"]
        return engine


class Engine:
    """Shared by all spawners and handlers of one hub process."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.keeper = CatalogueKeeper(catalogue, changed=lambda _: self._watch_open_clusters())
        site = catalogue.site
        self._login_nodes = login_nodes(site)
        self.launcher = Launcher(site.launcher.way, site.launcher.timeout_seconds, self._login_nodes)
        self.own = Registry(site.hub.own_environments_folder)
        self.notebooks = Notebooks()
        self.events = EventKeeper(site.hub.events_file, self.notebooks.tell)
        self.seats = Seats(
            site.hub.state_folder / "seats.json", lambda: self.events.events, Pool(lambda: self.catalogue.site)
        )
        self.budgets = BudgetKeeper(
            lambda: self.catalogue.site,
            lambda cluster: self.watcher_of(cluster).client,
            self.launcher,
            lambda: {owner.user.name for owner in self.sessions.values() if owner.session and not owner.session.over},
        )
        self.admission = Admission()
        self.storage = Storage()
        self.database = Database()
        self.estimates = Estimates(self.launcher)
        self.watchers: dict[str, Watcher] = {}
        self.sessions: dict[str, SessionOwner] = {}
        """By session id, as long as a server is not gone for good; ended ones stay until the next start."""
        self.unreadable: set[str] = set()
        """Ids of stored sessions that this version cannot read: their jobs are left alone."""
        self.started_epoch = time.time()
        self.encrypts = site.hub.internal_tls
        """Whether this process speaks TLS with its jobs; what a later site file says needs a restart."""
        self.listens_epoch: float | None = None
        """Since when this hub listens; None before, which takes seconds, and more on a busy machine."""
        self._reconciler = Reconciler(catalogue.site.hub_id)
        self._tasks: set[asyncio.Task[Any]] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        """Stay one: traitlets copies every configured value, and the settings are one of them."""
        return self

    @property
    def hears_epoch(self) -> float | None:
        """Since when jobs can tell this hub something; None where they cannot yet."""
        return None if self.listens_epoch is None else max(self.listens_epoch, self.database.back_epoch)

    @property
    def catalogue(self) -> Catalogue:
        """What is in service now: the files as they were when they were last right."""
        return self.keeper.catalogue

    def catalogue_of(self, user: str) -> Catalogue:
        """What is in service for one person: with the environments that they brought."""
        return with_own(self.catalogue, self.own.of(user))

    def person(self, name: str, groups: Iterable[str]) -> Person:
        """Give what is known of somebody who asks now."""
        groups = frozenset(groups)
        budgets, events = self.budgets.of(name), self.events.of(name, groups)
        return Person(name, groups, budgets=budgets, events=events, held=self._held_by(name))

    def owners_of_sessions(self) -> list[SessionOwner]:
        """Give who has a session that is not over."""
        return [owner for owner in self.sessions.values() if owner.session and not owner.session.over]

    def _held_by(self, name: str) -> tuple[Held, ...]:
        """Give the jobs of somebody's sessions; the snapshot would still have one that was stopped a second ago."""
        requests = [
            (owner.name, owner.session.request)
            for owner in self.sessions.values()
            if owner.user.name == name and owner.session and not owner.session.over
        ]
        return tuple(Held(server, each.cluster, each.partition, each.account, each.qos) for server, each in requests)

    @property
    def views(self) -> Mapping[str, ClusterView]:
        """What every cluster said last."""
        return {name: watcher.view for name, watcher in self.watchers.items()}

    async def first_views(self, seconds: float = 10) -> None:
        """Wait until every cluster has told everything once; in the hub's first seconds only."""
        left = self.started_epoch + seconds - time.time()
        if left > 0:
            await asyncio.gather(*(watcher.first_view(left) for watcher in self.watchers.values()))

    def start(self) -> None:
        """Begin to watch the open clusters and the files of the catalogue, in the running event loop."""
        self._watch_open_clusters()
        self.keep(self._note_when_it_listens(), "waiting until the hub listens")
        self.keep(self.keeper.run(), "watching the catalogue")
        self.keep(self.budgets.run(), "keeping budgets")
        self.keep(Helping(self.notebooks.tell).run(lambda: self.events.events, self.sessions), "keeping who is let in")

    async def _note_when_it_listens(self) -> None:
        from jupyterhub.app import JupyterHub  # where this runs it is loaded, and the engine is used elsewhere, too

        while not (JupyterHub.initialized() and JupyterHub.instance().http_server):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.1)
        self.listens_epoch = time.time()
        from hpchub.signin.shut_out import Rounds

        self.keep(Rounds(self, JupyterHub.instance()).run(), "looking at seats")

    def _watch_open_clusters(self) -> None:
        for name in open_clusters(self.catalogue.site):
            self.watcher_of(name)

    def watcher_of(self, cluster: str) -> Watcher:
        """Give the watcher of a cluster, also of one that is closed by now and still runs a session."""
        if cluster not in self.watchers:
            watcher = self.watchers[cluster] = self._new_watcher(cluster)
            self.keep(watcher.run(), f"watching {cluster}")
            watcher.listen(self._on_view)
        return self.watchers[cluster]

    def watching(self, cluster: str) -> Watching:
        """How often a cluster is asked."""
        return watching_of(self.catalogue.site, cluster)

    def _new_watcher(self, cluster: str) -> Watcher:
        return Watcher(client_of(self.catalogue.site, cluster, self._login_nodes), self.watching(cluster))

    def wonder(self, request: JobRequest) -> None:
        """Note that somebody looks at a choice: have Slurm asked in the background when it would start.

        Only where it would have to wait, and no oftener than a cluster may be asked; :func:`expected` tells what came
        of it when the page looks again.
        """
        watcher = self.watchers.get(request.cluster)
        if watcher is None:
            return
        watcher.somebody_looks()
        now = time.time()
        if not slurm_could_tell(expected(request, watcher.view, self.estimates, now)):
            return
        a_minute = self.watching(request.cluster).estimates_a_minute
        due = self.estimates.due(request, a_minute, now, looks=True)
        if due is not None:
            self.keep(self.estimates.ask(due), f"estimating {due.session_id}")

    def _on_view(self, view: ClusterView) -> None:
        self.storage.retry()
        live = {session_id for session_id, owner in self.sessions.items() if owner.session and not owner.session.over}
        for job in self._reconciler.due(view.cluster, view.jobs.values(), live | self.unreadable, time.time()):
            log.warning("cancelling job %s of %s on %s: no session owns it", job.job_id, job.user, view.cluster)
            self.keep(self._cancel(view.cluster, job), f"cancelling {job.job_id}")

    async def _cancel(self, cluster: str, job: Job) -> None:
        try:
            await self.launcher.cancel(job.user, cluster, job.job_id)
        except LauncherError as error:
            log.warning("job %s of %s on %s was not cancelled: %s", job.job_id, job.user, cluster, error)

    def keep(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run something to its end, whoever stops waiting for it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A bug of ours: without its watcher a hub would show old figures for ever, so say it as loud as can be.
            log.critical("%s has failed", task.get_name(), exc_info=task.exception())
