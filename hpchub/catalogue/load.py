"""Files → :class:`Catalogue`.

.. code-block:: text

    site.yaml                              the place; its `profiles` names the folder of the rest
    sectors.yaml                           sectors, in the order of the page
    <sector>/<profile>.yaml                one profile a file
    environments/<name>/environment.yaml   one environment a folder, with one lock <target>.txt a software target
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hpchub.catalogue.files import Document, checked, read_document
from hpchub.catalogue.model import Catalogue, Environment, EnvironmentFile, Profile, ProfileFile, Sector, SectorsFile
from hpchub.catalogue.site import Site, SiteFile
from hpchub.errors import CatalogueError

ENVIRONMENTS = "environments"
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def load_site(path: Path) -> Site:
    """Read a site file.

    Raises :class:`CatalogueError` with one line for each thing that is wrong.
    """
    path = path.absolute()
    problems: list[str] = []
    site = checked(read_document(path), SiteFile, problems)
    if site is None:
        raise CatalogueError("\n".join(problems))
    return Site(**{**dict(site), "profiles": path.parent / site.profiles, "file": path})


def load_catalogue(site: Site) -> Catalogue:
    """Read all that a site offers.

    Raises :class:`CatalogueError` with one line for each thing that is wrong, of all files together.
    """
    if not site.profiles.is_dir():
        raise CatalogueError(f"{site.file}: profiles: {site.profiles} is not a folder")
    problems: list[str] = []
    sectors = _sectors(site.profiles / "sectors.yaml", problems)
    environments = _environments(site.profiles / ENVIRONMENTS, problems)
    profiles = _profiles(site, sectors, environments, problems)
    # A profile with a mistake is not in the list, and would seem to be missing here.
    problems = problems or _default_profile_problems(site, profiles)
    if problems:
        raise CatalogueError("\n".join(problems))
    return Catalogue(site=site, sectors=sectors, profiles=profiles, environments=environments)


def environments_without_build(catalogue: Catalogue) -> list[str]:
    """Say which profiles make no offers on an open cluster because their environment has no lock for it."""
    return [
        f"{profile.slug}: no offers on {run.cluster}: environment {profile.environment} has no lock for its "
        f"software target {target} (it has: {', '.join(sorted(environment.targets)) or 'none'})"
        for profile in catalogue.profiles.values()
        for run in profile.runs_on
        if catalogue.site.clusters[run.cluster].state == "open"
        if (target := catalogue.site.clusters[run.cluster].software_target)
        not in (environment := catalogue.environments[profile.environment]).targets
    ]


def _read(path: Path, problems: list[str]) -> Document | None:
    try:
        return read_document(path)
    except CatalogueError as error:
        problems.append(str(error))
        return None


def _sectors(path: Path, problems: list[str]) -> Mapping[str, Sector]:
    document = _read(path, problems)
    found = checked(document, SectorsFile, problems) if document else None
    return found.sectors if found else {}


def _environments(folder: Path, problems: list[str]) -> Mapping[str, Environment]:
    environments = {}
    for path in sorted(folder.glob("*/environment.yaml")):
        document = _read(path, problems)
        found = checked(document, EnvironmentFile, problems) if document else None
        if found:
            name = path.parent.name
            targets = frozenset(lock.stem for lock in path.parent.glob("*.txt"))
            environments[name] = Environment(**dict(found), name=name, targets=targets)
    return environments


def _profiles(
    site: Site, sectors: Mapping[str, Sector], environments: Mapping[str, Environment], problems: list[str]
) -> Mapping[str, Profile]:
    profiles = {}
    order = {sector: position for position, sector in enumerate(sectors)}
    paths = [path for path in site.profiles.glob("*/*.y*ml") if path.parent.name != ENVIRONMENTS]
    for path in sorted(paths, key=lambda path: (order.get(path.parent.name, len(order)), path)):
        sector = path.parent.name
        if sectors and sector not in sectors:
            problems.append(f"{path}:1: the folder {sector!r} is no sector; possible: {', '.join(sectors)}")
        if path.suffix != ".yaml" or not SLUG.fullmatch(path.stem):
            problems.append(f"{path}:1: the file name must be of a-z, 0-9 and hyphens and end in .yaml")
            continue
        document = _read(path, problems)
        found = checked(document, ProfileFile, problems) if document else None
        if document and found:
            problems += _reference_problems(document, found, site, environments)
            slug = f"{sector}/{path.stem}"
            profiles[slug] = Profile(**dict(found), slug=slug, sector=sector)
    return profiles


def _reference_problems(
    document: Document, profile: ProfileFile, site: Site, environments: Mapping[str, Environment]
) -> list[str]:
    def unknown(place: tuple[str | int, ...], found: str, possible: Mapping[str, object]) -> str:
        return document.problem(place, f"found {found!r}; possible: {', '.join(possible) or 'none is defined'}")

    problems = []
    if profile.environment not in environments:
        problems.append(unknown(("environment",), profile.environment, environments))
    for position, run in enumerate(profile.runs_on):
        cluster = site.clusters.get(run.cluster)
        if cluster is None:
            problems.append(unknown(("runs_on", position, "cluster"), run.cluster, site.clusters))
        elif run.gpu_type is not None and run.gpu_type not in cluster.gpus:
            problems.append(unknown(("runs_on", position, "gpu_type"), run.gpu_type, cluster.gpus))
    return problems


def _default_profile_problems(site: Site, profiles: Mapping[str, Profile]) -> list[str]:
    missing = [
        position
        for position, pattern in enumerate(site.default_profiles)
        if not any(fnmatchcase(slug, pattern) for slug in profiles)
    ]
    if not missing:
        return []
    document = read_document(site.file)
    return [
        document.problem(
            ("default_profiles", position),
            f"{site.default_profiles[position]!r} matches no profile; possible: {', '.join(profiles) or 'none'}",
        )
        for position in missing
    ]
