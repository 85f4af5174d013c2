"""A circuit breaker: while a daemon of Slurm's is silent, one query at a time asks whether it is back.

A cluster has two daemons that can fail on their own: its controller (slurmctld) and the accounting (slurmdbd).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hpchub.errors import SlurmSilent

T = TypeVar("T")


class Breaker:
    """Stands between all queries and one daemon.

    Closed, it lets every query through.  The first one without an answer opens it: from then on each query waits for
    its turn and for a pause that doubles, so that a hung daemon costs one process at a time.  The first answer closes
    it, and whoever still waits goes on at once.

    Args:
        first_pause_seconds: between the first silence and the next try.
        longest_pause_seconds: between two tries at the most, and so the most by which a recovery is noticed late.
    """

    def __init__(self, first_pause_seconds: float = 1, longest_pause_seconds: float = 10) -> None:
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._pause_seconds = first_pause_seconds
        self._turn = asyncio.Lock()
        self.open_since_epoch: float | None = None
        """When the first query began that got no answer; None while the daemon answers."""

    async def ask(self, query: Callable[[], Awaitable[T]]) -> T:
        """Run a query when it is its turn.

        Raises:
            SlurmSilent: the daemon did not answer this query either.
            SlurmError: it answered something that cannot be used; that is no silence.
        """
        if self.open_since_epoch is None:
            return await self._try(query)
        async with self._turn:
            if self.open_since_epoch is not None:
                await asyncio.sleep(self._pause_seconds)
            return await self._try(query)

    async def _try(self, query: Callable[[], Awaitable[T]]) -> T:
        began_epoch = time.time()
        try:
            answer = await query()
        except SlurmSilent:
            if self.open_since_epoch is None:
                self.open_since_epoch = began_epoch
                self._pause_seconds = self._first_pause_seconds
            else:
                self._pause_seconds = min(self._pause_seconds * 2, self._longest_pause_seconds)
            raise
        self.open_since_epoch = None
        return answer
