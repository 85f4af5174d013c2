"""The demo's environments: built once into the cache, from where they come into the demo's folder without a network.

They are built by `hpchub`'s own code, which checks what it builds.  A build never changes, so that its files can be
shared: by hard links, or inside an isolated command, where /run is memory, by a layer over the cache.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.cache import digest, uv, uv_environment
from demo.place import REPOSITORY, SOFTWARE_TARGET, Place
from demo.software import install_project
from demo.steps import run, step, system_environment

ENVIRONMENTS = REPOSITORY / "profiles" / "environments"
DECLARED = "environment.yaml"
BUILD = """
import sys
from pathlib import Path
from hpchub.environments.build import build
catalogue, name, target, root, uv = sys.argv[1:]
build(Path(catalogue), name, target, Path(root), Path(uv))
"""


def names() -> list[str]:
    """List the environments that have a lock for the demo."""
    return sorted(lock.parent.name for lock in ENVIRONMENTS.glob(f"*/{SOFTWARE_TARGET}.txt"))


def built(place: Place) -> Path:
    """Return the folder of the cache where builds lie as `hpchub` lays them out."""
    return place.cache / "environments"


def fetch(place: Place) -> None:
    """Build what is not built yet; the cache must have the hub's software."""
    stamp = built(place) / ".made-from"
    wanted = digest(*(ENVIRONMENTS / name / file for name in names() for file in (f"{SOFTWARE_TARGET}.txt", DECLARED)))
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    built(place).mkdir(parents=True, exist_ok=True)
    hub = place.cache / "fetched" / "hub"
    install_project(place, hub)
    with step(f"building {len(names())} environments"), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda name: _build(place, hub, name), names()))
    stamp.write_text(wanted)


def lay(place: Place) -> None:
    """Put the builds into the demo's folder."""
    folder = place.environments
    if os.environ.get("HPCHUB_ISOLATED") == "1":
        if not folder.is_mount():
            _lay_over(built(place), folder)
        return
    folder.mkdir(mode=0o755, exist_ok=True)
    stamp, mark = built(place) / ".made-from", folder / ".made-from"
    if mark.is_file() and mark.read_text() == stamp.read_text():
        return
    with step("putting the environments in place"):
        for name in names():
            _link(built(place) / name / SOFTWARE_TARGET, folder / name / SOFTWARE_TARGET)
        mark.write_text(stamp.read_text())


def remove(place: Place) -> None:
    """Take a layer away, so that the folder can be removed."""
    if place.environments.is_mount():
        subprocess.run(["umount", place.environments], check=True)


def _build(place: Place, hub: Path, name: str) -> None:
    program: Sequence[str | Path] = [hub / "bin" / "python", "-I", "-c", BUILD]
    arguments: Sequence[str | Path] = [REPOSITORY / "profiles", name, SOFTWARE_TARGET, built(place), uv(place)]
    run([*program, *arguments], environment=uv_environment(place))


def _link(source: Path, target: Path) -> None:
    """Bring the current build into a folder of builds, and switch to it; older ones stay where they are."""
    build = os.readlink(source / "current")
    target.mkdir(parents=True, exist_ok=True)
    if not (target / build).is_dir():
        work = target / f".build-{build}"
        options = ["--archive", "--link"] if _can_link(source / "current", target) else ["--archive"]
        run(["rm", "-rf", work], environment=system_environment())
        run(["cp", *options, source / build, work], environment=system_environment())
        work.rename(target / build)
    fresh = target / ".current-demo"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(build)
    fresh.replace(target / "current")


def _can_link(file: Path, folder: Path) -> bool:
    """Tell whether a file can have a second name in a folder: not in another mount, even of the same disk."""
    name = folder / ".link"
    name.unlink(missing_ok=True)
    try:
        os.link(file, name, follow_symlinks=False)
    except OSError:
        return False
    name.unlink()
    return True


def _lay_over(lower: Path, folder: Path) -> None:
    """Show a folder at another place, where changes stay in memory and end with the namespace."""
    changes = folder.with_name("environments.changes")
    for path in (folder, changes / "upper", changes / "work"):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    # redirect_dir: tests rename builds
    layers = f"lowerdir={lower},upperdir={changes / 'upper'},workdir={changes / 'work'},redirect_dir=on"
    run(["mount", "-t", "overlay", "overlay", "-o", layers, folder], environment=system_environment())
