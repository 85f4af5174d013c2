"""When a waiting job might start, where the scheduler's plan does not say: asked of Slurm, seldom, and not waited for.

The plan comes with the snapshot and costs nothing; an estimate is asked for (:mod:`hpchub.jobs.estimates`).
"""

from __future__ import annotations

import time
from typing import Any

from hpchub.jobs.session import Phase, Session
from hpchub.jobs.waiting import planned_start
from hpchub.slurm.reasons import competes

PLAN_SECONDS = 10
"""How long a job waits before the first estimate: most have started or are planned by then."""


def consider(owner: Any) -> None:
    """Take in what is known of a waiting job's start, and have Slurm asked if it is time and could help.

    Called again and again while the session waits.

    Args:
        owner: the :class:`~spawners.lasting.LastingSpawner` that holds the session.
    """
    session: Session = owner.session
    if session.phase is not Phase.QUEUED:
        return
    engine, now = owner.engine, time.time()
    told = engine.estimates.told(session.request)
    if told != session.estimate_epoch:
        session.estimate_epoch = told
        owner.signal.fire()
    # A hub that has just started reads the plan first, too.
    queued_epoch = max(session.reached.get(Phase.QUEUED, 0), engine.started_epoch)
    view = owner.watcher.view
    if now < queued_epoch + PLAN_SECONDS or view.silent_since_epoch is not None:
        return
    if competes(session.reason) and planned_start(session, view) is None:
        due = engine.estimates.due(session.request, engine.watching(session.request.cluster).estimates_a_minute, now)
        if due is not None:
            engine.keep(engine.estimates.ask(due), f"estimating {due.session_id}")
