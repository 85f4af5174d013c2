"""End the jobs of all clusters, and whatever outlived its daemon.

A slurmstepd and its job outlive the slurmd that started them, and a job's processes may outlive the slurmstepd.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from devcluster.daemons import Process, all_processes, belongs_to, end, living_pid, wait_until
from devcluster.fleet import commands_environment
from devcluster.layout import Layout

CANCEL_SECONDS = 12
"""Slurm gives each process of a job KillWait = 5 s between SIGTERM and SIGKILL."""


def cluster_names(layout: Layout) -> list[str]:
    """The clusters of a folder, read from what was written there."""
    return sorted(path.parent.name for path in (layout.root / "etc").glob("*/slurm.conf"))


def cancel_all_jobs(layout: Layout) -> None:
    """Cancel the jobs of each cluster that answers, and wait until they are gone or the time is over."""
    alive = [name for name in cluster_names(layout) if living_pid(layout, f"slurmctld-{name}") is not None]
    for cluster in alive:
        # Pending first, or they would start on what the running ones leave.
        for state in ("PENDING", "SUSPENDED", "RUNNING"):
            _slurm(layout, cluster, "scancel", f"--state={state}")
    wait_until(
        lambda: not any(_slurm(layout, cluster, "squeue", "--noheader") for cluster in alive), CANCEL_SECONDS, 0.2
    )


def end_everything(layout: Layout) -> None:
    """End all processes of the folder: nodes and their jobs, then the controllers, then what these need."""
    _end_daemons(layout, "slurmd-")
    processes = all_processes()
    end(leftovers(processes, layout, step_daemons(processes, layout)), patience_seconds=3)
    for names in ("slurmctld-", "slurmdbd", "mariadbd", "munged"):
        _end_daemons(layout, names)
    # Those whose pid file a kill prevented.
    end([process.pid for process in all_processes() if belongs_to(process, layout)], patience_seconds=10)


def leftovers(processes: Iterable[Process], layout: Layout, stepds: frozenset[int]) -> list[int]:
    """Pick the step daemons, all that descends from them, and what their jobs left behind; pure.

    What is left behind is known by the environment that Slurm gives a job.  The variable SLURM_CONF alone would also
    be that of an admin's shell.
    """
    by_parent: dict[int, list[int]] = {}
    found: set[int] = set(stepds)
    for process in processes:
        by_parent.setdefault(process.parent, []).append(process.pid)
        names = {variable.partition("=")[0] for variable in process.environment}
        in_our_cluster = any(each.startswith(f"SLURM_CONF={layout.root}/") for each in process.environment)
        if in_our_cluster and "SLURM_JOB_ID" in names:
            found.add(process.pid)
    waiting = list(found)
    while waiting:
        children = [pid for pid in by_parent.get(waiting.pop(), []) if pid not in found]
        found.update(children)
        waiting.extend(children)
    return sorted(found)


def step_daemons(processes: Iterable[Process], layout: Layout) -> frozenset[int]:
    """Find the slurmstepds of our nodes by their sockets, since they clear their environment and arguments."""
    sockets = set()
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines():
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7].startswith(f"{layout.root}/spool/"):
            sockets.add(f"socket:[{fields[6]}]")
    stepds = [process.pid for process in processes if process.name.startswith("slurmstepd")]
    return frozenset(pid for pid in stepds if sockets & _open_files(pid))


def _open_files(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            found.add(os.readlink(descriptor))
    return found


def _end_daemons(layout: Layout, name_start: str) -> None:
    names = [path.stem for path in layout.pid_file("any").parent.glob(f"{name_start}*.pid")]
    pids = [living_pid(layout, name) for name in names]
    end([pid for pid in pids if pid is not None], patience_seconds=10)


def _slurm(layout: Layout, cluster: str, *argv: str) -> str:
    """Run a command of Slurm and return what it printed; nothing where it failed or hung."""
    try:
        done = subprocess.run(
            argv, env=commands_environment(layout, cluster), text=True, capture_output=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip()
