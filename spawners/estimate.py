"""When a waiting job might start, where the scheduler's plan does not say: asked of Slurm, seldom, and not waited for.

The plan comes with the snapshot and costs nothing; an estimate is a process, and has slurmctld try the whole queue.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from hpchub.errors import LauncherError
from hpchub.jobs import script
from hpchub.jobs.session import Phase, Session
from hpchub.jobs.waiting import planned_start
from hpchub.slurm.reasons import competes

log = logging.getLogger(__name__)

PLAN_SECONDS = 10
"""How long a job waits before the first estimate: most have started or are planned by then."""
AGAIN_SECONDS = 60
"""Between two estimates for a session: a queue changes slowly, and each costs a process."""


class Estimate:
    """The expected start of one server's waiting job.

    Args:
        owner: the :class:`~spawners.lasting.LastingSpawner` that holds the session.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._asked_epoch = 0.0
        self._asking = False

    def consider(self) -> None:
        """Have Slurm asked if it is time and could help; called again and again while the session waits."""
        session: Session = self._owner.session
        if self._asking or session.phase is not Phase.QUEUED:
            return
        # A hub that has just started reads the plan first, too.
        queued_epoch = max(session.reached.get(Phase.QUEUED, 0), self._owner.engine.started_epoch)
        if time.time() < max(queued_epoch + PLAN_SECONDS, self._asked_epoch + AGAIN_SECONDS):
            return
        view = self._owner.watcher.view
        if view.silent_since_epoch is None and competes(session.reason) and planned_start(session, view) is None:
            self._asked_epoch, self._asking = time.time(), True
            self._owner.engine.keep(self._ask(session), f"estimating {session.id}")

    async def _ask(self, session: Session) -> None:
        request = session.request
        try:
            start_epoch = await self._owner.engine.launcher.expected_start(
                request.user, request.cluster, session.id, script.render(request)
            )
        except LauncherError as error:
            log.info("%s: no expected start: %s", session.id, error)
            start_epoch = None
        finally:
            self._asking = False
        session.estimate_epoch = start_epoch or 0
        self._owner.signal.fire()
