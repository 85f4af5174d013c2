"""Closes what a trainer has open here once they are let in no more.

Jupyter Server asks who somebody is when a connection to a kernel or a terminal begins, and never again.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Collection, Mapping
from typing import Any

CACHE_SECONDS = 300
"""For how long JupyterHub's own server takes the hub's word about somebody, where the job says nothing else."""
_POLICY_VIOLATION = 1008


def let_in(told: Mapping[str, Any]) -> dict[str, float]:
    """Give who is let in, and until when in seconds since 1970, as the hub told it."""
    helpers = [(float(each["until_epoch"]), str(each["name"])) for each in told.get("helpers") or ()]
    return {name: until_epoch for until_epoch, name in sorted(helpers)}


class Guests:
    """Those who were let in, and what they have open.

    Args:
        environment: the job's.
        margin_seconds: so long after the hub's word of before has ended they are closed again.
    """

    def __init__(self, environment: Mapping[str, str], margin_seconds: float = 5) -> None:
        seconds = environment.get("HPCHUB_CACHE_SECONDS", "")
        self._seconds = (int(seconds) if seconds.isdigit() else CACHE_SECONDS) + margin_seconds
        self._now: dict[str, float] = {}
        self._ends: list[asyncio.TimerHandle] = []

    def are(self, now: Mapping[str, float]) -> None:
        """Take note of who is let in until when, and close what those have open who were before.

        What the others have open is closed at their end, even if the hub is away by then.
        """
        gone, self._now = self._now.keys() - now.keys(), dict(now)
        self._shut_out(gone)
        for end in self._ends:
            end.cancel()
        later = asyncio.get_running_loop().call_later
        self._ends = [
            later(max(until_epoch - time.time(), 0), self._shut_out, {name}) for name, until_epoch in now.items()
        ]

    def _shut_out(self, gone: Collection[str]) -> None:
        if gone:
            close(gone)
            # Their page connects again at once, for which the hub's word of before still counts for a while.
            asyncio.get_running_loop().call_later(self._seconds, self._close_again, gone)

    def _close_again(self, gone: Collection[str]) -> None:
        close({name for name in gone if self._now.get(name, 0) <= time.time()})


def close(people: Collection[str]) -> int:
    """Close the connections of these people, by whatever extension they were opened; give how many."""
    from tornado.websocket import WebSocketHandler

    closed = 0
    for each in gc.get_objects() if people else ():
        if not issubclass(type(each), WebSocketHandler) or each.ws_connection is None:
            continue
        if getattr(getattr(each, "_current_user", None), "username", "") in people:
            each.close(_POLICY_VIOLATION, "no longer let in")
            closed += 1
    return closed
