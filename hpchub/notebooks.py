"""Notebooks of events that wait for news, so that a message is there at once and nobody has to ask often.

Such a notebook's question is answered when there is something new, else after a while; then it asks again.  The while
grows with the room: however many wait, they ask about :data:`ANSWERS_A_SECOND` times a second.  Each that waits holds
a connection, of which a process has only so many: half of them at most wait, the others ask once a minute.
"""

from __future__ import annotations

import resource

from hpchub.signal import Signal

WAIT_SECONDS = 50
"""How long a question waits in a usual room: less than the 60 s after which proxies in between give up."""
ANSWERS_A_SECOND = 4


class Notebooks:
    """Those that wait now."""

    def __init__(self) -> None:
        self.waiting = 0
        self._news = Signal()

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self.waiting >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2

    @property
    def wait_seconds(self) -> float:
        """How long one that comes now waits where nothing happens."""
        return max(WAIT_SECONDS, self.waiting / ANSWERS_A_SECOND)

    def tell(self) -> None:
        """Have all look whether there is something for them."""
        self._news.fire()

    async def news(self, seconds: float) -> None:
        """Wait until there may be something, or so many seconds."""
        self.waiting += 1
        try:
            await self._news.wait(seconds)
        finally:
            self.waiting -= 1
