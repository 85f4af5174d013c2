"""What lies below the root of the builds: looked at, verified, switched, removed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpchub.catalogue.load import ENVIRONMENTS
from hpchub.catalogue.model import Catalogue
from hpchub.environments import make
from hpchub.environments.build import BuildError
from hpchub.environments.usage import jobs_with, processes_in, silent
from hpchub.slurm.model import ClusterView

UNDER_WAY_SECONDS = 120
"""A start that resolved the current build before a switch reaches Slurm within this time: the launcher gives up after
75 s by default."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build."""

    environment: str
    target: str
    id: str
    folder: Path
    current: bool
    """Whether new sessions get it."""
    manifest: Mapping[str, Any]
    """What it was made from; empty where it has none that can be read."""

    @property
    def name(self) -> str:
        """Its name among all: ``<environment>/<target>/<id>``."""
        return f"{self.environment}/{self.target}/{self.id}"

    @property
    def made_epoch(self) -> int:
        return int(self.manifest.get("made_epoch", self.folder.stat().st_mtime))

    def is_of(self, lock: Path) -> bool:
        """Tell whether it was made from a lock as it is now."""
        try:
            text = lock.read_bytes()
        except OSError:
            return False
        return bool(self.manifest.get("lock_sha256") == hashlib.sha256(text).hexdigest())


def builds_below(root: Path, environment: str = "*", target: str = "*") -> list[Build]:
    """Find the builds, those of one environment or one target if they are named, in the order of their names."""
    found = []
    for place in sorted(root.glob(f"{environment}/{target}")):
        link = place / make.CURRENT
        current = os.readlink(link) if link.is_symlink() else ""
        for folder in sorted(place.iterdir()):
            # What begins with a dot is being made, or was left behind by a machine that stopped.
            if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
                name = (place.parent.name, place.name, folder.name)
                found.append(Build(*name, folder, folder.name == current, _manifest(folder)))
    return found


def find(root: Path, environment: str, target: str, build_id: str) -> Build:
    """Find one build; raise :class:`BuildError` with what there is."""
    there = builds_below(root, environment, target)
    for build in there:
        if build.id == build_id:
            return build
    possible = ", ".join(build.id for build in there) or "none"
    raise BuildError(f"{root / environment / target}: there is no build {build_id!r}; possible: {possible}")


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((folder / make.MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def switch(build: Build) -> None:
    """Let new sessions get this build, an older one for example; what runs keeps its own.

    Raises :class:`BuildError` if it has no manifest: it was not made whole, or not by this tool.
    """
    if not build.manifest:
        raise BuildError(f"{build.folder} has no {make.MANIFEST} that can be read, so it is not switched to")
    make.switch(str(build.folder.parent), build.id)


def verify(build: Build) -> list[str]:
    """Compare a build with its manifest and try it; return what is wrong, one sentence each.

    What was made for another architecture is compared and not tried.
    """
    if not build.manifest:
        return [f"there is no {make.MANIFEST} that can be read"]
    listed = build.folder / make.FILES
    if not listed.is_file() or make.digest(str(listed)) != build.manifest["files_sha256"]:
        return [f"{make.FILES} is not the list that was made with the build"]
    wanted = dict(_lines(listed)) | {path: f"-> {to}" for path, to in build.manifest["links"].items()}
    found = dict(make.contents(str(build.folder)))
    problems = [f"{path} is missing" for path in sorted(wanted.keys() - found.keys())]
    problems += [f"{path} was not there when it was made" for path in sorted(found.keys() - wanted.keys())]
    problems += [f"{path} has changed" for path in sorted(wanted.keys() & found.keys()) if wanted[path] != found[path]]
    problems += make.closed_to_others(str(build.folder))
    if build.target.partition("-")[0] == platform.machine():
        problems += make.check_runs(str(build.folder), build.manifest["imports"])
    return problems


def _lines(listed: Path) -> Iterator[tuple[str, str]]:
    with listed.open(encoding="utf-8") as file:
        for line in file:
            digest, _, path = line.rstrip("\n").partition("  ")
            yield path, digest


def remove(build: Build, catalogue: Catalogue, views: Mapping[str, ClusterView]) -> None:
    """Remove a build that nobody uses.

    Raises :class:`BuildError` if it is the current one, if a job or a process of this machine uses it, or if a cluster
    that may run such a job does not say what it runs.
    """
    why = why_not_remove(build, catalogue, views)
    if why:
        raise BuildError(f"{build.name} is not removed: {why}")
    # Out of sight in one step; what a stopped removal leaves behind begins with a dot.
    doomed = build.folder.with_name(f".removed-{build.id}-{os.getpid()}")
    build.folder.rename(doomed)
    shutil.rmtree(doomed)


def why_not_remove(build: Build, catalogue: Catalogue, views: Mapping[str, ClusterView]) -> str | None:
    """Say what keeps a build from being removed; None where nothing does."""
    link = build.folder.parent / make.CURRENT
    if build.current:
        return "it is the current one; switch to another one first"
    if link.is_symlink() and (left := link.lstat().st_mtime + UNDER_WAY_SECONDS - time.time()) > 0:
        return f"builds were switched a moment ago, and a start under way may still take it; try again in {left:.0f} s"
    clusters = [
        name
        for name, cluster in catalogue.site.clusters.items()
        if cluster.state == "open" and cluster.software_target == build.target
    ]
    if unknown := silent(views, clusters):
        return f"{', '.join(unknown)} does not answer, so nobody knows whether a job there uses it"
    if jobs := jobs_with(build.name, views.values()):
        listed = ", ".join(f"{job.job_id} of {job.user} on {cluster}" for cluster, job in jobs[:5])
        return f"{len(jobs)} jobs use it: {listed}"
    if processes := processes_in(build.folder):
        return f"{len(processes)} processes of this machine use it: {', '.join(map(str, processes[:5]))}"
    return None


def lock_of(catalogue: Catalogue, build: Build) -> Path:
    """Where the catalogue has the lock of such a build, if it has one."""
    return catalogue.site.profiles / ENVIRONMENTS / build.environment / f"{build.target}.txt"
