"""How often one identity signs in: each has its own measure, so that a room behind one address never waits for one.

It protects no passwords, which the provider has and guards.  It keeps a browser that goes round in a circle, or a
program that cannot get in, from asking the provider and the source of accounts without end.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_IDENTITIES = 10_000
"""Whoever has not signed in for the longest is forgotten first; with all of them it is about 2 MB."""


class Tries:
    """A measure of sign-ins for each identity, which fills again evenly.

    Args:
        most: how many sign-ins a full measure is.
        minutes: how long an empty one takes to be full.
        clock: gives seconds that only go forward.
    """

    def __init__(self, most: int, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds_each, self._clock = most, minutes * 60 / most, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By identity how much was left, and when."""

    def __len__(self) -> int:
        return len(self._left)

    def take(self, identity: str) -> int:
        """Take one sign-in of an identity; give 0, or the seconds after which there is one to take again."""
        now = self._clock()
        left = self._at(now, identity)
        self._left.pop(identity, None)
        self._left[identity] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > MOST_IDENTITIES:
            self._left.popitem(last=False)
        return self._seconds_until_one(left)

    def wait(self, identity: str) -> int:
        """Give what :meth:`take` would, and take nothing."""
        return self._seconds_until_one(self._at(self._clock(), identity))

    def _at(self, now: float, identity: str) -> float:
        left, since = self._left.get(identity, (float(self._most), now))
        return min(self._most, left + (now - since) / self._seconds_each)

    def _seconds_until_one(self, left: float) -> int:
        return 0 if left >= 1 else math.ceil((1 - left) * self._seconds_each)
