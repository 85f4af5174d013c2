"""From the catalogue to a build on this machine; :mod:`hpchub.environments.make` does the work.

A running session keeps the build that it started with: a switch moves a link and removes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpchub.catalogue.checked import checked
from hpchub.catalogue.files import read_document
from hpchub.catalogue.load import ENVIRONMENTS
from hpchub.catalogue.model import EnvironmentFile
from hpchub.catalogue.problems import FilesWrong, Problem
from hpchub.environments import make
from hpchub.errors import CatalogueError, HpchubError

PYTHON = Path("/usr/bin/python3")

Tell = Callable[[str], None]
"""Called with each step that takes time, in words."""


class BuildError(HpchubError):
    """A build could not be made, changed or removed; the text is for admins and has the last lines of what failed."""


def environment_path(root: Path, name: str, target: str) -> Path:
    """Give the path under which jobs find the current build."""
    return root / name / target / make.CURRENT


def build(
    catalogue_folder: Path,
    name: str,
    target: str,
    root: Path,
    uv: Path,
    python: Path = PYTHON,
    tell: Tell = lambda step: None,
) -> Path:
    """Build an environment for a software target, if its lock was not built yet, and make it the current one.

    A build is checked before anybody gets it: every module of ``imports``, the notebook server, and that every user can
    read every file.  Gives the path of :func:`environment_path`.

    Raises :class:`CatalogueError` if the catalogue has no such lock, and :class:`BuildError` if this machine or
    ``python`` cannot make it, uv fails or a check does; then nothing is switched.
    """
    try:
        told = {**order(catalogue_folder, name, target, root), "uv": str(uv), "python": str(python)}
        make.make(told, tell)
    except make.MakeError as error:
        raise BuildError(str(error)) from error
    return environment_path(root, name, target)


def order(catalogue_folder: Path, name: str, target: str, root: Path) -> dict[str, Any]:
    """Write the order for :func:`hpchub.environments.make.make`, but for the programs of the machine that makes it.

    Raises :class:`CatalogueError` without such a lock.
    """
    folder = catalogue_folder / ENVIRONMENTS / name
    declared = declaration(folder)
    return {
        "root": str(root),
        "name": name,
        "target": target,
        "lock": lock_of(folder, declared, target).read_text(encoding="utf-8"),
        "python_version": declared.python,
        "imports": list(declared.imports),
        "made_by": f"hpchub {version('jupyterhub-hpc')}",
    }


def declaration(folder: Path) -> EnvironmentFile:
    """Read ``environment.yaml`` of a folder; raise :class:`CatalogueError` where there is none or it is wrong."""
    if not (folder / "environment.yaml").is_file():
        names = sorted(path.parent.name for path in folder.parent.glob("*/environment.yaml"))
        raise CatalogueError(f"{folder.parent}: no environment {folder.name!r}; possible: {', '.join(names) or 'none'}")
    problems: list[Problem] = []
    environment = checked(read_document(folder / "environment.yaml"), EnvironmentFile, problems)
    if environment is None:
        raise FilesWrong(problems)
    return environment


def lock_of(folder: Path, declared: EnvironmentFile, target: str) -> Path:
    """Give the lock for a target; raise :class:`CatalogueError` where there is none."""
    if declared.kind != "venv":
        raise CatalogueError(f"{folder}: an environment of the kind {declared.kind} is not built; its cluster has it")
    locks = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if target not in locks:
        raise CatalogueError(f"{folder}: no lock for target {target!r}; possible: {', '.join(locks) or 'none'}")
    return locks[target]
