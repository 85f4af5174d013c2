"""What Slurm accounted of the sessions of events: asked of the hub after they ended, and kept.

The hub sees a job start and end some seconds after Slurm; a report has what the accounting has, as soon as it has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from hpchub.console.hub import AccountedTold, HubRefused, HubSilent
from hpchub.console.model import SessionRow
from hpchub.console.verbs import Verbs

log = logging.getLogger(__name__)

QUIET_SECONDS = 30
"""So long after it was last seen a session that did not end before our eyes is asked about."""
AGAIN_SECONDS = 30
"""How long a cluster is left alone whose accounting did not know everything yet."""
GIVE_UP_SECONDS = 30 * 24 * 3600
"""What the accounting does not know after so long it has forgotten."""
AT_ONCE = 200
"""Jobs in one question."""


class Accounts:
    """Asks what is not known yet, cluster by cluster.

    Args:
        verbs: give memory, hub and clock.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._not_before: dict[str, float] = {}

    async def keep(self) -> None:
        """Make one round; a cluster that does not answer is asked again later."""
        now_epoch = self._verbs.clock()
        open_ones = await asyncio.to_thread(_unknown, self._verbs.store.sessions, now_epoch)
        for cluster, jobs in open_ones.items():
            if now_epoch < self._not_before.get(cluster, 0):
                continue
            self._not_before[cluster] = now_epoch + AGAIN_SECONDS
            try:
                told = await self._verbs.hub.accounted(cluster, jobs[:AT_ONCE])
            except (HubSilent, HubRefused) as error:
                log.warning("what Slurm on %s accounted is not known yet: %s", cluster, error)
                continue
            await asyncio.to_thread(_keep, self._verbs.store.sessions, cluster, told)
            if len(told) == len(jobs[:AT_ONCE]):
                self._not_before.pop(cluster)


def _unknown(sessions: sessionmaker[Session], now_epoch: float) -> dict[str, list[str]]:
    """Give the jobs by cluster that have ended, or were not seen for a while, and are not accounted yet."""
    with sessions() as session:
        rows = session.execute(
            select(SessionRow.cluster, SessionRow.job_id)
            .where(
                SessionRow.accounted_seconds.is_(None),
                SessionRow.job_id != "",
                SessionRow.ending.is_not(None) | (SessionRow.until_epoch < now_epoch - QUIET_SECONDS),
                SessionRow.until_epoch > now_epoch - GIVE_UP_SECONDS,
            )
            # What has come last is known soonest, and what is never told does not keep others out.
            .order_by(SessionRow.until_epoch.desc())
        )
        found: dict[str, list[str]] = {}
        for cluster, job_id in rows:
            found.setdefault(cluster, []).append(job_id)
        return found


def _keep(sessions: sessionmaker[Session], cluster: str, told: Mapping[str, AccountedTold]) -> None:
    with sessions.begin() as session:
        for job_id, each in told.items():
            session.execute(
                update(SessionRow)
                .where(SessionRow.cluster == cluster, SessionRow.job_id == job_id)
                .values(
                    accounted_seconds=each.seconds,
                    accounted_gpus=each.gpus,
                    accounted_core_hours=each.core_hours,
                )
            )
