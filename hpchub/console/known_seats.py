"""What the hub and the console tell each other of temporary seats, around each push of the events."""

from __future__ import annotations

import asyncio
import logging

from hpchub.console.hub import AT_ONCE, Hub, HubRefused, HubSilent
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
        self._making = False
        self._troubles: dict[str, str] = {}

    async def learn(self) -> None:
        """Ask which cards were used; nothing is asked while no account is lent.

        Raises :class:`~hpchub.console.hub.HubSilent`, :class:`~hpchub.console.hub.HubRefused` where that is not known:
        an event that ends must not be forgotten before.
        """
        if await asyncio.to_thread(self._seats.lent):
            await asyncio.to_thread(self._seats.used, await self._hub.taken())

    async def make_users(self) -> None:
        """Let the hub have a user of each account that is lent; who comes while that is under way does not wait for it.

        The hub makes the user too when somebody comes; only "start all" cannot start them before.  So what it says to
        one account keeps no other from being made, and the next push tries again.
        """
        if self._making:
            return
        self._making = True
        try:
            missing = sorted(await asyncio.to_thread(self._seats.lent) - self._users)
            for first in range(0, len(missing), AT_ONCE):
                made = await asyncio.gather(*(self._make(account) for account in missing[first : first + AT_ONCE]))
                if not any(made):
                    break  # it is away, and each of the others would wait for as long
        finally:
            self._making = False

    async def _make(self, account: str) -> bool:
        """Make a user, unless the hub knows them; tell whether the hub answered."""
        try:
            await self._hub.know(account)
        except (HubSilent, HubRefused) as error:
            if str(error) != self._troubles.get(account):
                log.warning("the hub does not know the temporary seat %s: %s", account, error)
            self._troubles[account] = str(error)
            return isinstance(error, HubRefused)
        self._users.add(account)
        self._troubles.pop(account, None)
        return True
