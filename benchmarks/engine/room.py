"""A trainer's room: from "start all" to the last notebook, beside the same jobs submitted by hand.

The servers are small ones in real jobs (:mod:`tests.support.small`): forty JupyterLabs on one machine would measure
how long two cores take to import JupyterLab forty times, which is the same with and without a hub.
"""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from benchmarks.engine import slurm
from benchmarks.engine.api import measured_meanwhile
from benchmarks.engine.click import answers
from benchmarks.engine.place import ROOM, OurSite
from tests.support.wait import until

ALLOCATION = "tra26_hack"
AT_ONCE = 8
"""So many ``sbatch`` run at the same moment: more made the floor no faster on two cores."""
DEADLINE_SECONDS = 300


@dataclass
class Room:
    """Seconds until the last server of a room answered."""

    seats: int
    started: list[float] = field(default_factory=list)
    """By "start all"."""
    floor: list[float] = field(default_factory=list)
    api_p99: list[float] = field(default_factory=list)
    """Milliseconds of a user's API call, while all were started."""

    @property
    def ratio(self) -> float:
        """How many times the floor a room takes, at the median."""
        return statistics.median(self.started) / statistics.median(self.floor)


def measure(site: OurSite, people: Sequence[str], rounds: int) -> Room:
    """Start a room of all these people, and the same jobs by hand, in turn."""
    found = Room(len(people))
    console = Console(site)
    slug = console.create(people)
    # the first round warms the disk's cache for both
    for number in range(rounds + 1):
        floor = by_hand(site, people)
        started, api_p99 = by_the_room(site, console, slug, people)
        if number:
            found.floor.append(floor)
            found.started.append(started)
            found.api_p99.append(api_p99)
    return found


class Console:
    """The site's console, asked with an administrator's token."""

    def __init__(self, site: OurSite) -> None:
        self._port, self._token = site.place.port, site.hub.token

    def create(self, people: Sequence[str]) -> str:
        """Make an event that is open, for people by name; give its slug."""
        now = int(time.time())
        plan = {
            "title": "Benchmark",
            "starts_epoch": now,
            "ends_epoch": now + 6 * 3600,
            "seats": len(people),
            "people": list(people),
            "by_code": False,
            "cluster": ROOM["cluster"],
            "allocation": ALLOCATION,
            "profile": ROOM["profile"],
            "size": ROOM["size"],
            "minutes": ROOM["minutes"],
        }
        return str(self.ask("POST", "/events", plan)["slug"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its API.  Raises :class:`RuntimeError` where it refuses."""
        headers = {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/services/events/api{path}", sent, headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
        return json.loads(text) if text else None


def by_the_room(site: OurSite, console: Console, slug: str, people: Sequence[str]) -> tuple[float, float]:
    """Press "start all", wait until the proxy leads to all; give the seconds, and the API's p99 in milliseconds."""
    servers = {(person, slug) for person in people}
    with measured_meanwhile(site.hub, [f"/users/{person}" for person in people]) as latency:
        began = time.monotonic()
        console.ask("POST", f"/events/{slug}/room/start")
        until(lambda: servers <= site.hub.routes(), f"{len(people)} servers", DEADLINE_SECONDS, 0.05)
        taken = time.monotonic() - began
    console.ask("POST", f"/events/{slug}/room/stop")
    until(lambda: not servers & site.hub.routes(), "all routes to be gone", DEADLINE_SECONDS, 0.5)
    _wait_until_nothing_runs()
    return taken, latency.percentile(0.99)


def by_hand(site: OurSite, people: Sequence[str]) -> float:
    """Submit the same servers by ``sbatch``, wait until all answer; give the seconds."""
    ports = dict(zip(people, _free_ports(len(people)), strict=True))
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda person: _submit(site, person, ports[person]), people))
    waiting = set(people)

    def all_answer() -> bool:
        waiting.difference_update([person for person in waiting if answers(ports[person], "/api")])
        return not waiting

    until(all_answer, f"{len(people)} servers", DEADLINE_SECONDS, 0.05)
    taken = time.monotonic() - began
    slurm.run("scancel", "-M", "leonardo", "-n", slurm.FLOOR)
    _wait_until_nothing_runs()
    return taken


def _submit(site: OurSite, person: str, port: int) -> None:
    programs = (site.builds / "current").resolve() / "bin"
    home = site.place.folder / "home" / person
    variables = {"PATH": "/usr/bin:/bin", "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/"}
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    command = f"exec env -i {given} {programs}/python -I {programs}/jupyterhub-singleuser"
    options = ["-p", "lrd_all_serial", "-A", ALLOCATION, "-c", "1", "--mem=7700M", "-t", "240"]
    where = ["-M", "leonardo", "-D", str(home), "-o", "/dev/null", "-J", slurm.FLOOR]
    slurm.run("sbatch", "--parsable", *where, *options, "--wrap", command, user=person)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_until_nothing_runs() -> None:
    until(lambda: not slurm.jobs("pending,running,completing"), "all jobs to be gone", DEADLINE_SECONDS, 0.5)
