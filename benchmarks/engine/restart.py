"""How long a hub with many running servers is away when it is killed and started again."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engine import load, slurm
from benchmarks.engine.api import Hub, Server
from benchmarks.engine.place import OurSite
from tests.support.sdiag import Asked
from tests.support.wait import until


@dataclass(frozen=True)
class Restart:
    """From the start of the new process on, in seconds."""

    servers: int
    health_seconds: float
    api_seconds: float
    all_ready_seconds: float
    asked_until_api: Asked
    """What Slurm was asked until the API answered."""
    asked: Asked
    """What it was asked until all servers were ready again."""
    routed: int
    """Servers that answered through the proxy afterwards."""


def routed(hub: Hub, servers: Sequence[Server]) -> int:
    """Count the servers that answer through the proxy."""
    count, connection = 0, hub.connection()
    for user, name in servers:
        try:
            connection.request("GET", f"/user/{user}/{name}/api")
            answer = connection.getresponse()
            answer.read()
            count += answer.status == 200
        except (OSError, http.client.HTTPException):
            connection.close()
    connection.close()
    return count


def measure(site: OurSite, servers: Sequence[Server]) -> Restart:
    """Kill our hub, start it, and watch it come back."""
    site.kill()
    began = time.monotonic()
    counting = slurm.counting()
    site.start()
    health = time.monotonic()
    until(lambda: site.hub.answers(f"/hub/api/users/{servers[0][0]}"), "the API to answer", 120, pause=0.05)
    api = time.monotonic()
    asked_until_api = counting.so_far()
    load.wait_until_ready(site.hub, servers, 300)
    ready = time.monotonic()
    asked = counting.so_far()
    return Restart(
        len(servers), health - began, api - began, ready - began, asked_until_api, asked, routed(site.hub, servers)
    )
