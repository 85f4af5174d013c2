"""The way into the hub for those who start a server: a few at a time, in the order in which they came.

A start costs the hub some 30 ms, in few pieces.  A room of 200 that presses Start at the same moment would have it do
nothing else for seconds, and everybody else would wait; so each comes in when one before it has been handed to Slurm.
"""

from __future__ import annotations

import asyncio
from typing import Any

_AT_ONCE = 3
"""One that the hub works on, and two that keep the launcher busy: more would only wait inside, for each other."""
_SECONDS = 2
"""After this the next comes in, whatever happens to the one before: a controller that hangs must not keep those of
another cluster outside."""


class Admission:
    """A number of places."""

    def __init__(self, at_once: int = _AT_ONCE, seconds: float = _SECONDS) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._seconds = seconds

    async def enter(self) -> Place:
        """Wait for a place."""
        await self._places.acquire()
        return Place(self._places, self._seconds)


class Place:
    """One start that has come in."""

    def __init__(self, places: asyncio.Semaphore, seconds: float) -> None:
        self._places = places
        self._taken = True
        self._end = asyncio.get_running_loop().call_later(seconds, self.leave)

    def leave(self) -> None:
        """Let the next come in."""
        if self._taken:
            self._taken = False
            self._end.cancel()
            self._places.release()


class Admitted:
    """A handler whose POST starts a server; to be mixed in before JupyterHub's."""

    place: Place | None = None

    async def prepare(self: Any) -> None:
        """Wait outside, before anything is looked up for this request."""
        if self.request.method == "POST":
            self.place = await self.settings["hpchub"].admission.enter()
        await super().prepare()  # type: ignore[misc]  # of the handler that it is mixed into

    def on_finish(self: Any) -> None:
        """Let the next in, also where nothing was started."""
        if self.place is not None:
            self.place.leave()
        super().on_finish()  # type: ignore[misc]  # likewise
