"""Closes what a trainer has open here once they are let in no more.

Jupyter Server asks who somebody is when a connection to a kernel or a terminal begins, and never again.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection, Mapping
from typing import Any

CACHE_SECONDS = 300
"""For how long JupyterHub's own server takes the hub's word about somebody, where the job says nothing else."""
_POLICY_VIOLATION = 1008


def names(told: Mapping[str, Any]) -> set[str]:
    """Give who is let in, as the hub told it."""
    return {str(each["name"]) for each in told.get("helpers") or ()}


class Guests:
    """Those who were let in, and what they have open.

    Args:
        environment: the job's.
        margin_seconds: so long after the hub's word of before has ended they are closed again.
    """

    def __init__(self, environment: Mapping[str, str], margin_seconds: float = 5) -> None:
        seconds = environment.get("HPCHUB_CACHE_SECONDS", "")
        self._seconds = (int(seconds) if seconds.isdigit() else CACHE_SECONDS) + margin_seconds
        self._now: set[str] = set()

    def are(self, now: set[str]) -> None:
        """Take note of who is let in now, and close what those have open who were before."""
        gone, self._now = self._now - now, now
        if gone:
            close(gone)
            # Their page connects again at once, for which the hub's word of before still counts for a while.
            asyncio.get_running_loop().call_later(self._seconds, self._close_again, gone)

    def _close_again(self, gone: set[str]) -> None:
        close(gone - self._now)


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
