"""What the parts of one hub share: the site, its catalogue, a watcher a cluster, the launcher, the live sessions.

JupyterHub's settings carry it (``settings["hpchub"]``), so that spawners and handlers find it without globals.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.reload import CatalogueKeeper
from hpchub.catalogue.site import Watching
from hpchub.clusters import client_of, login_nodes, open_clusters
from hpchub.errors import LauncherError
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.session import Report, Session
from hpchub.reconcile import Reconciler
from hpchub.slurm.model import ClusterView, Job
from hpchub.slurm.watch import Beat, Watcher

log = logging.getLogger(__name__)

T = TypeVar("T")


class SessionOwner(Protocol):
    """Who holds a session: the spawner of its server."""

    name: str
    user: Any
    session: Session | None

    def report(self, report: Report) -> None: ...


class Engine:
    """Shared by all spawners and handlers of one hub process."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.keeper = CatalogueKeeper(catalogue, changed=lambda _: self._watch_open_clusters())
        site = catalogue.site
        self._login_nodes = login_nodes(site)
        self.launcher = Launcher(site.launcher.door, site.launcher.timeout_seconds, self._login_nodes)
        self.watchers: dict[str, Watcher] = {}
        self.sessions: dict[str, SessionOwner] = {}
        """By session id, as long as a server is not gone for good; ended ones stay until the next start."""
        self.unreadable: set[str] = set()
        """Ids of stored sessions that this version cannot read: their jobs are left alone."""
        self.started_epoch = time.time()
        self._reconciler = Reconciler(catalogue.site.hub_id)
        self._tasks: set[asyncio.Task[Any]] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        """Stay one: traitlets copies every configured value, and the settings are one of them."""
        return self

    @property
    def catalogue(self) -> Catalogue:
        """What is in service now: the files as they were when they were last right."""
        return self.keeper.catalogue

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
        self.keep(self.keeper.run(), "watching the catalogue")

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

    def _new_watcher(self, cluster: str) -> Watcher:
        known = self.catalogue.site.clusters.get(cluster)
        watching = known.watching if known else Watching()
        client = client_of(self.catalogue.site, cluster, self._login_nodes)
        beat = Beat(
            busy=watching.busy_seconds,
            idle=watching.idle_seconds,
            queue=watching.queue_seconds,
            nodes=watching.nodes_seconds,
            accounts=watching.accounts_seconds,
            retry=watching.retry_seconds,
        )
        return Watcher(client, beat)

    def _on_view(self, view: ClusterView) -> None:
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
