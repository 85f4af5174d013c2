"""What the hub and the console tell each other of temporary seats, before each push of the events."""

from __future__ import annotations

import asyncio
import logging

from hpchub.console.hub import Hub, HubRefused, HubSilent
from hpchub.console.seat_store import SeatStore

log = logging.getLogger(__name__)


class KnownSeats:
    """Learns from the hub which cards were used, and lets it know the accounts that are lent.

    Args:
        hub: knows the cards, and has users.
        seats: the console's memory of them.
    """

    def __init__(self, hub: Hub, seats: SeatStore) -> None:
        self._hub, self._seats = hub, seats
        self._users: set[str] = set()
        self._trouble = ""

    async def bring_in_step(self) -> None:
        """Ask and tell; nothing is asked while no account is lent.

        Raises :class:`~hpchub.console.hub.HubSilent`, :class:`~hpchub.console.hub.HubRefused` where the cards are not
        known: an event that ends must not be forgotten before.
        """
        lent = await asyncio.to_thread(self._seats.lent)
        if not lent:
            return
        await asyncio.to_thread(self._seats.used, await self._hub.cards())
        try:
            for account in sorted(lent - self._users):
                await self._hub.know(account)
                self._users.add(account)
        except (HubSilent, HubRefused) as error:
            # The hub makes the user too when somebody comes; only "start all" cannot start them before.
            if str(error) != self._trouble:
                log.warning("the hub does not know all temporary seats: %s", error)
            self._trouble = str(error)
