"""Files → :class:`Catalogue`.

.. code-block:: text

    site.yaml                              the place; its `profiles` names the folder of the rest
    sectors.yaml                           sectors, in the order of the page
    <sector>/<profile>.yaml                one profile a file
    environments/<name>/environment.yaml   one environment a folder, with one lock <target>.txt a software target
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from hpchub.catalogue.checked import checked
from hpchub.catalogue.fields import WORDS
from hpchub.catalogue.files import Document, read_document, read_text
from hpchub.catalogue.model import Catalogue, Environment, EnvironmentFile, Profile, ProfileFile, Sector, SectorsFile
from hpchub.catalogue.packages import pins
from hpchub.catalogue.problems import THE_FILE, FilesWrong, Problem, out_of
from hpchub.catalogue.references import (
    default_profile_problems,
    lock_problem,
    profile_problems,
    untranslated,
    without_build,
)
from hpchub.catalogue.site import Site, SiteFile

ENVIRONMENTS = "environments"
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
TARGET = re.compile(r"[a-z0-9_]+-[a-z0-9]+")
M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")


def load_site(path: Path) -> Site:
    """Read a site file.

    Raises :class:`FilesWrong` with one line for each thing that is wrong.
    """
    path = path.absolute()
    problems: list[Problem] = []
    site = checked(read_document(path), SiteFile, problems)
    if site is None:
        raise FilesWrong(problems)
    return Site(**{**dict(site), "profiles": path.parent / site.profiles, "file": path})


def load_catalogue(site: Site) -> Catalogue:
    """Read all that a site offers.

    Raises :class:`FilesWrong` with one line for each thing that is wrong, of all files together.
    """
    document = read_document(site.file)
    if not site.profiles.is_dir():
        place = ("profiles",)
        raise FilesWrong([document.problem(place, f"{site.profiles} is not a folder", "the folder of the catalogue")])
    reader = _Reader(site)
    sectors = reader.sectors()
    environments = reader.environments()
    profiles = reader.profiles(sectors, environments)
    # A profile with a mistake is not in the list, and would seem to be missing here.
    problems = reader.problems or list(default_profile_problems(document, site, profiles))
    if problems:
        raise FilesWrong(problems)
    return Catalogue(
        site=site,
        sectors=sectors,
        profiles=profiles,
        environments=environments,
        warnings=(*untranslated(document, site.languages), *reader.warnings),
    )


class _Reader:
    """Reads one folder and collects what is wrong in it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.root = os.path.realpath(site.profiles)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.broken: set[str] = set()
        """Environments that are there and have a mistake: a profile that names one has none."""

    def sectors(self) -> Mapping[str, Sector]:
        _, found = self._file(self.site.profiles / "sectors.yaml", SectorsFile)
        return found.sectors if found else {}

    def environments(self) -> Mapping[str, Environment]:
        environments = {}
        for path in _visible((self.site.profiles / ENVIRONMENTS).glob("*/environment.y*ml")):
            folder = path.parent
            if not SLUG.fullmatch(folder.name):
                self._complain(folder, "found this folder", WORDS[f"^{SLUG.pattern}$"])
            if path.suffix != ".yaml":
                self._complain(path, "found this file name", "environment.yaml")
                continue
            document, found = self._file(path, EnvironmentFile)
            if found is None:
                self.broken.add(folder.name)
            if document and found:
                locks = self._locks(document, folder)
                targets = {"venv": locks, "module": found.modules, "apptainer": found.images}[found.kind]
                packages = locks if found.kind == "venv" else {}
                environments[folder.name] = Environment(
                    **dict(found), name=folder.name, targets=frozenset(targets), packages=packages
                )
        return environments

    def _locks(self, document: Document, folder: Path) -> dict[str, dict[str, str]]:
        locks = {}
        for path in _visible(folder.glob("*.txt")):
            text = self._text(path)
            if not TARGET.fullmatch(path.stem):
                self._complain(path, f"{path.stem!r} is no software target", WORDS[f"^{TARGET.pattern}$"])
            elif text is not None:
                problem = lock_problem(document, path.stem, text)
                self.problems += [problem] if problem else []
                locks[path.stem] = pins(text)
        return locks

    def profiles(self, sectors: Mapping[str, Sector], environments: Mapping[str, Environment]) -> Mapping[str, Profile]:
        profiles = {}
        order = {sector: position for position, sector in enumerate(sectors)}
        paths = (path for path in self.site.profiles.glob("*/**/*.y*ml"))
        files = [path for path in _visible(paths) if ENVIRONMENTS not in path.relative_to(self.site.profiles).parts]
        for path in sorted(files, key=lambda path: (order.get(path.parent.name, len(order)), path)):
            if not self._is_in_its_place(path, sectors):
                continue
            document, found = self._file(path, ProfileFile)
            if document and found:
                self.problems += profile_problems(document, found, self.site, {*environments, *self.broken})
                slug = f"{path.parent.name}/{path.stem}"
                profiles[slug] = profile = Profile(**dict(found), slug=slug, sector=path.parent.name)
                if not self.problems:
                    self.warnings += without_build(document, profile, self.site, environments)
        return profiles

    def _is_in_its_place(self, path: Path, sectors: Mapping[str, Sector]) -> bool:
        sector, *rest = path.relative_to(self.site.profiles).parts
        if sectors and sector not in sectors:
            self._complain(path, f"its folder {sector!r} is no sector", out_of(sectors, sector))
        if len(rest) > 1:
            self._complain(path, "lies in a folder of its own", f"{sector}/{path.stem}.yaml")
        elif path.suffix != ".yaml" and path.with_suffix(".yaml").exists():
            self._complain(path, f"{path.with_suffix('.yaml').name} is there too, with the same slug", "one of the two")
        elif path.suffix != ".yaml" or not SLUG.fullmatch(path.stem):
            self._complain(path, "found this file name", "a name of a-z, 0-9 and hyphens that ends in .yaml")
        else:
            return True
        return False

    def _file(self, path: Path, model: type[M]) -> tuple[Document | None, M | None]:
        document = self._read(path, read_document)
        if document is None:
            return None, None
        self.warnings += untranslated(document, self.site.languages)
        return document, checked(document, model, self.problems)

    def _text(self, path: Path) -> str | None:
        return self._read(path, read_text)

    def _read(self, path: Path, read: Callable[[Path], R]) -> R | None:
        target = os.path.realpath(path)
        if os.path.commonpath([self.root, target]) != self.root:
            self._complain(path, f"is a link to {target}, outside of the catalogue", "a file of its own here")
            return None
        try:
            return read(path)
        except FilesWrong as error:
            self.problems += error.problems
            return None

    def _complain(self, path: Path, found: str, possible: str) -> None:
        self.problems.append(Problem(path, 1, THE_FILE, found, possible))


def _visible(paths: Iterable[Path]) -> list[Path]:
    """Sort paths, without those that an editor hides while somebody writes."""
    return sorted(path for path in paths if not path.name.startswith("."))
