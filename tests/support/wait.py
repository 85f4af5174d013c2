"""Waiting for a condition with a deadline: how a test waits for anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = 90, pause: float = 0.1) -> T:
    """Return the condition's first true value.

    Raises:
        AssertionError: it did not become true in time; names what was waited for and the last value.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; the last answer was {value!r}")
        time.sleep(pause)
