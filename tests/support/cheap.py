"""Notebook servers that cost next to nothing: jobs that sleep, and one process that answers for all of them.

Everything on the hub's side is real: offers, launcher, ``sbatch``, watcher, reports, routes.  Only what runs inside
the job is not: in place of an environment's Python stands a small program that hands the session to
:mod:`tests.support.responder` and sleeps.  So a thousand sessions fit on a small machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.wait import until

RESPONDER = Path(__file__).with_name("responder.py")
SYSTEM_PYTHON = "/usr/bin/python3"

# One write of less than PIPE_BUF bytes: lines of many jobs do not mix (pipe(7)).
PROGRAM = """\
#!/bin/sh
# Stands for a notebook server: hands its session to the responder, and sleeps.
printf '%s\\t%s\\t%s\\t%s\\n' {kind} "$JUPYTERHUB_API_URL" "$JUPYTERHUB_API_TOKEN" "${{HPCHUB_SESSION-}}" >{fifo}
exec sleep 86400
"""


def program(kind: str, folder: Path) -> str:
    """Give the program of the jobs: ``hpchub`` speaks to our hub, ``batchspawner`` to one with that package."""
    return PROGRAM.format(kind=kind, fifo=folder / "sessions")


@contextmanager
def responder(folder: Path) -> Iterator[None]:
    """Run the process that answers for all; its FIFO lies in the folder."""
    folder.mkdir(mode=0o755, exist_ok=True)
    fifo, port_file = folder / "sessions", folder / "port"
    fifo.unlink(missing_ok=True)
    port_file.unlink(missing_ok=True)
    os.mkfifo(fifo)
    # Every user's jobs write; only root reads the tokens.
    fifo.chmod(0o622)
    process = subprocess.Popen([SYSTEM_PYTHON, "-I", RESPONDER, fifo, port_file], stdin=subprocess.DEVNULL)
    try:
        until(lambda: port_file.exists() and port_file.read_text(), "the responder to listen")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def cheap_environment(folder: Path, builds: Path) -> Iterator[None]:
    """Let new sessions get the cheap program instead of an environment's current build.

    Args:
        folder: the responder's.
        builds: where the builds of one environment for one software target lie (``…/base/x86_64-demo``).
    """
    with another_build(builds, "cheap") as programs:
        (programs / "python").write_text(program("hpchub", folder))
        (programs / "python").chmod(0o755)
        yield


@contextmanager
def another_build(builds: Path, name: str) -> Iterator[Path]:
    """Let new sessions get a build of the tests' own instead of the current one; give the folder of its programs."""
    programs = builds / name / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    real = os.readlink(builds / "current")
    _switch(builds, name)
    try:
        yield programs
    finally:
        _switch(builds, real)


def _switch(builds: Path, name: str) -> None:
    fresh = builds / ".current-cheap"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(builds / "current")
