"""Start a daemon, tell whether it lives, end it.

All daemons run in the foreground as children of `up`, which gives each a session of its own, a log and a pid file.
Each carries the folder's name in its environment; a pid counts only if that process carries it too, so that a number
which the kernel gave to another process after a crash is never taken for ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.layout import Layout

MARK = "HPCHUB_DEVCLUSTER"
"""Names the cluster folder in the environment of each daemon, and of what slurmd starts."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """How one daemon is started."""

    name: str
    argv: Sequence[str]
    user: str = "root"
    port: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc says about a process."""

    pid: int
    parent: int
    uid: int
    name: str
    command: str
    environment: frozenset[str]


def read_process(pid: int) -> Process | None:
    """Read a process from /proc; None if there is none, or only a zombie."""
    folder = Path("/proc", str(pid))
    try:
        # The name in the second field is in brackets and may contain anything, brackets included.
        name, _, rest = folder.joinpath("stat").read_text(errors="replace").partition(" (")[2].rpartition(") ")
        state, parent = rest.split()[:2]
        if state in "ZX":
            return None
        return Process(
            pid=pid,
            parent=int(parent),
            uid=folder.stat().st_uid,
            name=name,
            command=folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip(),
            environment=frozenset(folder.joinpath("environ").read_bytes().decode(errors="replace").split("\0")),
        )
    except (OSError, ValueError):
        return None


def all_processes() -> list[Process]:
    """Read every process that is seen from here."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [process for process in map(read_process, pids) if process is not None]


def own_processes() -> list[Process]:
    """Read every process of this pid namespace itself, without those of namespaces below it.

    From outside an isolated command is seen too, and its users may have the same uids as ours.
    """
    return [process for process in all_processes() if _pid_namespace(str(process.pid)) == _pid_namespace("self")]


def _pid_namespace(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def belongs_to(process: Process, layout: Layout) -> bool:
    """Tell whether a process is a daemon of this folder, or was started by one."""
    return f"{MARK}={layout.root}" in process.environment


def living_pid(layout: Layout, name: str) -> int | None:
    """The pid of a daemon that lives, by its name; None if it does not."""
    try:
        pid = int(layout.pid_file(name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    process = read_process(pid)
    return pid if process is not None and belongs_to(process, layout) else None


def start(daemon: Daemon, layout: Layout) -> subprocess.Popen[bytes]:
    """Start a daemon in the background and write its pid file."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", MARK: str(layout.root)}
    with layout.log(daemon.name).open("ab") as log:
        child = subprocess.Popen(
            daemon.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment | daemon.environment,
            user=daemon.user,
            group=daemon.user,
            extra_groups=[],
            cwd="/",
            umask=0o022,
        )
    layout.pid_file(daemon.name).write_text(f"{child.pid}\n", encoding="ascii")
    return child


def end(pids: Iterable[int], *, patience_seconds: float) -> None:
    """Ask processes to end, wait, and kill those that are still there."""
    left = _signal(pids, signal.SIGTERM)
    if left and not wait_until(lambda: not _living(left), patience_seconds):
        killed = _signal(_living(left), signal.SIGKILL)
        wait_until(lambda: not _living(killed), 5)


def wait_until(holds: Callable[[], object], seconds: float, pause_seconds: float = 0.05) -> bool:
    """Wait until a condition holds; return whether it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True


def wait_for_start(
    children: dict[str, subprocess.Popen[bytes]], holds: Callable[[], object], layout: Layout, seconds: float = 60
) -> None:
    """Wait until daemons that were just started answer.

    :raises DevclusterError: one of them ended, or the time is over; the end of its log is in the text.
    """
    dead: list[str] = []

    def answered_or_died() -> bool:
        dead.extend(name for name, child in children.items() if child.poll() is not None)
        return bool(dead) or bool(holds())

    in_time = wait_until(answered_or_died, seconds)
    if dead:
        raise DevclusterError(f"{dead[0]} ended at once; its last words:\n{log_tail(layout, dead[0])}")
    if not in_time:
        names = ", ".join(children) or "what runs already"
        raise DevclusterError(f"no answer within {seconds:g} s from {names}; see the logs in {layout.root}/log")


def log_tail(layout: Layout, name: str, lines: int = 10) -> str:
    """The last lines of a daemon's log."""
    try:
        return "\n".join(layout.log(name).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def _signal(pids: Iterable[int], number: signal.Signals) -> list[int]:
    reached = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        reached.append(pid)
    return reached


def _living(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if read_process(pid) is not None]
