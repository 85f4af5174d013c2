"""Trouble that tests make for a site, and how they see whether it is over: full nodes, a controller that hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.site import Site
from tests.support.wait import until


def fill(site: Site) -> None:
    """Take all GPU nodes with one job of dario's."""
    job = "-A aifac_manif01 -p boost_usr_prod -N 10 --exclusive -t 60 -J filler -o /dev/null --wrap='sleep 3600'"
    site.slurm(f"sbatch -M leonardo {job}", as_user="dario")
    until(lambda: "R" in site.slurm("squeue -M leonardo -h -n filler -o %t").split(), "all nodes to be taken")


def free(site: Site) -> None:
    """Give them back."""
    site.slurm("scancel -M leonardo -n filler", as_user="dario")


def reachable(site: Site) -> bool:
    try:
        return site.get("/user/ada/api").status == 200
    except OSError:
        return False


def answers(site: Site) -> bool:
    clusters = site.api("GET", "/hpchub/snapshot").json.values()
    return all(each["taken_epoch"] and not each["silent_since_epoch"] for each in clusters)


def controller(site: Site, cluster: str) -> int:
    """Give the process id of a cluster's slurmctld."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0].endswith(b"slurmctld") and any(f"/{cluster}/".encode() in word for word in arguments):
            return int(each.name)
    raise AssertionError(f"{cluster} has no slurmctld")


def process_of(site: Site, daemon: str) -> int:
    """Give the process id of a daemon of the site's Slurm, by its name (``munged``)."""
    return int((site.folder / "run" / f"{daemon}.pid").read_text())


@contextmanager
def silent(site: Site, cluster: str = "leonardo") -> Iterator[None]:
    """The cluster's controller hangs."""
    pid = controller(site, cluster)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
