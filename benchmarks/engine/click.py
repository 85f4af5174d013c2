"""From the click to a notebook that answers, beside the least that it could take.

The floor is the same server, with the same variables, in a job that a plain ``sbatch`` of the same user starts.
"""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.engine import slurm
from benchmarks.engine.api import Hub
from benchmarks.engine.peers import Peer
from benchmarks.engine.place import ROOM, OurSite
from tests.support.wait import until

USER = "ada"
ALLOCATION = "aifac_agri01"
DEADLINE_SECONDS = 90


@dataclass
class Clicks:
    """Seconds of each spawn, by who did it."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])


def answers(port: int, path: str) -> bool:
    """Tell whether a notebook server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for_answer(port: int, path: str) -> None:
    """Wait until a notebook server answers."""
    until(lambda: answers(port, path), f"an answer of {path}", DEADLINE_SECONDS, pause=0.01)


def wait_for_ready_event(hub: Hub, user: str, server: str) -> None:
    """Follow the progress stream until it says that the server is ready: what the waiting page does."""
    connection = hub.connection(DEADLINE_SECONDS)
    connection.request(
        "GET", f"/hub/api/users/{user}/servers/{server}/progress", headers={"Authorization": f"token {hub.token}"}
    )
    with connection.getresponse() as stream:
        for line in stream:
            if line.startswith(b"data:"):
                event = json.loads(line[5:])
                if event.get("ready"):
                    return
                if event.get("failed"):
                    raise RuntimeError(f"the start failed: {event}")
    raise RuntimeError("the progress stream ended without an answer")


def click(hub: Hub, server: str, choice: Mapping[str, Any] | None) -> float:
    """Start a server, wait until its notebook answers through the proxy, stop it; return the seconds to the answer."""
    began = time.monotonic()
    status, said = hub.api("POST", f"/users/{USER}/servers/{server}", choice)
    if status not in (201, 202):
        raise RuntimeError(f"{server} was not started: {status} {said}")
    if status == 202:
        wait_for_ready_event(hub, USER, server)
    wait_for_answer(hub.port, f"/user/{USER}/{server}/api")
    taken = time.monotonic() - began
    hub.api("DELETE", f"/users/{USER}/servers/{server}", {"remove": True})
    _wait_until_nothing_runs()
    return taken


def _wait_until_nothing_runs() -> None:
    """A notebook that is still ending would slow the next one down."""
    until(lambda: not slurm.jobs("pending,running,completing"), "all notebooks to be gone", DEADLINE_SECONDS)


class Floor:
    """The same notebook server without any hub's spawner between.

    Args:
        site: ours; its hub is the one that the server asks at its start, as every notebook server does.
    """

    def __init__(self, site: OurSite) -> None:
        self._site = site
        _, made = site.hub.api("POST", f"/users/{USER}/tokens", {"note": "floor"})
        self._token = made["token"]

    def measure(self) -> float:
        """Submit, wait for the answer, cancel; return the seconds to the answer."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        prefix = f"/user/{USER}/floor/"
        began = time.monotonic()
        job = self._submit(port, prefix)
        wait_for_answer(port, f"{prefix}api")
        taken = time.monotonic() - began
        slurm.run("scancel", "-M", "leonardo", job, user=USER)
        _wait_until_nothing_runs()
        return taken

    def _submit(self, port: int, prefix: str) -> str:
        environment = (self._site.builds / "current").resolve()
        home = self._site.place.folder / "home" / USER
        variables = {
            "HOME": str(home),
            "USER": USER,
            "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
            "JUPYTERHUB_API_TOKEN": self._token,
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self._site.place.hub_port}/hub/api",
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{USER}-floor",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
            "JUPYTERHUB_OAUTH_SCOPES": "[]",
            "JUPYTERHUB_SERVER_NAME": "floor",
            "JUPYTERHUB_SERVICE_PREFIX": prefix,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}{prefix}",
            "JUPYTERHUB_USER": USER,
            "JUPYTERHUB_DEFAULT_URL": "/lab",
        }
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        command = f"exec env -i {given} {environment}/bin/python -I {environment}/bin/jupyterhub-singleuser"
        options = ["-p", "lrd_all_serial", "-A", ALLOCATION, "-c", "1", "--mem=7700M", "-t", "240"]
        where = ["-M", "leonardo", "-D", str(home), "-o", "/dev/null", "-J", slurm.FLOOR]
        script = self._site.place.folder / "floor.sh"
        script.write_text(f"#!/bin/bash\n{command}\n")
        script.chmod(0o755)
        return slurm.run("sbatch", "--parsable", *where, *options, str(script), user=USER).split(";")[0].strip()


def measure(site: OurSite, peers: list[Peer], rounds: int) -> Clicks:
    """Start notebooks in turn: the floor, ours, the peers, and again."""
    clicks, floor = Clicks(), Floor(site)
    for number in range(-1, rounds):
        taken = {"floor": floor.measure(), "ours": click(site.hub, "c", {**ROOM, "allocation": ALLOCATION})}
        for peer in peers:
            taken[peer.name] = click(peer.hub, "c", peer.choice)
        # The first round warms the disk's cache for all.
        if number >= 0:
            for name, seconds in taken.items():
                clicks.seconds.setdefault(name, []).append(seconds)
    return clicks
