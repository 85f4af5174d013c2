"""Builds of an environment: one folder a lock, made beside the old one and switched in one step.

.. code-block:: text

    <root>/<name>/<target>/3f9a1c02b7de/   a build, named by its lock and its Python; never changed once it is there
    <root>/<name>/<target>/current         → the build that new sessions get

A running session keeps the build that it started with: a switch moves the link and removes nothing.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from hpchub.catalogue.files import checked, read_document
from hpchub.catalogue.load import ENVIRONMENTS
from hpchub.catalogue.model import EnvironmentFile
from hpchub.errors import CatalogueError, HpchubError

PYTHON = Path("/usr/bin/python3")
UV_SECONDS = 3600


class BuildError(HpchubError):
    """A build could not be made; the text is for admins and has the last lines of what failed."""


def environment_path(root: Path, name: str, target: str) -> Path:
    """Give the path under which jobs find the current build."""
    return root / name / target / "current"


def build(catalogue_folder: Path, name: str, target: str, root: Path, uv: Path, python: Path = PYTHON) -> Path:
    """Build an environment for a software target, if its lock was not built yet, and make it the current one.

    Gives the path of :func:`environment_path`.  Raises :class:`CatalogueError` if the catalogue has no such lock, and
    :class:`BuildError` if this machine or ``python`` cannot make it or uv fails; then nothing is switched.
    """
    folder = catalogue_folder / ENVIRONMENTS / name
    lock = _lock(folder, name, target)
    version = _python_version(python)
    _check_machine(_declared_python(folder), target, python, version)
    place = root / name / target
    finished = place / sha256(lock.read_bytes() + version.encode()).hexdigest()[:12]
    if not finished.is_dir():
        _make(finished, lock, uv, python)
    _switch(place / "current", finished.name)
    return environment_path(root, name, target)


def _lock(folder: Path, name: str, target: str) -> Path:
    if not (folder / "environment.yaml").is_file():
        names = sorted(path.parent.name for path in folder.parent.glob("*/environment.yaml"))
        raise CatalogueError(f"{folder.parent}: no environment {name!r}; possible: {', '.join(names) or 'none'}")
    locks = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if target not in locks:
        raise CatalogueError(f"{folder}: no lock for target {target!r}; possible: {', '.join(locks) or 'none'}")
    return locks[target]


def _declared_python(folder: Path) -> str:
    problems: list[str] = []
    environment = checked(read_document(folder / "environment.yaml"), EnvironmentFile, problems)
    if environment is None:
        raise CatalogueError("\n".join(problems))
    return environment.python


def _python_version(python: Path) -> str:
    return _run([str(python), "-I", "-c", "import platform; print(platform.python_version())"], python.parent).strip()


def _check_machine(wanted: str, target: str, python: Path, version: str) -> None:
    if not version.startswith(f"{wanted}."):
        raise BuildError(f"{python} is Python {version}, and the environment was locked for {wanted}")
    architecture = target.partition("-")[0]
    if architecture != platform.machine():
        raise BuildError(f"target {target} must be built on {architecture}; this machine is {platform.machine()}")
    # The venv's interpreter is a link to this one, and jobs run as their user.
    real = python.resolve()
    closed = [path for path in (real, *real.parents) if not path.stat().st_mode & stat.S_IXOTH]
    if closed:
        raise BuildError(f"not every user can execute {real}, because of the mode of {closed[0]}; take another Python")


def _make(finished: Path, lock: Path, uv: Path, python: Path) -> None:
    old_umask = os.umask(0o022)
    try:
        finished.parent.mkdir(parents=True, exist_ok=True)
        work = Path(mkdtemp(prefix=".build-", dir=finished.parent))
        try:
            venv = work / finished.name
            # In `work`, so that uv takes no settings from a project in the caller's folder.
            _run([str(uv), "venv", "--quiet", "--relocatable", "--python", str(python), str(venv)], work)
            sync = [str(uv), "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode"]
            _run([*sync, "--python", f"{venv}/bin/python", str(lock.absolute())], work)
            _open_to_all(venv)
            _rename(venv, finished)
        finally:
            shutil.rmtree(work)
    finally:
        os.umask(old_umask)


def _open_to_all(folder: Path) -> None:
    """Let every user read what was built: files may come from a cache that a stricter umask has filled."""
    for parent, _folders, files in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in files)):
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                continue
            needed = 0o555 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o444
            if mode & needed != needed:
                os.chmod(path, stat.S_IMODE(mode) | needed)


def _rename(venv: Path, finished: Path) -> None:
    try:
        venv.rename(finished)
    except OSError:
        # Another build of the same lock was quicker: both are the same, and its own is in place.
        if not finished.is_dir():
            raise


def _switch(link: Path, to: str) -> None:
    if link.is_symlink() and os.readlink(link) == to:
        return
    fresh = link.with_name(f".current-{os.getpid()}")
    fresh.symlink_to(to)
    fresh.replace(link)


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=UV_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]} could not be run: {error}") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-20:])
        raise BuildError(f"{' '.join(command)} exited with {done.returncode}:\n{last}")
    return done.stdout
