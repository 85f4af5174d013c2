"""Where everything of a cluster folder lies, and the marker without which nothing is ever removed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

LONGEST_DIR = 60
"""Sockets lie below the folder, and the path of a socket may have 107 characters."""

SYSTEM_FOLDERS = frozenset(
    "/ /bin /boot /dev /etc /home /lib /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var"
    " /usr/local /var/lib /var/tmp /var/log /var/cache /var/run /run/lock /dev/shm".split()
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one cluster folder."""

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says that this folder is ours, and which users and groups are."""
        return self.root / ".devcluster.json"

    @property
    def env(self) -> Path:
        """A shell file that makes Slurm's commands talk to these clusters."""
        return self.root / "env"

    @property
    def munge(self) -> Path:
        """Munge's key; belongs to munge."""
        return self.root / "munge"

    @property
    def munge_socket(self) -> Path:
        """Where Slurm's daemons and commands reach our munged."""
        return self.root / "run/munge/munge.sock"

    @property
    def mysql(self) -> Path:
        """The database's files and its socket; belongs to slurm, closed to all others."""
        return self.root / "mysql"

    @property
    def mysql_socket(self) -> Path:
        """Where slurmdbd reaches our MariaDB."""
        return self.mysql / "mysql.sock"

    @property
    def slurmdbd_conf(self) -> Path:
        """slurmdbd's configuration."""
        return self.root / "etc/slurmdbd/slurmdbd.conf"

    @property
    def accounting(self) -> Path:
        """The batch of sacctmgr commands that was carried out last."""
        return self.root / "etc/accounting.sacctmgr"

    @property
    def homes(self) -> Path:
        """The people's homes."""
        return self.root / "home"

    @property
    def hub_home(self) -> Path:
        """The home of the hub's system user."""
        return self.root / "hub"

    @property
    def devices(self) -> Path:
        """The device files that stand for GPUs."""
        return self.root / "dev"

    def slurm_conf(self, cluster: str) -> Path:
        """slurm.conf of a cluster; its gres.conf and cgroup.conf lie beside it."""
        return self.root / "etc" / cluster / "slurm.conf"

    def state(self, cluster: str) -> Path:
        """What slurmctld must not forget."""
        return self.root / "state" / cluster

    def spool(self, cluster: str) -> Path:
        """The slurmds' folders."""
        return self.root / "spool" / cluster

    def pid_file(self, daemon: str) -> Path:
        """The pid of a daemon, by its name here (``slurmd-lrdn0001``)."""
        return self.root / "run" / f"{daemon}.pid"

    def log(self, daemon: str) -> Path:
        """What a daemon says."""
        return self.root / "log" / f"{daemon}.log"


@dataclass(frozen=True, slots=True)
class Marker:
    """What `up` made outside of the folder, written down before it is made."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def layout_for(text: str) -> Layout:
    """Check that a path may become, or is, a cluster folder.

    :raises DevclusterError: it is relative, a link, a folder of the system, too long, or somebody else's.
    """
    root = Path(text)
    if not root.is_absolute() or os.path.normpath(text) != text.rstrip("/") or set(text) & set("\"'$`\\ %\n"):
        raise DevclusterError(f"{text!r} must be an absolute path without .., spaces, quotes, $ or %")
    # A link anywhere on the way could point to another place at the next call.
    if Path(os.path.realpath(root)) != root:
        raise DevclusterError(f"{root} is or contains a symbolic link; name the real folder {os.path.realpath(root)}")
    if str(root) in SYSTEM_FOLDERS or len(root.parts) < 3:
        raise DevclusterError(
            f"{root} is a folder of the system; name a folder of its own, such as /var/lib/my-cluster"
        )
    if len(str(root)) > LONGEST_DIR:
        raise DevclusterError(f"{root} has {len(str(root))} characters, and a socket's path allows {LONGEST_DIR} here")
    return Layout(root)


def require_ours(layout: Layout) -> Marker:
    """Read the marker of a folder that `up` made.

    :raises DevclusterError: the folder is not there, or was not made by `up`.
    """
    if not layout.root.is_dir():
        raise DevclusterError(f"{layout.root} does not exist: no cluster was started there")
    try:
        values = json.loads(layout.marker.read_text(encoding="utf-8"))
        return Marker(tuple(values["users"]), tuple(values["groups"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DevclusterError(
            f"{layout.root} was not made by devcluster (it has no valid {layout.marker.name}); nothing in it is touched"
        ) from error


def require_ours_or_new(layout: Layout) -> Marker:
    """Read the marker where the folder is ours, else check that it can become ours.

    :raises DevclusterError: it has content and no marker, or other users could not reach it.
    """
    if layout.root.is_dir() and any(layout.root.iterdir()):
        return require_ours(layout)
    for parent in layout.root.parents:
        if parent.is_dir() and not parent.stat().st_mode & 0o001:
            raise DevclusterError(f"other users cannot enter {parent}, so their jobs could not run below it")
    return Marker()


def require_no_mounts(layout: Layout, mounts: str) -> None:
    """Check that removing the folder removes nothing of another file system.

    :raises DevclusterError: something is mounted below it, by the text of /proc/self/mounts.
    """
    for line in mounts.splitlines():
        place = line.split()[1]
        if Path(place).is_relative_to(layout.root):
            raise DevclusterError(f"something is mounted at {place}; unmount it before {layout.root} is removed")


def write_marker(layout: Layout, users: Iterable[str], groups: Iterable[str]) -> None:
    """Write down what is made outside of the folder, before it is made."""
    text = json.dumps({"users": sorted(users), "groups": sorted(groups)}, indent=1) + "\n"
    write_file(layout.marker, text, mode=0o644)


def write_file(path: Path, text: str, *, mode: int, owner: str = "root") -> bool:
    """Write a file in one step, so that a kill leaves the old or the new one; return whether it changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        shutil.chown(new, owner)
        file.write(text)
    new.replace(path)
    return True
