"""Makes one build of an environment from its lock, checks it and switches to it.

Standard library only and Python 3.9 or newer: where only a cluster itself can make a build, a job carries this very
file there (:mod:`hpchub.environments.on_cluster`).

.. code-block:: text

    <root>/<name>/<target>/3f9a1c02b7de/           a build, named by its lock and its Python; never changed afterwards
                               hpchub-build.json   its manifest: from what it was made, by what, when
                               hpchub-files.sha256 every file with its digest; `sha256sum -c` reads it
    <root>/<name>/<target>/current                 → the build that new sessions get
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MANIFEST = "hpchub-build.json"
FILES = "hpchub-files.sha256"
CURRENT = "current"
UV_SECONDS = 3600
CHECK_SECONDS = 600
"""How long the imports of an environment may take: a large one on a cold parallel file system takes minutes."""

COMPILER = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0)"
"""Packages carry files that are no valid Python on purpose (templates, test data), so that mistakes are no news."""
IMPORTER = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}")
"""


class MakeError(Exception):
    """The build could not be made, or a check failed; nothing was switched.  The text is for admins."""


def build_id(lock: bytes, version: str) -> str:
    """Name a build by all that decides what is in it: the lock, and the version of its Python."""
    return hashlib.sha256(lock + version.encode()).hexdigest()[:12]


def make(order: dict[str, Any], tell: Callable[[str], None] = lambda step: None) -> str:
    """Make a build, unless it is there, and switch to it; return its id.

    Args:
        order: ``root``, ``name``, ``target``; the text of the ``lock``; ``python_version`` that it was made for
            (``3.11``), the ``python`` and the ``uv`` to use; ``imports`` to check; ``made_by``, for the manifest.
        tell: called with each step that takes time, in words.

    Raises :class:`MakeError`.
    """
    lock = str(order["lock"]).encode()
    version = python_version(order["python"])
    check_machine(order, version)
    place = os.path.join(order["root"], order["name"], order["target"])
    name = build_id(lock, version)
    if not os.path.isdir(os.path.join(place, name)):
        before = os.umask(0o022)
        try:
            _make(order, lock, version, place, name, tell)
        finally:
            os.umask(before)
    switch(place, name)
    return name


def python_version(python: str) -> str:
    """Ask a Python for its full version."""
    return run([python, "-I", "-c", "import platform; print(platform.python_version())"], "/", UV_SECONDS).strip()


def check_machine(order: dict[str, Any], version: str) -> None:
    """Refuse a Python or a machine that cannot make this build."""
    python = order["python"]
    if not version.startswith(f"{order['python_version']}."):
        raise MakeError(f"{python} is Python {version}, and the environment was locked for {order['python_version']}")
    architecture = order["target"].partition("-")[0]
    if architecture != platform.machine():
        raise MakeError(
            f"target {order['target']} must be built on {architecture}; this machine is {platform.machine()}"
        )
    # The venv's interpreter is a link to this one, and jobs run as their user.
    real = os.path.realpath(python)
    paths = [real]
    while paths[-1] != "/":
        paths.append(os.path.dirname(paths[-1]))
    closed = [path for path in paths if not os.stat(path).st_mode & stat.S_IXOTH]
    if closed:
        raise MakeError(f"not every user can execute {real}, because of the mode of {closed[0]}; take another Python")


def _make(order: dict[str, Any], lock: bytes, version: str, place: str, name: str, tell: Callable[[str], None]) -> None:
    try:
        os.makedirs(place, exist_ok=True)
        work = tempfile.mkdtemp(prefix=".build-", dir=place)
    except OSError as error:
        raise MakeError(f"{place}: {error}") from error
    try:
        folder = os.path.join(work, name)
        lock_file = os.path.join(work, "lock.txt")
        with open(lock_file, "wb") as file:
            file.write(lock)
        uv = order["uv"]
        # In `work`, so that uv takes no settings from a project in the caller's folder.
        run([uv, "venv", "--quiet", "--relocatable", "--python", order["python"], folder], work, UV_SECONDS)
        packages = sum(1 for line in lock.splitlines() if line[:1].isalnum())
        tell(f"installing {packages} packages")
        sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", f"{folder}/bin/python", lock_file]
        run(sync, work, UV_SECONDS)
        share_bytecode(folder, order["root"], version)
        run([f"{folder}/bin/python", "-I", "-c", COMPILER, f"{folder}/lib"], work, UV_SECONDS)
        open_to_all(folder)
        tell(f"checking {len(order['imports'])} imports and the notebook server")
        problems = [*check_runs(folder, order["imports"]), *closed_to_others(folder)]
        if problems:
            raise MakeError(
                "\n".join([f"{order['name']} for {order['target']} was built and does not work:", *problems])
            )
        tell("writing down every file")
        _write_manifest(folder, order, lock, version, run([uv, "--version"], work, UV_SECONDS).split()[1])
        try:
            os.rename(folder, os.path.join(place, name))
        except OSError:
            # Another build of the same lock was quicker: both are the same, and its own is in place.
            if not os.path.isdir(os.path.join(place, name)):
                raise
    except OSError as error:
        raise MakeError(f"{place}: {error}") from error
    finally:
        shutil.rmtree(work)


