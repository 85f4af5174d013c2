"""Makes the reservations of events that take place, and removes them when these are over.

Only where the site has ``hpchub-reserve``, and only those whose names begin with its prefix: another name is that of a
reservation which administrators of Slurm make, and the event waits until it is there.  The record of an event says what
was asked for and made, so that a console that was killed in between neither makes a second one nor forgets to remove
the first, and never removes one that somebody else has made under such a name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from hpchub.console.plans import Event, State
from hpchub.console.reservation import Wanted, can_be_made
from hpchub.console.reserver import Reserver
from hpchub.console.verbs import Verbs
from hpchub.errors import ReservationUnclear, ReserverError

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
"""After a refusal: nodes that are busy now may be free then, and each try asks slurmctld four times."""
SEEN_SECONDS = 120
"""How long it may take until the hub's snapshot shows what was changed (``accounts_seconds``)."""
_DAY_SECONDS = 86400
_ASKED, _MADE, _EXTENDED = "reservation-asked", "reservation-made", "reservation-extended"
_REMOVED, _REFUSED, _UNCLEAR = "reservation-removed", "reservation-refused", "reservation-unclear"
_BY = "console"


class Reservations:
    """Keeps the reservations in step with the events.

    Args:
        verbs: gives events, hub and site.
        reserver: makes them; by default behind the door of the site file.
    """

    def __init__(self, verbs: Verbs, reserver: Reserver | None = None) -> None:
        self._verbs = verbs
        self._reserver = reserver
        self._not_before: dict[str, float] = {}
        self._troubles: dict[str, str] = {}
        self._removed: set[str] = set()

    async def keep(self) -> None:
        """Make one round.  Raises what the hub and the database raise."""
        settings = self._verbs.catalogue.site.reservations
        if settings is None:
            return
        reserver = self._reserver or Reserver(settings)
        for event in await asyncio.to_thread(self._verbs.store.all):
            if self._is_due(event):
                try:
                    await self._keep(event, reserver)
                except ReserverError as error:
                    await self._failed(event, error)

    def _is_due(self, event: Event) -> bool:
        now_epoch, plan = self._verbs.clock(), event.plan
        ended_epoch = event.closed_epoch or plan.ends_epoch
        return (
            plan.reservation is not None
            and can_be_made(self._verbs.catalogue.site, plan.cluster, plan.reservation)
            and event.state(now_epoch) in (State.PLANNED, State.OPEN, State.OVER)
            and event.slug not in self._removed
            and now_epoch < ended_epoch + _DAY_SECONDS
            and now_epoch >= self._not_before.get(event.slug, 0)
        )

    async def _keep(self, event: Event, reserver: Reserver) -> None:
        done = {act.verb for act in await asyncio.to_thread(self._verbs.store.record, event.slug)}
        if event.state(self._verbs.clock()) is not State.OVER:
            await self._have(event, reserver, done)
        elif not _is_ours(done) or _REMOVED in done:
            self._removed.add(event.slug)
        elif event.cleared_epoch is not None:
            # As long as a job runs in it Slurm would refuse.
            await reserver.delete(event.plan.cluster, str(event.plan.reservation))
            await self._note(event, _REMOVED, str(event.plan.reservation))

    async def _have(self, event: Event, reserver: Reserver, done: Collection[str]) -> None:
        """Make the reservation of an event, or let it end later with the event."""
        wanted, ends_epoch = await self._verbs.hub.reservation(event.for_capacity())
        if ends_epoch is None:
            if _MADE not in done and wanted is not None:
                await self._make(event, reserver, wanted, done)
        elif _is_ours(done) and ends_epoch < event.plan.ends_epoch:
            await reserver.extend(event.plan.cluster, str(event.plan.reservation), event.plan.ends_epoch)
            await self._note(event, _EXTENDED, str(event.plan.reservation))
            self._not_before[event.slug] = self._verbs.clock() + SEEN_SECONDS

    async def _make(self, event: Event, reserver: Reserver, wanted: Wanted, done: Collection[str]) -> None:
        if _ASKED not in done:
            await self._note(event, _ASKED, wanted.name)
        try:
            there = await reserver.create(wanted)
        except ReserverError as error:
            # It was made before this console was killed, and the hub has not seen it yet.
            if not (_is_ours(done) and str(error).endswith("already")):
                raise
            await self._note(event, _MADE, wanted.name)
        else:
            await self._note(event, _MADE, f"{there.name}: {there.nodes}")

    async def _failed(self, event: Event, error: ReserverError) -> None:
        self._not_before[event.slug] = self._verbs.clock() + RETRY_SECONDS
        if self._troubles.get(event.slug) != str(error):
            # The same trouble every half a minute is said once.
            self._troubles[event.slug] = str(error)
            log.warning("the reservation of event %s, and it is tried again: %s", event.slug, error)
            await self._note(event, _UNCLEAR if isinstance(error, ReservationUnclear) else _REFUSED, str(error))

    async def _note(self, event: Event, verb: str, detail: str) -> None:
        now_epoch = int(self._verbs.clock())
        await asyncio.to_thread(self._verbs.store.note, event.slug, _BY, now_epoch, verb, detail)


def _is_ours(done: Collection[str]) -> bool:
    """Tell from an event's record whether a reservation of that name is the one that this console made."""
    return _MADE in done or (_ASKED in done and _REFUSED not in done)
