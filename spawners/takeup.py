"""After a restart of the hub: a session that was on its way is waited for again, one that ended meanwhile is ended.

JupyterHub asks each server once whether it runs (``poll`` while its check is pending).  It would leave a server that
does not run yet in "pending: check", where it can be neither stopped nor watched; so it is shown as what it is, a start
under way.  JupyterHub looks for routes before such a server is ready, so its route is added here.

It would also stop a running server that does not answer within ``http_timeout``.  A notebook that hangs for a while,
with its file system, is not over as long as Slurm runs its job, so it is left alone, and can be stopped by its user.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Session

NEWS_SECONDS = 10
"""How long a running session waits for news of its job; a cluster that stays silent does not end it."""
ANSWER_SECONDS = 10
"""How long a running server is shown as being checked before it is left to its user, answer or not."""
NEVER_SECONDS = 30 * 24 * 3600


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
        if session.phase is Phase.SUBMITTED and not session.handed_over:
            session.end(Ending.NOT_SUBMITTED, detail="The hub was restarted at that moment. Start again.")
            self._spawner.changed()
        elif session.stop_asked:
            await self._spawner.construct_child().stop()
        if not session.over and session.encrypted != self._spawner.engine.encrypts:
            await self._end_unreachable(session)
        if session.phase is Phase.READY:
            await self._hear_of(session)
        if session.phase is Phase.ENDING:
            await self._spawner.construct_child().learn_why_it_ends()
        if session.over:
            return 0
        if session.phase is Phase.READY:
            self._spawner.engine.keep(self._leave_alone(), f"check of {session.id}")
            return None
        return await self._wait_again(session)

    async def _end_unreachable(self, session: Session) -> None:
        """End a session that speaks otherwise than hub and proxy do by now, and would only be charged for."""
        session.end(Ending.ENCRYPTION_CHANGED)
        self._spawner.changed()
        await self._spawner.construct_child().cancel_what_is_left()

    async def _leave_alone(self) -> None:
        """Keep JupyterHub's check from stopping a server that does not answer now."""
        spawner, deadline = self._spawner, time.monotonic() + ANSWER_SECONDS
        usual, spawner.http_timeout = spawner.http_timeout, NEVER_SECONDS
        while spawner._check_pending and time.monotonic() < deadline:  # noqa: ASYNC110 - see _add_route
            await asyncio.sleep(0.05)
        # JupyterHub has read the time limit by now, for as long as it goes on asking.
        spawner.http_timeout = usual
        if spawner._check_pending:
            spawner.log.warning("%s runs and does not answer; it is left as it is", spawner._log_name)
            spawner._check_pending = False

    async def _hear_of(self, session: Session) -> None:
        """Wait for news of the job: it may have ended, and its port be another's, while no hub was there."""
        watcher, deadline = self._spawner.watcher, time.time() + NEWS_SECONDS
        with watcher.somebody_waits():
            while session.phase is Phase.READY and time.time() < deadline and not watcher.has_news_of(session.job_id):
                watcher.hurry()
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
