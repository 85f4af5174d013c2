"""Tries one seat of an event for real: starts it, measures how long it takes, and stops it again.

Each step is in the database before the next one begins, and rounds carry it on: a console that is killed in between
neither forgets a notebook nor starts a second one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from hpchub.catalogue.event import MINUTE_SECONDS
from hpchub.console.changing import CHANGED_MEANWHILE
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.model import EventRow
from hpchub.console.people import Caller
from hpchub.console.plans import Event, State
from hpchub.console.rehearsal import Rehearsal, Step, Trouble
from hpchub.console.room import SessionTold
from hpchub.console.store import NotNow, must_be
from hpchub.console.verbs import NotAllowed, Verbs
from hpchub.text import Sentence

log = logging.getLogger(__name__)
_DAY_SECONDS = 86400
_MARGIN_SECONDS = 60
"""So much less than its time its session gets: for its way to the hub, which refuses one that lasts longer."""


class Rehearsals:
    """The rehearsals of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    async def begin(self, caller: Caller, slug: str, language: str) -> Event:
        """Begin to try a seat of an event of the caller's, in their own account; a round carries it on.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        if not caller.person or caller.name not in event.trainers:
            raise NotAllowed(Sentence("Only a trainer of the event rehearses it: it runs in their own account."))
        if any(each.event == slug and not each.stopped for each in await self._verbs.hub.servers(caller.name)):
            raise NotNow(Sentence("You have a notebook of this event already. Stop it first: a rehearsal starts one."))
        _, reserved, _ = await self._verbs.hub.reservation(event.for_capacity())
        told = await self._verbs.hub.sessions(slug, language)
        now_epoch = int(self._verbs.clock())
        wanted = Rehearsal(
            by=caller.name,
            language=language,
            asked_epoch=now_epoch,
            until_epoch=now_epoch + self._verbs.settings.rehearsal_minutes * MINUTE_SECONDS,
            earlier=tuple(each.id for each in told if each.user == caller.name),
            in_reservation=reserved is not None and reserved.starts_epoch <= now_epoch < reserved.ends_epoch,
        )

        def change(row: EventRow, before: Event) -> None:
            must_be(before, now_epoch, State.PLANNED, State.OPEN)
            if before.rehearsal is not None and before.rehearsal.under_way:
                raise NotNow(Sentence("A rehearsal is under way already."))
            row.rehearsal = wanted.model_dump(mode="json")

        begun = await asyncio.to_thread(self._verbs.store.change, slug, caller.name, now_epoch, "rehearse", change)
        await self._verbs.push()
        return begun

    async def keep(self) -> None:
        """Make one round.  Raises what the hub and the database raise."""
        recent = await asyncio.to_thread(self._verbs.store.ending_after, self._verbs.clock() - _DAY_SECONDS)
        for event in recent:
            if event.rehearsal is not None and event.rehearsal.under_way:
                await self._carry_on(event, event.rehearsal)

    async def _carry_on(self, event: Event, rehearsal: Rehearsal) -> None:
        if rehearsal.step is Step.STOPPING:
            await self._remembered(event, rehearsal)
            if not await self._verbs.stop_servers(rehearsal.by, event.slug):
                log.info("event %s was rehearsed by %s: ready %s", event.slug, rehearsal.by, rehearsal.ready)
                await self._save(event, rehearsal.changed(step=Step.DONE))
            return
        if event.state(self._verbs.clock()) not in (State.PLANNED, State.OPEN):
            await self._save(event, rehearsal.failed(Trouble.CALLED_OFF))
        elif rehearsal.step is Step.ASKED:
            await self._start(event, rehearsal)
        else:
            seen = rehearsal.seen(await self._remembered(event, rehearsal), self._verbs.clock())
            if seen.step is not rehearsal.step:
                await self._save(event, seen)

    async def _start(self, event: Event, rehearsal: Rehearsal) -> None:
        def choice() -> Mapping[str, str | int]:
            left = int(rehearsal.until_epoch - self._verbs.clock() - _MARGIN_SECONDS) // MINUTE_SECONDS
            return {**event.choice(self._verbs.clock(), rehearsal.by), "minutes": max(left, 1)}

        try:
            await self._verbs.push()
            await self._verbs.hub.start(rehearsal.by, event.slug, choice, rehearsal.language)
        except HubRefused as refusal:
            await self._save(event, rehearsal.failed(Trouble.REFUSED, str(refusal)))
        except HubSilent:
            if self._verbs.clock() < rehearsal.until_epoch:
                raise
            await self._save(event, rehearsal.failed(Trouble.UNSEEN))
        else:
            await self._save(event, rehearsal.changed(step=Step.STARTED))

    async def _remembered(self, event: Event, rehearsal: Rehearsal) -> SessionTold | None:
        """Give the session of a rehearsal, and keep it for the event's report."""
        told = await self._verbs.hub.sessions(event.slug, rehearsal.language)
        mine = [each for each in told if each.user == rehearsal.by and each.id not in rehearsal.earlier]
        await asyncio.to_thread(self._verbs.store.remember, event.slug, mine, self._verbs.clock())
        return max(mine, key=lambda each: each.begun_epoch, default=None)

    async def _save(self, event: Event, rehearsal: Rehearsal) -> None:
        try:
            await asyncio.to_thread(self._write, event, rehearsal)
        except NotNow:
            log.info("event %s was changed while it was rehearsed", event.slug)

    def _write(self, event: Event, rehearsal: Rehearsal) -> None:
        """Remember a rehearsal, unless a change of the event has called it off: the next round begins with that."""

        def change(row: EventRow, _: Event) -> None:
            if row.rehearsal is None or Rehearsal.model_validate(row.rehearsal) != event.rehearsal:
                raise NotNow(CHANGED_MEANWHILE)
            row.rehearsal = rehearsal.model_dump(mode="json")

        if not rehearsal.under_way:
            detail = rehearsal.trouble or f"ready after {rehearsal.ready_seconds} s"
            self._verbs.store.change(event.slug, rehearsal.by, int(self._verbs.clock()), "rehearsed", change, detail)
            return
        with self._verbs.store.sessions.begin() as session:
            change(session.get_one(EventRow, event.slug, with_for_update=True), event)
