"""Locks: what an environment asks for, resolved for one software target, with the hash of every wheel that fits it.

.. code-block:: text

    environments/targets.yaml               what each software target is: platform, GPU or not, constraints
    environments/<name>/requirements.in     what is asked for on every target
    environments/<name>/gpu.in              what is added on targets with a GPU; may be absent
    environments/<name>/<target>.txt        the lock

uv resolves.  A lock holds no source package and no wheel of another platform, so that a build runs no foreign code and
takes exactly the files that are named in it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from pydantic import Field, StringConstraints

from hpchub.catalogue.checked import checked
from hpchub.catalogue.fields import Line, Model, SoftwareTarget
from hpchub.catalogue.files import read_document
from hpchub.catalogue.load import ENVIRONMENTS
from hpchub.catalogue.model import EnvironmentFile
from hpchub.catalogue.packages import pins
from hpchub.catalogue.problems import FilesWrong, Problem
from hpchub.environments.build import BuildError
from hpchub.environments.make import MakeError, run
from hpchub.errors import CatalogueError

TARGETS = "targets.yaml"
LOCK_SECONDS = 600
M = TypeVar("M", bound=Model)


class Target(Model):
    """What the locks of a software target are resolved for."""

    platform: Annotated[str, StringConstraints(pattern=r"^(x86_64|aarch64)-manylinux_2_\d{2}$")]
    """The processor and the oldest glibc, in uv's words."""
    gpu: bool
    constraints: tuple[Line, ...] = ()
    """As in a constraints file of pip's."""


class TargetsFile(Model):
    """``environments/targets.yaml``."""

    targets: Mapping[SoftwareTarget, Target] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock as it should be, beside what its file says."""

    environment: str
    target: str
    path: Path
    text: str
    before: str

    @property
    def changed(self) -> bool:
        return self.text != self.before

    @property
    def packages(self) -> int:
        return len(pins(self.text))

    def differences(self) -> list[str]:
        """Say what differs, a package a line: ``numpy 2.3.5 → 2.4.0``."""
        old, new = pins(self.before), pins(self.text)
        return [
            f"{name} {old.get(name, '–')} → {new.get(name, '–')}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]


def read_targets(catalogue_folder: Path) -> Mapping[str, Target]:
    """Read ``environments/targets.yaml``; raise :class:`CatalogueError` with what is wrong with it."""
    path = catalogue_folder / ENVIRONMENTS / TARGETS
    return _checked(path, TargetsFile).targets


def names_of(catalogue_folder: Path, wanted: Sequence[str] = ()) -> list[str]:
    """Give the environments that have locks, all or those wanted; raise :class:`CatalogueError` for an unknown one."""
    there = sorted(path.parent.name for path in (catalogue_folder / ENVIRONMENTS).glob("*/requirements.in"))
    unknown = [name for name in wanted if name not in there]
    if unknown:
        folder = catalogue_folder / ENVIRONMENTS
        raise CatalogueError(f"{folder}: {unknown[0]!r} has no requirements.in; possible: {', '.join(there) or 'none'}")
    return list(wanted) or there


def resolve(catalogue_folder: Path, name: str, target: str, uv: Path, *, upgrade: bool = False) -> Lock:
    """Resolve one environment for one target; writes nothing.

    What the present lock says is kept where it still satisfies the requirements; with `upgrade`, nothing is.

    Raises :class:`CatalogueError` if a file is not as it should be, and :class:`BuildError` if uv finds no solution.
    """
    targets = read_targets(catalogue_folder)
    if target not in targets:
        path = catalogue_folder / ENVIRONMENTS / TARGETS
        raise CatalogueError(f"{path}: no target {target!r}; possible: {', '.join(targets)}")
    folder = catalogue_folder / ENVIRONMENTS / name
    python = _checked(folder / "environment.yaml", EnvironmentFile).python
    path = folder / f"{target}.txt"
    before = path.read_text() if path.is_file() else ""
    with TemporaryDirectory() as work:
        result = Path(work) / "pylock.toml"
        if before and not upgrade:
            # uv keeps what the file says that it is to write.
            result.write_text(as_pylock(pins(before)))
        constraints = Path(work) / "constraints.txt"
        constraints.write_text("\n".join(targets[target].constraints))
        sources = [folder / "requirements.in", *([folder / "gpu.in"] if targets[target].gpu else [])]
        command = [uv, "pip", "compile", "--quiet", "--format", "pylock.toml", "--output-file", result]
        command += ["--python-version", python, "--python-platform", targets[target].platform]
        command += ["--only-binary", ":all:", "--no-header", "--constraints", constraints]
        command += [source.absolute() for source in sources if source.is_file()]
        # In `work`, so that uv takes no settings from a project in the caller's folder.
        try:
            run([str(word) for word in command], work, LOCK_SECONDS)
        except MakeError as error:
            raise BuildError(f"{name} cannot be locked for {target}: {error}") from error
        packages = tomllib.loads(result.read_text()).get("packages", [])
    header = f"# Made by `hpchub environments lock`: wheels for Python {python} on {targets[target].platform}."
    return Lock(name, target, path, f"{header}\n{as_requirements(packages)}", before)


def as_pylock(versions: Mapping[str, str]) -> str:
    """Write versions in the form in which uv reads what it should keep (PEP 751, without files)."""
    packages = (
        f"[[packages]]\nname = {json.dumps(name)}\nversion = {json.dumps(version)}\n"
        for name, version in versions.items()
    )
    return 'lock-version = "1.0"\ncreated-by = "hpchub"\n' + "".join(packages)


def as_requirements(packages: Iterable[Mapping[str, Any]]) -> str:
    """Write the packages of a PEP 751 lock as requirements with hashes, each below the names of its wheels.

    Addresses are left out: a site may reach the registry by another name, or have a mirror.
    """
    lines = []
    for package in sorted(packages, key=lambda package: str(package["name"])):
        wheels = sorted((_file_name(wheel), wheel["hashes"]["sha256"]) for wheel in package["wheels"])
        lines += [f"# {name}" for name, _digest in wheels]
        lines += [f"{package['name']}=={package['version']} \\"]
        lines += [" \\\n".join(f"    --hash=sha256:{digest}" for _name, digest in wheels)]
    return "".join(f"{line}\n" for line in lines)


def _file_name(wheel: Mapping[str, Any]) -> str:
    return unquote(str(wheel.get("name") or str(wheel["url"]).rpartition("/")[2]))


def _checked(path: Path, model: type[M]) -> M:
    problems: list[Problem] = []
    found = checked(read_document(path), model, problems)
    if found is None:
        raise FilesWrong(problems)
    return found