def share_bytecode(folder: str, root: str, version: str) -> None:
    """Link the bytecode that other builds of the same Python have of the very same files.

    uv links the files of a package from its cache, so that builds share them, and most of a build's time is compiling.
    Bytecode names no folder that matters: Python puts the file's own path in when it loads it.
    """
    sources = {_identity(path): path for path in _sources(folder)}
    for build in _builds(root, version):
        for path in _sources(build):
            ours = sources.get(_identity(path))
            cached = importlib.util.cache_from_source(path)
            if ours is not None and os.path.isfile(cached):
                del sources[_identity(ours)]
                target = importlib.util.cache_from_source(ours)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                # What cannot be linked (some file systems limit it) is compiled like the rest.
                with contextlib.suppress(OSError):
                    os.link(cached, target)


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _sources(folder: str) -> Iterator[str]:
    for parent, _folders, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names if name.endswith(".py"))


def _builds(root: str, version: str) -> Iterator[str]:
    """Give the finished builds of the Python that runs this, all environments and targets."""
    if version != platform.python_version():
        return  # its bytecode has another name
    for listed in glob.glob(os.path.join(glob.escape(root), "*", "*", "*", MANIFEST)):
        with open(listed, encoding="utf-8") as file:
            if json.load(file)["python"] == version:
                yield os.path.dirname(listed)


def open_to_all(folder: str) -> None:
    """Let every user read what was built: files may come from a cache that a stricter umask has filled."""
    for path, mode in _modes(folder):
        needed = _needed(mode)
        if mode & needed != needed:
            os.chmod(path, stat.S_IMODE(mode) | needed)


def closed_to_others(folder: str) -> list[str]:
    """Say what of a build some user cannot read."""
    return [
        f"{path} cannot be read by every user" for path, mode in _modes(folder) if mode & _needed(mode) != _needed(mode)
    ]


def _needed(mode: int) -> int:
    return 0o555 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o444


def _modes(folder: str) -> Iterator[tuple[str, int]]:
    for parent, _folders, names in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in names)):
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode):
                yield path, mode


def check_runs(folder: str, imports: list[str]) -> list[str]:
    """Try what sessions will need: the interpreter, the modules, the notebook server; return what does not work."""
    problems = []
    program = os.path.join(folder, "bin", "jupyterhub-singleuser")
    # A home of its own: nothing of the caller's settings or packages takes part.
    with tempfile.TemporaryDirectory() as home:
        try:
            # -B: a check leaves nothing behind in the build.
            command = [f"{folder}/bin/python", "-I", "-B", "-c", IMPORTER, *imports]
            said = run(command, home, CHECK_SECONDS, HOME=home)
            problems += ["cannot import " + line for line in said.splitlines() if line.partition(":")[0] in imports]
            if os.path.isfile(program):
                run([f"{folder}/bin/python", "-I", "-B", program, "--version"], home, CHECK_SECONDS, HOME=home)
            else:
                problems.append("it has no jupyterhub-singleuser: add jupyterhub to its requirements")
        except MakeError as error:
            problems.append(str(error))
    return problems


def contents(folder: str) -> Iterator[tuple[str, str]]:
    """Give every file of a build with its digest, and every link with ``-> `` and where it leads, in order of names."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in sorted([*names, *links]):
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, folder)
            if relative in (MANIFEST, FILES):
                continue
            yield relative, "-> " + os.readlink(path) if os.path.islink(path) else digest(path)


def digest(path: str) -> str:
    """Give the SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _write_manifest(folder: str, order: dict[str, Any], lock: bytes, version: str, uv_version: str) -> None:
    found = list(contents(folder))
    links = {path: what[3:] for path, what in found if what.startswith("-> ")}
    files = [(path, what) for path, what in found if path not in links]
    listed = os.path.join(folder, FILES)
    with open(listed, "w", encoding="utf-8") as file:
        file.writelines(f"{what}  {path}\n" for path, what in files)
    manifest = {
        "environment": order["name"],
        "target": order["target"],
        "lock_sha256": hashlib.sha256(lock).hexdigest(),
        "python": version,
        "uv": uv_version,
        "made_epoch": int(time.time()),
        "made_by": order["made_by"],
        "imports": list(order["imports"]),
        "files": len(files),
        "files_sha256": digest(listed),
        "links": links,
        "bytes": sum(os.lstat(os.path.join(folder, path)).st_size for path, _ in files),
    }
    with open(os.path.join(folder, MANIFEST), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")


def switch(place: str, name: str) -> None:
    """Let new sessions get this build, in one step."""
    link = os.path.join(place, CURRENT)
    if os.path.islink(link) and os.readlink(link) == name:
        return
    fresh = os.path.join(place, f".{CURRENT}-{platform.node()}-{os.getpid()}")
    os.symlink(name, fresh)
    os.replace(fresh, link)


def run(command: list[str], folder: str, seconds: int, **variables: str) -> str:
    """Run a program in a folder and return its output; raise :class:`MakeError` with its last words if it fails."""
    foreign = ("JUPYTER", "PYTHON", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MakeError(f"{command[0]} could not be run: {error}") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-20:])
        raise MakeError(f"{' '.join(command[:8])} exited with {done.returncode}:\n{last}")
    return done.stdout


def main() -> int:
    """Carry out the order on standard input, inside a job; the last line of output is the result, as JSON."""
    try:
        name = make(json.load(sys.stdin), lambda step: print(f"hpchub: {step}", flush=True))
    except MakeError as error:
        print(json.dumps({"failed": str(error)}), flush=True)
        return 1
    print(json.dumps({"built": name}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
