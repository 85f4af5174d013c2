"""A room that presses Start at the same moment."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.engine import load, slurm
from benchmarks.engine.api import Hub, measured_meanwhile
from tests.support.wait import until


@dataclass(frozen=True)
class Rush:
    """So many servers, asked for at once."""

    servers: int
    submitted_seconds: float
    """Until Slurm had every job."""
    ready_seconds: float
    api_p50: float
    api_p99: float
    api_worst: float
    """Milliseconds, until every server was ready, or no other one came."""
    not_now: int
    """How often a start was refused and asked for again."""
    not_ready: int
    """Servers that were not ready yet when no other one had come for a minute."""


def measure(hub: Hub, people: Sequence[str], count: int, choice: Mapping[str, Any] | None) -> Rush:
    """Start servers all at once; watch Slurm's queue from outside, and ask the API meanwhile."""
    servers = load.names(people, count, "r")
    jobs = slurm.jobs()
    paths = [f"/users/{person}" for person in people]
    with measured_meanwhile(hub, paths) as latency, ThreadPoolExecutor(1) as asking:
        began = time.monotonic()
        refused = asking.submit(load.start, hub, servers, choice, count)
        # Asks Slurm four times a second, beside the hub.
        until(lambda: slurm.jobs() >= jobs + count or _failed(refused), f"{count} jobs to be submitted", 900, 0.25)
        submitted = time.monotonic() - began
        not_now = refused.result()
        ready, came = load.routed_at_last(hub, servers)
    load.stop(hub, sorted(came), 900)
    return Rush(
        count,
        submitted,
        ready - began,
        latency.percentile(0.5),
        latency.percentile(0.99),
        latency.percentile(1),
        not_now,
        count - len(came),
    )


def _failed(asking: Future[int]) -> bool:
    return asking.done() and asking.exception() is not None
