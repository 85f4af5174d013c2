"""What every step of the demo needs: its line of progress, other programs, and errors that are one sentence."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINES_OF_A_FAILURE = 25

Argv = Sequence[str | Path]


class DemoError(Exception):
    """Something that a person can act on; its text says what to do."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print one line for a step that takes time: its title, and when it is done its seconds."""
    began = time.monotonic()
    print(f"{title} … ", end="", flush=True)
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - began:.1f} s", flush=True)


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Do file work with the rights of a user.

    What lies in a folder of the hub's may be a link that the hub has made; root would follow it anywhere.
    """
    entry = pwd.getpwnam(user)
    groups = os.getgroups()
    os.setgroups([entry.pw_gid])
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def put_before_jobs(pid: int) -> None:
    """Have a daemon's processes run before those of jobs, as they would where jobs run on other machines.

    Linux divides its time between sessions (setsid), and each job is one (``autogroup`` in sched(7)): of a hundred that
    start together, a hub would get a hundredth.  A service of systemd has a share of its own and does not need this.
    """
    # A kernel without it divides its time between processes, and a container may not let us.
    with suppress(OSError):
        Path("/proc", str(pid), "autogroup").write_text("-10")


def system_environment(**more: str) -> dict[str, str]:
    """Return an environment that takes nothing over from the caller."""
    return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/root", **more}


def caller_environment(**more: str) -> dict[str, str]:
    """Return the caller's environment: mirrors, proxies and certificate authorities of a machine are set there.

    What belongs to a Python environment that happens to be active does not come along.
    """
    foreign = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX"}
    return {name: value for name, value in os.environ.items() if name not in foreign} | more


def run(argv: Argv, *, environment: Mapping[str, str], folder: Path | None = None) -> None:
    """Run a program to its end; it has no standard input, and its output is shown only when it fails.

    Raises :class:`DemoError` with the command, its exit status and the end of its output.
    """
    words = [str(word) for word in argv]
    result = subprocess.run(
        words,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-LINES_OF_A_FAILURE:])
        raise DemoError(f"`{' '.join(words)}` failed with exit status {result.returncode}:\n{tail}")
