"""Starting and stopping many servers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.engine import slurm
from benchmarks.engine.api import Hub, Server
from tests.support.wait import until

NOT_NOW = (429, 503)
"""Too many at once, or Slurm does not answer: to be asked again, as a person would."""
PATIENCE_SECONDS = 120
STILL_SECONDS = 60
"""So long another server is waited for: batchspawner loses some of a rush, and others come minutes later."""


def names(people: Sequence[str], count: int, prefix: str = "s") -> list[Server]:
    """Spread servers over people."""
    return [(people[number % len(people)], f"{prefix}{number // len(people):02d}") for number in range(count)]


def start(hub: Hub, servers: Iterable[Server], choice: Mapping[str, Any] | None, at_once: int = 8) -> int:
    """Ask for servers, so many requests at once, and again where a hub says "not now"; return how often it did."""

    def one(server: Server) -> int:
        user, name = server
        refused, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while True:
            status, said = hub.api("POST", f"/users/{user}/servers/{name}", choice)
            if status in (201, 202):
                return refused
            if status not in NOT_NOW or time.monotonic() > deadline:
                raise RuntimeError(f"{user}/{name} was not started: {status} {said}")
            refused += 1
            time.sleep(1)

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, servers))


def wait_until_routed(hub: Hub, servers: Collection[Server], seconds: float) -> None:
    """Wait until servers can be reached."""
    wanted = set(servers)
    until(lambda: wanted <= hub.routes(), f"{len(wanted)} servers to be ready", seconds, pause=0.5)


def routed_at_last(hub: Hub, servers: Collection[Server]) -> tuple[float, set[Server]]:
    """Wait until servers can be reached or no other one comes; return when the last one came, and those that did."""
    wanted = set(servers)
    came, last = wanted & hub.routes(), time.monotonic()
    while came != wanted and time.monotonic() < last + STILL_SECONDS:
        time.sleep(0.5)
        now = wanted & hub.routes()
        if now != came:
            came, last = now, time.monotonic()
    return last, came


def wait_until_ready(hub: Hub, servers: Collection[Server], seconds: float) -> None:
    """Wait until the hub itself calls servers ready; asks person by person, and nobody twice who has all."""
    left = set(servers)

    def nobody_left() -> bool:
        for user in {user for user, _ in left}:
            left.difference_update(hub.ready_of(user))
        return not left

    until(nobody_left, f"{len(left)} servers to be ready", seconds, pause=1)


def start_until_ready(
    hub: Hub, servers: Sequence[Server], choice: Mapping[str, Any] | None, step: int = 50, seconds: float = 120
) -> None:
    """Start servers, some at a time, and wait until all are ready."""
    for first in range(0, len(servers), step):
        some = servers[first : first + step]
        start(hub, some, choice)
        wait_until_routed(hub, some, seconds)


def start_waiting(hub: Hub, servers: Sequence[Server], choice: Mapping[str, Any], seconds: float = 300) -> None:
    """Start servers that have to queue, and wait until Slurm has all their jobs."""
    wanted = slurm.jobs("pending") + len(servers)
    start(hub, servers, choice)
    until(lambda: slurm.jobs("pending") >= wanted, f"{wanted} jobs to wait", seconds, pause=1)


def stop(hub: Hub, servers: Sequence[Server], seconds: float = 300) -> None:
    """Stop servers and remove them, and wait until their jobs are gone."""

    def one(server: Server) -> None:
        user, name = server
        hub.api("DELETE", f"/users/{user}/servers/{name}", {"remove": True})

    left = slurm.jobs("pending,running") - len(servers)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, servers))
    gone = set(servers)
    until(lambda: not gone & hub.routes(), "the servers to be stopped", seconds, pause=1)
    until(lambda: slurm.jobs("pending,running,completing") <= left, "the jobs to be gone", seconds, pause=1)
