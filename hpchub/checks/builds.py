"""Whether the build of an environment can be used by everybody: what can be seen without running it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hpchub.catalogue.model import Environment
from hpchub.checks.finding import Finding, fault, fine, not_checked
from hpchub.environments.build import environment_path

PROGRAMS = ("python", "jupyterhub-singleuser")
"""What a session starts; every user must be able to run it."""


def check_build(root: Path, environment: Environment, target: str, subject: str, place: str = "") -> Finding:
    """Look at the current build of an environment for a software target, as the people who start it will see it."""
    if environment.kind != "venv":
        what = "modules of the cluster" if environment.kind == "module" else "an image on the nodes"
        return not_checked(
            subject, f"environment {environment.name} is {what}.", "`hpchub profiles smoke` tries it in a job.", place
        )
    build = f"hpchub environments build {environment.name} --target {target}"
    current = environment_path(root, environment.name, target)
    missing = _missing(current)
    if missing is None:
        return fine(subject, f"environment {environment.name} is built for {target} and open to everybody.", place)
    path, reason = missing
    if reason == "missing" and path == current:
        says = f"environment {environment.name} is not built for {target}: there is no {current}."
        return fault(subject, says, f"Run `{build}`.", place)
    if reason == "missing":
        says = f"the build {os.path.realpath(current)} of environment {environment.name} has no {path.name}."
        return fault(subject, says, f"Put jupyterhub into its requirements, or build it again: `{build}`.", place)
    says = f"environment {environment.name} cannot be used by everybody: {path} is closed to others."
    return fault(subject, says, f"Run `chmod -R o+rX {path}`; jobs run as their users.", place)


def _missing(current: Path) -> tuple[Path, str] | None:
    """Find the first thing in the way of a user: a path, and whether it is ``missing`` or ``closed``."""
    build = Path(os.path.realpath(current))
    for folder in (*reversed(current.parents), *reversed(build.parents), build, build / "bin"):
        found = _obstacle(folder, stat.S_IXOTH)
        if found:
            return (current, found) if found == "missing" else (folder, found)
    for name in PROGRAMS:
        found = _obstacle(current / "bin" / name, stat.S_IXOTH | stat.S_IROTH)
        if found:
            return current / "bin" / name, found
    return None


def _obstacle(path: Path, needed: int) -> str:
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return "closed"
    except OSError:
        return "missing"
    return "" if mode & needed == needed else "closed"
