"""What a hub costs while nothing changes: requests to Slurm, and its own CPU; and how fast its API is meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine import load, slurm
from benchmarks.engine.api import Hub, measure
from tests.support.sdiag import Asked

REQUESTS = 500
REQUESTS_AT_ONCE = 4


@dataclass(frozen=True)
class Cost:
    """What one hub cost with one load."""

    running: int
    queued: int
    asked: Asked
    cpu_share: float
    """Of one core, the hub's process and all that it started and waited for."""


@dataclass(frozen=True)
class Answers:
    """How long API requests took under one load, in milliseconds."""

    user_p50: float
    user_p99: float
    user_p99_at_once: float
    sessions_p99: float | None
    """Of the list of all sessions and of one session; None where a hub has no such thing."""
    failures: int


@dataclass(frozen=True)
class Rest:
    """One hub under loads that grow."""

    costs: Sequence[Cost]
    """Two for each size: without and with a queue."""
    answers: Sequence[Answers]
    """One for each size, with the queue."""


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of a process and of its ended children (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cost(pid: int, running: int, queued: int, seconds: float) -> Cost:
    """Let a hub be for some time, and tell what it did."""
    cpu = cpu_seconds(pid)
    began = time.monotonic()
    counting = slurm.counting()
    time.sleep(seconds)
    asked = counting.so_far()
    spent, ended = cpu_seconds(pid) - cpu, time.monotonic()
    return Cost(running, queued, asked, spent / (ended - began))


def answers(hub: Hub, people: Sequence[str], sessions: Sequence[str] = ()) -> Answers:
    """Ask the API for people and, where the hub is ours, for sessions."""
    users = [f"/users/{person}" for person in people]
    alone = measure(hub, users, REQUESTS)
    together = measure(hub, users, REQUESTS, REQUESTS_AT_ONCE)
    failures = alone.failures + together.failures
    sessions_p99 = None
    if sessions:
        of_sessions = measure(hub, sessions, REQUESTS)
        failures += of_sessions.failures
        sessions_p99 = of_sessions.percentile(0.99)
    return Answers(alone.percentile(0.5), alone.percentile(0.99), together.percentile(0.99), sessions_p99, failures)


def of_sizes(
    hub: Hub,
    pid: Callable[[], int],
    people: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    choices: tuple[Mapping[str, Any] | None, Mapping[str, Any]],
    seconds: float,
    *,
    ours: bool,
) -> Rest:
    """Grow a hub's load from size to size; at each, measure it at rest and with a queue.

    Args:
        hub: its API; ``pid`` is its process.
        people: who starts servers.
        sizes: servers that run and servers that wait.
        choices: what starts at once, and what has to wait.
        seconds: how long each rest is.
        ours: whether it has an API of sessions.
    """
    costs, times = [], []
    started = 0
    for running, queued in sizes:
        load.start_until_ready(hub, load.names(people, running)[started:], choices[0], seconds=600)
        started = running
        costs.append(cost(pid(), running, 0, seconds))
        load.start_waiting(hub, load.names(people, queued, f"q{running}-"), choices[1])
        costs.append(cost(pid(), running, queued, seconds))
        paths = (
            ["/hpchub/sessions/" + session["id"] for session in hub.api("GET", "/hpchub/sessions")[1]] if ours else []
        )
        times.append(answers(hub, people, paths))
        slurm.cancel_waiting()
    return Rest(costs, times)
