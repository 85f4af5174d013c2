"""Which daemons a cluster folder has, and how its owner talks to them."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.config import assign_ports
from devcluster.daemons import Daemon, living_pid
from devcluster.database import mariadb
from devcluster.errors import DevclusterError
from devcluster.layout import Layout
from devcluster.spec import Cluster, ClustersSpec


@dataclass(frozen=True, slots=True)
class Fleet:
    """All daemons, in the order of their start."""

    base: tuple[Daemon, ...]
    slurmdbd: Daemon
    slurmctlds: tuple[Daemon, ...]
    slurmds: tuple[Daemon, ...]

    @property
    def slurm(self) -> tuple[Daemon, ...]:
        """Those that read Slurm's configuration."""
        return (self.slurmdbd, *self.slurmctlds, *self.slurmds)

    @property
    def all(self) -> tuple[Daemon, ...]:
        """Every one."""
        return (*self.base, *self.slurm)


def fleet_of(layout: Layout, spec: ClustersSpec) -> Fleet:
    """Tell which daemons there are to be."""
    ports = assign_ports(spec)
    slurmdbd = Daemon(
        "slurmdbd",
        _on_localhost("slurmdbd", "-D", user="slurm"),
        port=ports.slurmdbd,
        # It finds its file beside slurm.conf, which need not exist, and its database by the client library's variable.
        environment={
            "SLURM_CONF": str(layout.slurmdbd_conf.with_name("slurm.conf")),
            "MYSQL_UNIX_PORT": str(layout.mysql_socket),
        },
    )
    slurmctlds = tuple(
        Daemon(
            f"slurmctld-{cluster.name}",
            _on_localhost("slurmctld", "-D", "-f", str(layout.slurm_conf(cluster.name)), user="slurm"),
            port=ports.slurmctld[cluster.name],
        )
        for cluster in spec.clusters
    )
    slurmds = tuple(
        Daemon(
            f"slurmd-{node}",
            _on_localhost("slurmd", "-D", "-N", node, "-f", str(layout.slurm_conf(cluster.name))),
            port=ports.slurmd[node],
        )
        for cluster in spec.clusters
        for node in cluster.node_names
    )
    return Fleet((_munged(layout), mariadb(layout)), slurmdbd, slurmctlds, slurmds)


def _on_localhost(*argv: str, user: str = "root") -> list[str]:
    """Wrap a daemon of Slurm so that it listens on 127.0.0.1.

    All of them listen on the address of the host's name (NoInAddrAny), which Debian's /etc/hosts makes 127.0.1.1, and
    which may be public or unknown.  In a namespace of their own the host's name is localhost; jobs see the same.
    """
    as_user = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["unshare", "--uts", "sh", "-c", f"hostname localhost && exec {shlex.join([*as_user, *argv])}"]


def _munged(layout: Layout) -> Daemon:
    argv = [
        "munged",
        "--foreground",
        f"--socket={layout.munge_socket}",
        f"--key-file={layout.munge}/munge.key",
        f"--seed-file={layout.munge}/munge.seed",
        f"--pid-file={layout.munge}/munged.pid",
    ]
    return Daemon("munged", argv, user="munge")


def commands_environment(layout: Layout, cluster: str) -> dict[str, str]:
    """The environment in which Slurm's commands talk to one cluster."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SLURM_CONF": str(layout.slurm_conf(cluster))}


def require_free_ports(layout: Layout, fleet: Fleet, base_port: int) -> None:
    """Check that each daemon that does not run could have its port.

    :raises DevclusterError: naming the port and the daemon.
    """
    for daemon in fleet.all:
        if daemon.port is not None and living_pid(layout, daemon.name) is None and not _is_free(daemon.port):
            raise DevclusterError(
                f"port {daemon.port} of 127.0.0.1, which {daemon.name} needs, is taken by another program; "
                f"end that program or change base_port = {base_port} in clusters.toml"
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier daemon that are still being closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listens(port: int) -> bool:
    """Tell whether somebody answers on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def slurm_version() -> tuple[int, int]:
    """The installed Slurm's version, (22, 5) for ``slurm-wlm 22.05.8``.

    :raises DevclusterError: slurmd says something else.
    """
    said = subprocess.run(["slurmd", "-V"], text=True, capture_output=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None:
        raise DevclusterError(f"slurmd -V does not tell its version: {said.strip()!r}")
    return int(found[1]), int(found[2])


def user_exists(name: str) -> bool:
    """Tell whether the machine has a user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def make_devices(folder: Path, clusters: tuple[Cluster, ...]) -> None:
    """Make the device files that stand for GPUs, as many as the largest node has.

    They are /dev/null by other names: Slurm looks at the file only, and no driver of a real GPU is reached.
    """
    count = max((group.gpus for cluster in clusters for group in cluster.node_groups), default=0)
    for number in range(count):
        path = folder / f"gpu{number}"
        if path.exists():
            continue
        try:
            os.mknod(path, 0o020666, os.makedev(1, 3))
        except PermissionError:
            # A container without the right to make devices; slurmd takes a plain file too.
            path.touch(mode=0o666)
