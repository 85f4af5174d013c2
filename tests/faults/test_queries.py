"""Slurm is asked once for everybody: a hundred sessions cost it no more job queries than ten."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hpchub.catalogue.load import load_site
from tests.support.cheap import cheap_environment, responder
from tests.support.sdiag import Counting
from tests.support.site import Site
from tests.support.trouble import fill, free
from tests.support.wait import until

QUERIES = 9
SETTLED_SECONDS = 15
"""After so long in the queue nobody looks at a job more often because it has just come."""
A_LITTLE_MORE = 1.25
"""What begins and ends in the middle of a beat."""
RUNS: dict[str, Any] = {"profile": "general/data-preparation", "allocation": "tra26_hack", "size": "small"}
WAITS: dict[str, Any] = {"profile": "general/pytorch", "cluster": "leonardo", "allocation": "tra26_hack"}

Server = tuple[str, str, dict[str, Any]]


def servers(first: int, last: int, choice: dict[str, Any]) -> list[Server]:
    """Spread servers over the 40 seats."""
    return [(f"seat{number % 40 + 1:02d}", f"q{number // 40}", choice) for number in range(first, last)]


@pytest.fixture
def cheap_site(site: Site) -> Iterator[Site]:
    """Jobs that sleep, and no room for whoever wants a GPU on Leonardo."""
    folder = site.folder / "cheap"
    with responder(folder), cheap_environment(folder, site.folder / "environments" / "base" / "x86_64-demo"):
        fill(site)
        try:
            yield site
        finally:
            free(site)
            # One command for all: the fixture below would stop a hundred servers one after the other.
            site.slurm("scancel -M leonardo -n hpchub")
            until(lambda: not site.api("GET", "/users?state=active").json, "the hub to have seen it", 90, 1)


def start_all(site: Site, wanted: Sequence[Server]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda server: site.start(server[0], server[2], server[1]), wanted))
    assert {answer.status for answer in answers} <= {201, 202}


def wait_for(site: Site, **phases: int) -> None:
    """Wait until so many sessions are in each phase."""

    def reached() -> bool:
        sessions = [session["phase"] for session in site.api("GET", "/hpchub/sessions").json]
        return all(sessions.count(phase) == count for phase, count in phases.items())

    until(reached, f"sessions to be {phases}", 120, 1)


def settled(site: Site) -> bool:
    """Tell whether everybody who waits has done so for a while."""
    waiting = [each for each in site.api("GET", "/hpchub/sessions").json if each["phase"] == "queued"]
    last = max(step["epoch"] for session in waiting for step in session["timeline"])
    return bool(time.time() > last + SETTLED_SECONDS)


def most_a_second(site: Site) -> float:
    """While somebody waits in the queue, our jobs are asked about on one beat, and everybody's place on another."""
    beat = load_site(site.folder / "site" / "site.yaml").clusters["leonardo"].watching
    return 1 / beat.waiting_seconds + 1 / beat.queue_seconds


def queries_a_second(site: Site) -> float:
    """Let Slurm be asked some times, and tell how often that is."""
    until(lambda: settled(site), "everybody to have settled in the queue", 90, 1)
    counting = Counting(lambda: site.slurm("sdiag -M leonardo"))
    until(lambda: counting.so_far().job_queries >= QUERIES, f"{QUERIES} job queries", 180, 0.5)
    asked = counting.so_far()
    return asked.job_queries / asked.seconds


def test_a_hundred_sessions_cost_as_many_job_queries_as_ten(cheap_site: Site) -> None:
    site = cheap_site
    start_all(site, [*servers(0, 9, RUNS), *servers(9, 10, WAITS)])
    wait_for(site, ready=9, queued=1)
    with_ten = queries_a_second(site)
    start_all(site, [*servers(10, 65, RUNS), *servers(65, 100, WAITS)])
    wait_for(site, ready=64, queued=36)
    with_hundred = queries_a_second(site)
    assert with_hundred <= with_ten * A_LITTLE_MORE**2
    assert max(with_ten, with_hundred) <= most_a_second(site) * A_LITTLE_MORE
