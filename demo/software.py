"""The demo's software: the hub with its locked dependencies, and the proxy.

Everything comes from the cache, without a network, and only when what it is made from has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from demo.cache import HUB, PROXY, digest, node_folder, npm_ci, uv, uv_environment
from demo.place import PYTHON, REPOSITORY, Place
from demo.steps import Argv, run, step, system_environment

PROJECT = [REPOSITORY / name for name in ("pyproject.toml", "hpchub", "spawners")]


def install(place: Place) -> None:
    """Install what is missing or has changed of the hub, this project and the proxy."""
    _when_changed(place.venv, "hub", digest(HUB), lambda: _install_hub(place))
    project = digest(HUB, *PROJECT)
    _when_changed(place.venv, "project", project, lambda: install_project(place, place.venv))
    _when_changed(place.proxy, "proxy", digest(PROXY), lambda: _install_proxy(place))


def _install_hub(place: Place) -> None:
    with step("installing the hub"):
        run([uv(place), "venv", "--quiet", "--clear", place.venv], environment=uv_environment(place))
        options: Argv = ["--quiet", "--offline", "--require-hashes", "--python", place.venv / "bin" / "python"]
        run([uv(place), "pip", "sync", *options, HUB], environment=uv_environment(place))
        compiled = place.cache / "fetched" / "hub"
        if os.environ.get("HPCHUB_ISOLATED") == "1" and _made_from(compiled, "compiled") == digest(HUB):
            # The same files; in memory uv copies them, and bytecode belongs to a file with its time of change.
            copy: Argv = ["cp", "--archive", "--remove-destination", compiled / "lib", place.venv]
            run(copy, environment=system_environment())
        else:
            _compile(place.venv)
        (place.venv / "bin" / "node").symlink_to(node_folder(place.venv) / "bin" / "node")


def compile_fetched(place: Place) -> None:
    """Compile the cache's copy of the hub's software: once for all isolated commands, each of which has its own."""
    fetched = place.cache / "fetched" / "hub"
    _when_changed(fetched, "compiled", digest(HUB), lambda: _compile(fetched))


def _compile(venv: Path) -> None:
    run([PYTHON, "-m", "compileall", "-q", "-j", "0", venv / "lib"], environment=system_environment())


def install_project(place: Place, venv: Path) -> None:
    """Install this project as a wheel into a Python environment: what runs does not change when the clone does."""
    with step("installing this project"):
        options = ["--quiet", "--offline", "--no-deps", "--no-build-isolation", "--reinstall", "--compile-bytecode"]
        run(
            [uv(place), "pip", "install", *options, "--python", venv / "bin" / "python", REPOSITORY],
            # uv tells builds apart by pyproject.toml alone
            environment=uv_environment(place) | {"UV_NO_CACHE": "1"},
        )


def _install_proxy(place: Place) -> None:
    with step("installing the proxy"):
        npm_ci(PROXY, place.venv, place.proxy, place.cache / "npm", offline=True)


def _when_changed(folder: Path, name: str, wanted: str, install: Callable[[], None]) -> None:
    """Call `install` unless the folder's mark says that it has been done from the same sources."""
    if _made_from(folder, name) != wanted:
        install()
        _mark(folder, name).write_text(wanted)


def _mark(folder: Path, name: str) -> Path:
    return folder / f".{name}-made-from"


def _made_from(folder: Path, name: str) -> str | None:
    mark = _mark(folder, name)
    return mark.read_text() if mark.is_file() else None
