"""The demo's software: the hub with its locked dependencies, the proxy, and the environment that notebooks run in.

Everything comes from the cache, without a network, and only when what it is made from has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from demo.cache import HUB, PROXY, digest, node_folder, npm_ci, uv, uv_environment
from demo.place import ENVIRONMENT, PYTHON, REPOSITORY, SOFTWARE_TARGET, Place
from demo.steps import Argv, run, step, system_environment

PROJECT = [REPOSITORY / name for name in ("pyproject.toml", "hpchub", "spawners")]


def install(place: Place) -> None:
    """Install what is missing or has changed of the hub, this project and the proxy."""
    _when_changed(place.venv, "hub", digest(HUB), lambda: _install_hub(place))
    project = digest(HUB, *PROJECT)
    _when_changed(place.venv, "project", project, lambda: _install_project(place))
    _when_changed(place.proxy, "proxy", digest(PROXY), lambda: _install_proxy(place))


def build_environment(place: Place) -> None:
    """Build the environment of the notebooks; the site file must be in place."""
    sources = digest(REPOSITORY / "profiles" / "environments" / ENVIRONMENT, REPOSITORY / "hpchub" / "environments")

    def build() -> None:
        with step(f"building the environment {ENVIRONMENT}"):
            command: Argv = [place.venv / "bin" / "hpchub", "environments", "build", ENVIRONMENT]
            options: Argv = ["--target", SOFTWARE_TARGET, "--site", place.site]
            environment = uv_environment(place) | {"UV_OFFLINE": "1", "UV_REQUIRE_HASHES": "1"}
            environment["PATH"] = f"{place.venv / 'bin'}:{environment['PATH']}"
            run([*command, *options], environment=environment)

    _when_changed(place.folder / "environments", ENVIRONMENT, sources, build)


def _install_hub(place: Place) -> None:
    with step("installing the hub"):
        run([uv(place), "venv", "--quiet", "--clear", place.venv], environment=uv_environment(place))
        options: Argv = ["--quiet", "--offline", "--require-hashes", "--python", place.venv / "bin" / "python"]
        run([uv(place), "pip", "sync", *options, HUB], environment=uv_environment(place))
        compile_all: Argv = [PYTHON, "-m", "compileall", "-q", "-j", "0", place.venv / "lib"]
        run(compile_all, environment=system_environment())
        (place.venv / "bin" / "node").symlink_to(node_folder(place.venv) / "bin" / "node")


def _install_project(place: Place) -> None:
    """Install this project as a wheel: what runs does not change when the clone does."""
    with step("installing this project"):
        options = ["--quiet", "--offline", "--no-deps", "--no-build-isolation", "--reinstall", "--compile-bytecode"]
        run(
            [uv(place), "pip", "install", *options, "--python", place.venv / "bin" / "python", REPOSITORY],
            # uv tells builds apart by pyproject.toml alone
            environment=uv_environment(place) | {"UV_NO_CACHE": "1"},
        )


def _install_proxy(place: Place) -> None:
    with step("installing the proxy"):
        npm_ci(place.venv, place.proxy, place.cache / "npm", offline=True)


def _when_changed(folder: Path, name: str, wanted: str, install: Callable[[], None]) -> None:
    """Call `install` unless the folder's mark says that it has been done from the same sources."""
    mark = folder / f".{name}-made-from"
    if mark.is_file() and mark.read_text() == wanted:
        return
    install()
    mark.write_text(wanted)
