"""After a restart of the hub: a session that was on its way is waited for again, one that ended meanwhile is ended.

JupyterHub asks each server once whether it runs (``poll`` while its check is pending).  It would leave a server that
does not run yet in "pending: check", where it can be neither stopped nor watched; so it is shown as what it is, a start
under way.  JupyterHub looks for routes before such a server is ready, so its route is added here.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hpchub.jobs.session import Phase, Session

NEWS_SECONDS = 10
"""How long a running session waits for news of its job; a cluster that stays silent does not end it."""


class TakeUp:
    """The first look at one server after a restart.

    Args:
        spawner: the :class:`~spawners.lasting.LastingSpawner` of the server.
    """

    def __init__(self, spawner: Any) -> None:
        self._spawner = spawner

    async def run(self) -> int | None:
        """Return None once the server runs, or a status if it is over."""
        session: Session = self._spawner.session
        if session.phase is Phase.READY:
            await self._hear_of(session)
        if session.phase is Phase.ENDING:
            await self._spawner.construct_child().learn_why_it_ends()
        if session.over:
            return 0
        if session.phase is Phase.READY:
            return None
        return await self._wait_again(session)

    async def _hear_of(self, session: Session) -> None:
        """Wait for news of the job: it may have ended, and its port be another's, while no hub was there."""
        watcher, deadline = self._spawner.watcher, time.time() + NEWS_SECONDS
        with watcher.somebody_waits():
            while session.phase is Phase.READY and time.time() < deadline and not watcher.has_news_of(session.job_id):
                await self._spawner.signal.wait(0.1)

    async def _wait_again(self, session: Session) -> int | None:
        spawner = self._spawner
        waiting = asyncio.ensure_future(spawner.construct_child().until_ready())
        spawner._spawn_pending, spawner._spawn_future = True, waiting
        waiting.add_done_callback(self._arrived)
        await asyncio.wait([waiting])
        if waiting.cancelled():
            # Somebody pressed Stop; JupyterHub is about to call stop().
            while not session.over:
                await spawner.signal.wait(1)
            return 1
        if waiting.exception() is not None:
            return 1
        spawner.engine.keep(self._add_route(), f"route of {session.id}")
        return None

    def _arrived(self, waiting: asyncio.Future[Any]) -> None:
        spawner = self._spawner
        spawner._spawn_pending = False
        if waiting.cancelled():
            spawner._check_pending = False
        if waiting.cancelled() or waiting.exception() is None:
            # JupyterHub asks a finished start for its exception, and keeps none that was cancelled either.
            spawner._spawn_future = None

    async def _add_route(self) -> None:
        spawner = self._spawner
        while spawner._check_pending:  # noqa: ASYNC110 - JupyterHub has a flag here, and no event
            await asyncio.sleep(0.05)
        if spawner.ready:
            await spawner.user.settings["proxy"].add_user(spawner.user, spawner.name)
