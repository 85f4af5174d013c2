"""Waiting for the next change of something."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes everyone who waits, each time it is fired."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def fire(self) -> None:
        """Wake all who wait now."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self, seconds: float) -> None:
        """Wait for the next firing, or so many seconds."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._next], timeout=seconds)
