"""What must hold after a request that may start nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.site import Site


def jobs_of(site: Site, user: str) -> set[str]:
    """The jobs of a user that Slurm remembers, in whatever state: id and time of submission."""
    return set(site.slurm(f"squeue -h -M leonardo,it4lia --states=all -u {user} -o '%i %V'").splitlines())


def active_servers(site: Site, user: str) -> list[str]:
    """The names of a user's servers that run or are on their way."""
    return list(site.api("GET", f"/users/{user}").json["servers"])


@contextmanager
def nothing_starts(site: Site, user: str) -> Iterator[None]:
    """Check that meanwhile no server of a user starts, none gets a job, and the hub logs no traceback."""
    servers, jobs, logged = active_servers(site, user), jobs_of(site, user), site.hub_log.stat().st_size
    yield
    assert active_servers(site, user) == servers
    assert jobs_of(site, user) <= jobs  # Slurm forgets old ones
    assert "Traceback" not in site.log(logged)
