"""What is shown to a person: status and logs."""

from __future__ import annotations

import subprocess
import sys

from devcluster.daemons import living_pid, log_tail
from devcluster.errors import DevclusterError
from devcluster.fleet import commands_environment
from devcluster.jobs import cluster_names
from devcluster.layout import Layout, require_ours


def daemon_names(layout: Layout) -> list[str]:
    """Every daemon that was ever started in this folder, and the controllers, which each cluster needs."""
    controllers = {f"slurmctld-{cluster}" for cluster in cluster_names(layout)}
    return sorted(controllers | {path.stem for path in layout.pid_file("any").parent.glob("*.pid")})


def print_status(layout: Layout) -> int:
    """Print a line a daemon and sinfo of each cluster; return 1 if something is down.

    :raises DevclusterError: the folder is not ours.
    """
    require_ours(layout)
    names = daemon_names(layout)
    pids = {name: living_pid(layout, name) for name in names}
    for name, pid in pids.items():
        print(f"{name:24} {pid or '-':>8}  {'up' if pid else 'DOWN'}")
    for cluster in cluster_names(layout):
        print(f"\n{cluster}:", flush=True)
        try:
            subprocess.run(["sinfo"], env=commands_environment(layout, cluster), timeout=5)
        except subprocess.TimeoutExpired:
            print("does not answer")
    return 0 if names and all(pids.values()) else 1


def print_logs(layout: Layout, name: str | None) -> None:
    """Print the end of one daemon's log, or of all.

    :raises DevclusterError: the folder is not ours, or there is no such daemon.
    """
    require_ours(layout)
    names = daemon_names(layout)
    if name is not None and name not in names:
        raise DevclusterError(f"there is no daemon {name!r}; there are {', '.join(names) or 'none'}")
    for each in [name] if name is not None else names:
        sys.stdout.write(f"== {layout.log(each)}\n{log_tail(layout, each, lines=40 if name else 10)}\n\n")
