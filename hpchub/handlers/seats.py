"""``/hub/api/hpchub/cards`` and ``/hub/api/hpchub/seats``: what the console asks of temporary seats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import maybe_future
from tornado import web

from hpchub.audit import record as audit
from hpchub.audit.handlers import Acting
from hpchub.catalogue.seats import pool_of
from hpchub.catalogue.site import Site
from hpchub.clusters import open_clusters
from hpchub.engine import WithEngine
from hpchub.errors import LauncherError, SubmitUnclear
from hpchub.handlers.servers import stop_server
from hpchub.signin import record
from hpchub.signin.seats import SeatsUnreadable
from hpchub.signin.shut_out import shut_out, tokens_of_servers
from hpchub.slurm.model import ClusterView, JobState


class CardsHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """Which accounts were taken by a card, by which and when, and are not handed over."""

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        taken = self.engine.seats.not_handed_over()
        self.finish({"taken": {account: asdict(each) for account, each in taken.items()}})


class HandOverHandler(Acting, WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """Leaves nothing of who had a seat, so that another event may lend its account."""

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def post(self, account: str) -> None:
        """End and empty it; what stands in the way is named, and it can be asked again."""
        site, seats = self.engine.catalogue.site, self.engine.seats
        if account not in pool_of(site) and seats.taken(account) is None:
            raise web.HTTPError(404, f"{account} is not in the site's pool of seats.")
        seat = seats.lent(account)
        if seat is not None:
            raise web.HTTPError(409, f"{account} is lent to {seat.event.slug}.")
        user = self.find_user(account)
        if user is not None:
            await self._end(user)
        jobs = jobs_of(account, self.engine.views.values())
        if jobs:
            raise web.HTTPError(409, f"{account} still has jobs: {', '.join(jobs)}.")
        if site.console is not None and site.console.seats_after == "wipe":
            await self._wipe(account)
        try:
            seats.hand_over(account)
        except SeatsUnreadable as error:
            raise web.HTTPError(503, f"Which seats are taken cannot be kept: {error}") from None
        record.write(self.eventlog, "seat-handed-over", username=account, by=audit.actor(self))
        self.set_status(204)

    async def _end(self, user: Any) -> None:
        """End whatever an account has here, and forget what was chosen, brought, named or shared in it."""
        # first of all, so that nobody starts anew what is being stopped
        shut_out(user, tokens_of_servers(user, ()))
        for spawner in list(user.spawners.values()):
            if spawner.active or spawner.pending:
                await stop_server(self, user, spawner)
            if spawner.active or spawner.pending:
                raise web.HTTPError(409, f"A server of {user.name} is still stopping.")
        shut_out(user)
        for name in list(user.orm_spawners):
            spawner = user.spawners[name]
            await maybe_future(user._delete_spawner(spawner))
            self.db.delete(spawner.orm_spawner)
            user.spawners.pop(name, None)
        for shared in (*user.shares, *user.share_codes, *user.shared_with_me):
            self.db.delete(shared)
        user.sync_groups([])
        await user.save_auth_state(None)
        self.db.commit()
        sessions = self.engine.sessions
        for session_id in [each for each, owner in sessions.items() if owner.user.name == user.name]:
            # the next person would read what the last one had
            del sessions[session_id]
        for brought in self.engine.own.of(user.name):
            self.engine.own.remove(user.name, brought.name)

    async def _wipe(self, account: str) -> None:
        for cluster in clusters_with_homes(self.engine.catalogue.site):
            try:
                await self.engine.launcher.wipe(account, cluster)
            except SubmitUnclear as error:
                # no 503, which the console would take for the hub's silence
                raise web.HTTPError(409, f"Nobody knows whether the home of {account} is clean: {error}") from None
            except LauncherError as error:
                raise web.HTTPError(409, f"The home of {account} is not clean: {error}") from None


def clusters_with_homes(site: Site) -> list[str]:
    """Name a cluster for each place with homes: each that is behind a login node, and one for all others together."""
    names = open_clusters(site)
    here = [name for name in names if site.clusters[name].ssh is None]
    return [*here[:1], *(name for name in names if site.clusters[name].ssh is not None)]


def jobs_of(account: str, views: Iterable[ClusterView]) -> list[str]:
    """Name the jobs of an account that wait or run, as far as the hub has heard."""
    return [
        f"{job.job_id} on {view.cluster}"
        for view in views
        for job in view.jobs.values()
        if job.user == account and job.state in (JobState.PENDING, JobState.RUNNING)
    ]
