"""Temporary seats: what a trainer does with their cards, an administrator with the pool, and the console by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.seats import pool_of
from hpchub.console.answers import HUB_SILENT
from hpchub.console.cards import Card
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.lending import PoolSeat, SeatUse, pool_now, use_of, when_of
from hpchub.console.people import Caller
from hpchub.console.plans import Event, Lent, State
from hpchub.console.seat_store import BY
from hpchub.console.store import NotNow
from hpchub.console.verbs import NotAllowed, Verbs
from hpchub.text import Sentence

log = logging.getLogger(__name__)
RETRY_SECONDS = 15
"""After a seat could not be handed over."""
PATIENCE_SECONDS = 180
"""For so long that is no trouble: the hub's snapshot may still have a job that was stopped just now."""


class Seats:
    """The temporary seats of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._not_before: dict[tuple[str, str], float] = {}
        self._refused_since: dict[tuple[str, str], float] = {}

    # Trainers

    async def cards(self, caller: Caller, slug: str) -> list[Card]:
        """Give the cards of an event; its record says that they were shown."""
        await self._of_trainer(caller, slug)
        return await asyncio.to_thread(self._verbs.seats.cards, slug, caller.name, self._now())

    async def new_cards(self, caller: Caller, slug: str, account: str | None = None) -> None:
        """Make a new card for a seat of an event, or for all; the old ones open nothing any more.

        Who took the seat by the old one is signed out when somebody uses the new one.
        """
        await self._of_trainer(caller, slug)
        accounts = None if account is None else [account]
        await asyncio.to_thread(self._verbs.seats.new_cards, slug, accounts, caller.name, self._now())
        await self._verbs.push()

    async def _of_trainer(self, caller: Caller, slug: str) -> Event:
        event = await self._verbs.show(caller, slug)
        if caller.name not in event.trainers:
            # Whoever has a card has its seat: that is for those who hand them out.
            raise NotAllowed(Sentence("Only the trainers of an event see its cards."))
        if not any(each.returned_epoch is None for each in event.lent):
            raise NotNow(Sentence("This event has no temporary seats now."))
        return event

    # Administrators

    async def pool(self, caller: Caller) -> list[PoolSeat]:
        """Give all accounts of the site's pool, with who has them."""
        if not caller.admin:
            raise NotAllowed(Sentence("Only administrators see the pool of temporary seats."))
        lending = await asyncio.to_thread(self._verbs.store.lending)
        started = await asyncio.to_thread(self._verbs.seats.started)
        site, files_days = self._verbs.catalogue.site, self._verbs.settings.seat_files_days
        return pool_now(pool_of(site), lending, self._verbs.clock(), files_days, started)

    async def hand_over(self, caller: Caller, account: str) -> PoolSeat:
        """Let other events have a seat whose time is over; where the site says so, the hub wipes it first.

        Raises :class:`~hpchub.console.hub.HubRefused`, :class:`~hpchub.console.hub.HubSilent`.
        """
        seat = next((each for each in await self.pool(caller) if each.account == account), None)
        if seat is None:
            raise NotNow(Sentence("{name} is no temporary seat of this site.", name=account))
        if seat.use in (SeatUse.LENT, SeatUse.KEPT) and seat.until_epoch is not None:
            raise NotNow(
                Sentence(
                    "{name} is a seat of the event {title}, and its files stay until {when}.",
                    name=account,
                    title=seat.title,
                    when=when_of(seat.until_epoch, zone_of(self._verbs.catalogue.site.timezone)),
                )
            )
        # The hub hands over nothing that it was told to be lent.
        await self._verbs.push()
        # What is free here may be somebody's there: of an event that another console, or this one once, had.
        if seat.event or account in await self._verbs.hub.taken():
            await self._verbs.hub.hand_over(account)
        if seat.event:
            await asyncio.to_thread(self._verbs.seats.give_back, seat.event, [account], caller.name, self._now())
        return PoolSeat(account, SeatUse.FREE)

    # By itself

    async def keep(self) -> None:
        """Make one round: give back what no event needs any more.  Raises what the hub and the database raise."""
        files_days, now_epoch = self._verbs.settings.seat_files_days, self._verbs.clock()
        started = await asyncio.to_thread(self._verbs.seats.started)
        for event in await asyncio.to_thread(self._verbs.store.lending):
            if event.state(now_epoch) is not State.OVER or event.cleared_epoch is None:
                continue  # what still runs is stopped first
            held = {
                each: use_of(event, each, now_epoch, files_days, started=(event.slug, each.account) in started)
                for each in event.lent
                if each.returned_epoch is None
            }
            unused = [
                each.account
                for each, use in held.items()
                if use is SeatUse.DUE and each.used_epoch is None and (event.slug, each.account) not in started
            ]
            waiting = await self._give_back(event, unused) if unused else set()
            due = [
                each
                for each, use in held.items()
                if use is SeatUse.DUE
                and (each.account not in unused or each.account in waiting)
                and now_epoch >= self._not_before.get((event.slug, each.account), 0)
            ]
            if due and self._verbs.settings.seats_after == "wipe":
                # The hub hands over nothing that it was told to be lent.
                await self._verbs.push()
                for each in due:
                    await self._handed_over(event, each)

    async def _give_back(self, event: Event, unused: Sequence[str]) -> set[str]:
        """Give back seats that nobody took, as far as the console knows; name those that have to be handed over first.

        Of another event's the hub may still have somebody there.  Who came to this one in its last second is known
        with the next push, and keeps the files.
        """
        # After it the hub lets nobody in by a card of this event.
        await self._verbs.push()
        taken = await self._verbs.hub.taken()
        free = [account for account in unused if account not in taken]
        await asyncio.to_thread(self._verbs.seats.give_back, event.slug, free, BY, self._now())
        return {account for account in unused if account in taken and not taken[account].is_of(event.slug)}

    async def _handed_over(self, event: Event, seat: Lent) -> None:
        key = (event.slug, seat.account)
        try:
            await self._verbs.hub.hand_over(seat.account)
        except (HubRefused, HubSilent) as refusal:
            since_epoch = self._refused_since.setdefault(key, self._verbs.clock())
            self._not_before[key] = self._verbs.clock() + RETRY_SECONDS
            if self._verbs.clock() - since_epoch < PATIENCE_SECONDS:
                return
            says = refusal.sentence if isinstance(refusal, HubRefused) else HUB_SILENT
            if says != seat.trouble:
                log.warning("seat %s of event %s was not handed over: %s", seat.account, event.slug, refusal)
            await asyncio.to_thread(self._verbs.seats.troubled, event.slug, seat.account, str(says), self._now())
        else:
            self._not_before.pop(key, None)
            self._refused_since.pop(key, None)
            log.info("seat %s of event %s is free again", seat.account, event.slug)
            await asyncio.to_thread(self._verbs.seats.give_back, event.slug, [seat.account], BY, self._now())

    def _now(self) -> int:
        return int(self._verbs.clock())
