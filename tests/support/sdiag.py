"""What a controller was asked in an interval, by its own counters."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

JOB_QUERIES = frozenset({"REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE", "REQUEST_JOB_USER_INFO", "REQUEST_JOB_STATE"})
"""The messages by which a client asks for jobs (slurm_protocol_defs.h)."""
NODES_OWN = re.compile(r"MESSAGE_|REQUEST_COMPLETE_|REQUEST_STEP_COMPLETE|REQUEST_STATS_INFO|RESPONSE_|ACCOUNTING_")
"""What the nodes and the accounting send by themselves, and what the counting itself costs."""


def parse_counters(text: str) -> Counter[str]:
    """Read how often each message was received, from the part of ``sdiag``'s output that lists them by type."""
    part = text.partition("statistics by message type")[2].partition("Remote Procedure Call")[0]
    found = re.findall(r"^\s*([A-Z_0-9]+)\s*\(.*?count:(\d+)", part, re.MULTILINE)
    return Counter({name: int(count) for name, count in found})


@dataclass(frozen=True)
class Asked:
    """What the controller was asked in so many seconds."""

    seconds: float
    messages: Mapping[str, int]

    @property
    def job_queries(self) -> int:
        """How often clients asked for jobs."""
        return sum(count for name, count in self.messages.items() if name in JOB_QUERIES)

    @property
    def by_clients(self) -> int:
        """All that clients asked; not what nodes and accounting send by themselves."""
        return sum(count for name, count in self.messages.items() if not NODES_OWN.match(name))


class Counting:
    """Counts what the controller is asked, from the moment that this is made.

    Args:
        sdiag: gives the output of ``sdiag`` for one cluster.
    """

    def __init__(self, sdiag: Callable[[], str]) -> None:
        self._sdiag = sdiag
        self._began = time.monotonic()
        self._before = parse_counters(sdiag())

    def so_far(self) -> Asked:
        """Tell what was asked until now."""
        return Asked(time.monotonic() - self._began, parse_counters(self._sdiag()) - self._before)
