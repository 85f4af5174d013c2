"""The site that the rings hub, slurm and browser run against: one for all of them, made at the first need.

They run inside ``python3 -m devcluster isolate``, so the site's users, ports and processes are the tests' own, and are
gone when the tests end, however they end.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import small
from tests.support.site import Site

LOCAL = """\
from jupyterhub.handlers.base import BaseHandler

# whatever leaks into a log leaks at this level
c.JupyterHub.log_level = 10
c.Spawner.debug = True
# so long does the API wait for a start before it answers 202, and every test that queues with it
BaseHandler.slow_spawn_timeout = 3
"""
"""The site's own settings file."""


def pytest_report_header() -> str | None:
    """Say which Slurm runs, in the rings that have one."""
    if os.environ.get("HPCHUB_ISOLATED") != "1":
        return None
    return subprocess.run(["slurmctld", "-V"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def started_site() -> Iterator[Site]:
    """A site that logs all that can be logged."""
    if os.environ.get("HPCHUB_ISOLATED") != "1":
        pytest.fail("this ring makes users and needs its own ports: run it by ./run test RING")
    site = Site(Path("/run/hpchub-test"))
    site.up()
    (site.folder / "site" / "jupyterhub_local.py").write_text(LOCAL)
    site.kill_hub()
    site.start_hub()
    yield site
    site.stop()


@pytest.fixture
def site(started_site: Site) -> Iterator[Site]:
    """The site, without servers before and after each test."""
    yield started_site
    started_site.stop_servers()


@pytest.fixture
def small_servers(started_site: Site) -> Iterator[None]:
    """Sessions that a test starts have a small notebook server, for tests that do not look at JupyterLab."""
    with small.small_servers(started_site.folder / "environments"):
        yield
