"""The page on which people choose what to start: how long its hub takes for it, and what it asks of Slurm for it.

People are signed in by cookies, as in a browser; the hub itself is asked, without its proxy.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from benchmarks.engine import slurm
from benchmarks.engine.api import Latency
from tests.support.form import FormSession
from tests.support.sdiag import Asked

PATH = "/hub/spawn"
ONE_SECTOR = "/hub/spawn?sector=general"
ONE_PROFILE = "/hub/spawn?profile=general/copy-000"
VIEWS = {
    "ours": "our start page",
    "list": "ours, one sector",
    "panel": "ours, one profile chosen",
    "moss": "MOSS's page",
}
"""What is measured, and what it is called."""
PEOPLE = ("ada", "bruno", "carla", "dario")
ONE_BY_ONE = 200
AT_ONCE = 100
ROUNDS = 5
"""Of so many at once: one alone would make a single slow answer the p99."""
FIRST = 10
"""Pages that are not measured: the first reader makes what is kept for the others."""


@dataclass(frozen=True)
class Views:
    """How one hub's page was answered; times in milliseconds."""

    one_p50: float
    one_p99: float
    at_once_p50: float
    at_once_p99: float
    kilobytes: float
    pages: int
    asked: Asked
    """What Slurm was asked meanwhile, by the pages and whatever else the hub does."""
    failures: int

    @property
    def requests_a_page(self) -> float:
        """How often Slurm was asked for each page."""
        return self.asked.by_clients / self.pages


@dataclass(frozen=True)
class Pages:
    """The pages of ours and of MOSS, on one cluster."""

    nodes: int
    profiles: int
    """Of ours; MOSS has its partitions instead."""
    views: Mapping[str, Views]


@dataclass(frozen=True)
class Reader:
    """Somebody who is signed in at one hub."""

    port: int
    cookies: str

    def connection(self) -> http.client.HTTPConnection:
        """Open a connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def page(self, connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
        """Open a page."""
        headers = {"Cookie": self.cookies, "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def signed_in(port: int, user: str) -> Reader:
    """Sign somebody in at the hub that listens there."""
    session = FormSession(f"http://127.0.0.1:{port}", user)
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}")
    session.cookies.add_cookie_header(request)
    return Reader(port, str(request.get_header("Cookie")))


def measure(port: int, wanted: str, path: str = PATH) -> Views:
    """Open a page of a hub again and again, alone and at once with others.

    Args:
        port: where the hub listens.
        wanted: words that the page has to have: one without them is counted as failed.
        path: the page's address.
    """
    readers = [signed_in(port, user) for user in PEOPLE]
    opened = _Opened(path, wanted.encode())
    opened.one_by_one(readers, FIRST)
    first_failures = opened.failures
    counting = slurm.counting()
    one = opened.one_by_one(readers, ONE_BY_ONE)
    together = Latency([second for _ in range(ROUNDS) for second in opened.at_once(readers, AT_ONCE).seconds])
    return Views(
        one.percentile(0.5),
        one.percentile(0.99),
        together.percentile(0.5),
        together.percentile(0.99),
        opened.bytes / 1024,
        len(one.seconds) + len(together.seconds),
        counting.so_far(),
        opened.failures - first_failures,
    )


class _Opened:
    """What came of opening pages."""

    def __init__(self, path: str, wanted: bytes) -> None:
        self._path = path
        self._wanted = wanted
        self._lock = threading.Lock()
        self.failures = 0
        self.bytes = 0

    def one_by_one(self, readers: Sequence[Reader], count: int) -> Latency:
        latency = Latency()
        connections = {reader: reader.connection() for reader in readers}
        for reader in islice(cycle(readers), count):
            latency.seconds.append(self._open(reader, connections[reader]))
        for connection in connections.values():
            connection.close()
        return latency

    def at_once(self, readers: Sequence[Reader], count: int) -> Latency:
        """Open one page each on so many connections, at the same moment."""
        latency, gate = Latency(), threading.Barrier(count)

        def one(reader: Reader) -> None:
            connection = reader.connection()
            connection.connect()
            gate.wait()
            taken = self._open(reader, connection)
            connection.close()
            with self._lock:
                latency.seconds.append(taken)

        threads = [threading.Thread(target=one, args=(reader,)) for reader in islice(cycle(readers), count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return latency

    def _open(self, reader: Reader, connection: http.client.HTTPConnection) -> float:
        began = time.monotonic()
        try:
            status, body = reader.page(connection, self._path)
        except (OSError, http.client.HTTPException):
            status, body = 0, b""
            connection.close()
        taken = time.monotonic() - began
        with self._lock:
            self.failures += status != 200 or self._wanted not in body
            self.bytes = max(self.bytes, len(body))
        return taken
