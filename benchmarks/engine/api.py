"""A hub's API as a program uses it, and how long its answers take."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Protocol

Server = tuple[str, str]
"""A person and the name of a server."""


@dataclass(frozen=True)
class Hub:
    """One hub on this machine, asked with an administrator's token."""

    port: int
    token: str
    proxy_token: str

    def connection(self, seconds: float = 120) -> http.client.HTTPConnection:
        """Open a connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def api(
        self, method: str, path: str, body: Any = None, connection: http.client.HTTPConnection | None = None
    ) -> tuple[int, Any]:
        """Ask once; return the status and the answer's JSON, or its text."""
        own = connection is None
        connection = connection or self.connection()
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/hub/api{path}", data, {"Authorization": f"token {self.token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            if own:
                connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def answers(self, path: str) -> bool:
        """Tell whether a path is answered with success now."""
        connection = self.connection(5)
        try:
            connection.request("GET", path, headers={"Authorization": f"token {self.token}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def routes(self) -> set[Server]:
        """Give every server that the proxy has a route to; the hub itself is not troubled for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port + 1, timeout=60)
        try:
            connection.request("GET", "/api/routes", headers={"Authorization": f"token {self.proxy_token}"})
            paths = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        words = [path.strip("/").split("/") for path in paths]
        return {(word[1], word[2] if len(word) > 2 else "") for word in words if word[0] == "user"}

    def ready_of(self, user: str) -> set[Server]:
        """Give a person's servers that are ready by the hub's word."""
        _, model = self.api("GET", f"/users/{user}")
        return {(user, name) for name, server in model["servers"].items() if server["ready"]}


@dataclass
class Latency:
    """How long answers took."""

    seconds: list[float] = field(default_factory=list)
    failures: int = 0

    def percentile(self, share: float) -> float:
        """Give the time within which this share of the answers came, in milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else float("nan")


class Event(Protocol):
    """Of threads or of processes."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


def ask(hub: Hub, paths: Sequence[str], count: int, stop: Event, latency: Latency, pause: float = 0) -> None:
    """Ask for the paths in turn on one connection until there are so many answers, or until told to stop."""
    connection = hub.connection()
    for number in range(count):
        if stop.is_set():
            break
        began = time.monotonic()
        try:
            status, _ = hub.api("GET", paths[number % len(paths)], connection=connection)
            latency.failures += status != 200
        except (OSError, http.client.HTTPException):
            latency.failures += 1
            connection.close()
            connection = hub.connection()
        latency.seconds.append(time.monotonic() - began)
        if pause:
            stop.wait(pause)
    connection.close()


def measure(hub: Hub, paths: Sequence[str], count: int, at_once: int = 1) -> Latency:
    """Ask so often, on one or more connections at once."""
    latency, stop = Latency(), threading.Event()
    threads = [threading.Thread(target=ask, args=(hub, paths, count // at_once, stop, latency)) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latency


@contextmanager
def measured_meanwhile(hub: Hub, paths: Sequence[str], pause: float = 0.05) -> Iterator[Latency]:
    """Ask now and then, on one connection, as long as this lasts; what is given is filled in at its end.

    A process of its own asks: between hundreds of threads that start servers it would wait for Python, and not for
    the hub.
    """
    latency = Latency()
    spawn = multiprocessing.get_context("spawn")
    stop, (found, told) = spawn.Event(), spawn.Pipe(duplex=False)
    process = spawn.Process(target=_ask_until_told, args=(hub, paths, stop, told, pause))
    process.start()
    told.close()
    found.recv()
    try:
        yield latency
    finally:
        stop.set()
        latency.seconds, latency.failures = found.recv()
        process.join()


def _ask_until_told(hub: Hub, paths: Sequence[str], stop: Event, told: Connection, pause: float) -> None:
    told.send("ready")
    latency = Latency()
    ask(hub, paths, 1_000_000, stop, latency, pause)
    told.send((latency.seconds, latency.failures))
