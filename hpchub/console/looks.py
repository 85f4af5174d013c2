"""One look at the hub's sessions for all who look at the same moment: a room's page is open in many browsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from hpchub.console.hub import Hub
from hpchub.console.room import SessionTold

SECONDS = 1.5
"""How old the sessions of a page may be."""


class Looks:
    """Sees the sessions of all events, for pages.

    Args:
        hub: is asked once for all who come within the same time.
        seconds: for how long an answer is good.
    """

    def __init__(self, hub: Hub, seconds: float = SECONDS) -> None:
        self._hub, self.seconds = hub, seconds
        self._found: dict[str, tuple[float, Mapping[str, Sequence[SessionTold]]]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def sessions(self, event: str, language: str) -> Sequence[SessionTold]:
        """Give the sessions of an event, their sentences in a language; some may be so many seconds old.

        Raises :class:`~hpchub.console.hub.HubSilent`, :class:`~hpchub.console.hub.HubRefused`.
        """
        async with self._asking.setdefault(language, asyncio.Lock()):
            taken, found = self._found.get(language, (float("-inf"), {}))
            if time.monotonic() - taken > self.seconds:
                found = await self._hub.sessions_by_event(language)
                self._found[language] = (time.monotonic(), found)
        return found.get(event, [])
