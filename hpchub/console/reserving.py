"""Makes the reservations of events that take place, and removes them when these are over.

Only where the site has ``hpchub-reserve``, and only those whose names begin with its prefix: another name is that of a
reservation which administrators of Slurm make, and the event waits until it is there.  The record of an event says what
was asked for, refused and made, in that order, so that a console that was killed in between neither makes a second one
nor forgets to remove the first.  What nobody knows of a request is found out from the reservation itself: one with
another account, partition or time is somebody else's, and is never changed or removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence

from hpchub.console.changing import moment
from hpchub.console.hub import ReservedTold
from hpchub.console.plans import Event, Plan, State
from hpchub.console.prolonging import PROLONG_ASKED, PROLONGED, jobs_of, pending
from hpchub.console.reservation import Wanted, can_be_made
from hpchub.console.reserver import Made, Reserver
from hpchub.console.verbs import Verbs
from hpchub.errors import ReservationRefused, ReservationUnclear, ReserverError
from hpchub.text import SOURCE_LANGUAGE

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
"""After a refusal: nodes that are busy now may be free then, and each try asks slurmctld four times."""
SEEN_SECONDS = 120
"""How long it may take until the hub's snapshot shows what was changed (``accounts_seconds``)."""
QUIET_SECONDS = 60
"""How long nothing is asked about an event whose reservation is as it should be."""
_DAY_SECONDS = 86400
_ASKED, _MADE, _EXTENDED = "reservation-asked", "reservation-made", "reservation-extended"
_CHANGED, _REMOVED = "reservation-changed", "reservation-removed"
_REFUSED, _UNCLEAR = "reservation-refused", "reservation-unclear"
_NOT_PROLONGED = "prolong-refused"
DECISIVE = (_ASKED, _MADE, _EXTENDED, _CHANGED, _REMOVED, _REFUSED, _UNCLEAR, PROLONG_ASKED, PROLONGED)
"""Lines of a record that decide what is done next, however long the record is."""
_BY = "console"
_NOT_ANY_MORE = (State.OVER, State.REFUSED)
"""An event that was approved, changed and then refused may have a reservation, too."""


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
        self._quiet_until: dict[tuple[str, Plan], float] = {}
        self._troubles: dict[str, str] = {}
        self._removed: set[str] = set()

    async def keep(self) -> None:
        """Make one round.  Raises what the hub and the database raise."""
        settings = self._verbs.catalogue.site.reservations
        if settings is None:
            return
        reserver = self._reserver or Reserver(settings)
        events = await asyncio.to_thread(self._verbs.store.all)
        for event in filter(self._is_due, events):
            record = await asyncio.to_thread(self._verbs.store.record, event.slug, DECISIVE)
            acts = [act.verb for act in record]
            try:
                if event.state(self._verbs.clock()) not in _NOT_ANY_MORE:
                    await self._have(event, reserver, acts)
                    await self._prolong(event, reserver, pending((act.verb, act.detail) for act in record))
                elif _REMOVED in acts or not (_MADE in acts or _nobody_knows(acts)) or self._is_shared(event, events):
                    self._removed.add(event.slug)
                elif event.cleared_epoch is not None or event.state(self._verbs.clock()) is State.REFUSED:
                    # As long as a job runs in it Slurm would refuse.
                    await self._remove(event, reserver, acts)
            except ReserverError as error:
                await self._failed(event, error, acts)

    def _is_due(self, event: Event) -> bool:
        now_epoch, plan = self._verbs.clock(), event.plan
        ended_epoch, state = event.closed_epoch or plan.ends_epoch, event.state(now_epoch)
        not_before = self._not_before.get(event.slug, 0)
        if state not in _NOT_ANY_MORE:
            not_before = max(not_before, self._quiet_until.get((event.slug, plan), 0))
        return (
            plan.reservation is not None
            and can_be_made(self._verbs.catalogue.site, plan.cluster, plan.reservation)
            and state in (State.PLANNED, State.OPEN, *_NOT_ANY_MORE)
            and event.slug not in self._removed
            and now_epoch < ended_epoch + _DAY_SECONDS
            and now_epoch >= not_before
        )

    def _is_shared(self, event: Event, events: Collection[Event]) -> bool:
        """Tell whether an event that is not over has the same reservation: it must not lose it."""
        now_epoch, place = self._verbs.clock(), (event.plan.cluster, event.plan.reservation)
        return any(
            (other.plan.cluster, other.plan.reservation) == place
            and other.state(now_epoch) in (State.PLANNED, State.OPEN)
            for other in events
        )

    async def _have(self, event: Event, reserver: Reserver, acts: Sequence[str]) -> None:
        """Make the reservation of an event, or change it with the event."""
        wanted, there, alike = await self._verbs.hub.reservation(event.for_capacity())
        if there is None and wanted is not None and _MADE not in acts:
            await self._make(event, reserver, wanted, acts)
        elif there is not None and _nobody_knows(acts):
            await self._settle(event, alike)
        elif there is not None and _MADE in acts and (changes := self._lacks(event, wanted, there)):
            now = await reserver.change(event.plan.cluster, str(event.plan.reservation), changes)
            await self._note(event, _EXTENDED if list(changes) == ["ends_epoch"] else _CHANGED, _in_words(now))
            # Of this plan: what is changed once more meanwhile does not wait.
            self._quiet_until[event.slug, event.plan] = self._verbs.clock() + SEEN_SECONDS
        else:
            self._quiet_until[event.slug, event.plan] = self._verbs.clock() + QUIET_SECONDS

    def _lacks(self, event: Event, wanted: Wanted | None, there: ReservedTold) -> Mapping[str, int | None]:
        """Give what of an event's own reservation has to be another; what has begun only grows."""
        has_begun = event.state(self._verbs.clock()) is State.OPEN
        changes: dict[str, int | None] = {}
        if wanted is not None:
            if there.nodes < wanted.nodes or (there.nodes > wanted.nodes and not has_begun):
                changes["nodes"] = wanted.nodes
            if not has_begun and wanted.starts_epoch not in (None, there.starts_epoch):
                changes["starts_epoch"] = wanted.starts_epoch
        ends_epoch = event.plan.ends_epoch
        if there.ends_epoch < ends_epoch or (there.ends_epoch > ends_epoch and not has_begun):
            changes["ends_epoch"] = ends_epoch
        return changes

    async def _prolong(self, event: Event, reserver: Reserver, ended_epoch: int | None) -> None:
        """Let the notebooks that would have ended with an event at a time last as long as it does now."""
        if ended_epoch is None:
            return
        place = (event.plan.cluster, str(event.plan.reservation))
        jobs = jobs_of(event, await self._verbs.hub.sessions(event.slug, SOURCE_LANGUAGE), ended_epoch)
        try:
            longer = await reserver.prolong(*place, event.plan.ends_epoch, jobs) if jobs else []
        except ReserverError as error:
            # To ask again does no harm: what lasts as long already stays as it is.  It ends with these jobs.
            self._not_before[event.slug] = self._verbs.clock() + RETRY_SECONDS
            self._quiet_until.pop((event.slug, event.plan), None)
            if self._troubles.get(event.slug) != str(error):
                self._troubles[event.slug] = str(error)
                log.warning("event %s: its notebooks last no longer yet, and it is tried again: %s", event.slug, error)
            if not isinstance(error, ReservationUnclear):
                await self._note(event, _NOT_PROLONGED, str(error))
            return
        await self._note(event, PROLONGED, f"{len(longer)} of {len(jobs)}")

    async def _make(self, event: Event, reserver: Reserver, wanted: Wanted, acts: Sequence[str]) -> None:
        # Before each try: whatever becomes of this console meanwhile, the record says that one may have succeeded.
        await self._note(event, _ASKED, wanted.name)
        try:
            there = await reserver.create(wanted)
        except ReserverError as error:
            if not (_nobody_knows(acts) and str(error).endswith("already")):
                raise
            # Perhaps by an earlier request, and the hub has not seen it yet.
            self._not_before[event.slug] = self._verbs.clock() + RETRY_SECONDS
        else:
            await self._note(event, _MADE, f"{there.name}: {there.nodes}")

    async def _settle(self, event: Event, alike: bool) -> bool:
        """Decide whether the reservation that is there is the one that was asked for; tell what was decided."""
        name = str(event.plan.reservation)
        if alike:
            await self._note(event, _MADE, name)
        else:
            await self._note(event, _REFUSED, f"there is another reservation {name}")
        return alike

    async def _remove(self, event: Event, reserver: Reserver, acts: Sequence[str]) -> None:
        if _nobody_knows(acts):
            _, there, alike = await self._verbs.hub.reservation(event.for_capacity())
            if there is None or not await self._settle(event, alike):
                self._not_before[event.slug] = self._verbs.clock() + SEEN_SECONDS
                return
        await reserver.delete(event.plan.cluster, str(event.plan.reservation))
        await self._note(event, _REMOVED, str(event.plan.reservation))

    async def _failed(self, event: Event, error: ReserverError, acts: Sequence[str]) -> None:
        self._not_before[event.slug] = self._verbs.clock() + RETRY_SECONDS
        if self._troubles.get(event.slug) != str(error):
            # The same trouble every half a minute is said once.
            self._troubles[event.slug] = str(error)
            log.warning("the reservation of event %s, and it is tried again: %s", event.slug, error)
        # Slurm refuses a name that there is; whoever else refuses has not looked what became of an earlier request.
        unclear = isinstance(error, ReservationUnclear) or (
            _nobody_knows(acts) and not isinstance(error, ReservationRefused)
        )
        await self._note(event, _UNCLEAR if unclear else _REFUSED, str(error))

    async def _note(self, event: Event, verb: str, detail: str) -> None:
        """Write a line at the end of the record; of the same try with the same trouble there is one, the last."""
        now_epoch, again = int(self._verbs.clock()), verb in (_ASKED, _REFUSED, _UNCLEAR, _NOT_PROLONGED)
        await asyncio.to_thread(self._verbs.store.note, event.slug, _BY, now_epoch, verb, detail, again=again)


def _nobody_knows(acts: Sequence[str]) -> bool:
    """Tell from an event's record whether a request may have been carried out whose answer nobody has."""
    if _MADE in acts or _ASKED not in acts:
        return False
    last = {verb: place for place, verb in enumerate(acts)}
    return last[_ASKED] > last.get(_REFUSED, -1)


def was_reserved(acts: Collection[str]) -> bool:
    """Tell from an event's record whether a reservation was made for it, or may have been, and is still there."""
    return _REMOVED not in acts and (_MADE in acts or _ASKED in acts)


def _in_words(there: Made) -> str:
    return f"{there.name}: {there.nodes}, {moment(there.starts_epoch)} to {moment(there.ends_epoch)}"
