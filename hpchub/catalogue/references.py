"""What one file says of another: names that must exist, sizes that must fit, texts and builds that are missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from hpchub.catalogue.files import Document
from hpchub.catalogue.model import Environment, Profile, ProfileFile, Size
from hpchub.catalogue.problems import Place, Problem, out_of
from hpchub.catalogue.site import Site


def profile_problems(
    document: Document, profile: ProfileFile, site: Site, environments: Collection[str]
) -> Iterator[Problem]:
    """Find what a profile names that is not there, and sizes that no node of a place can hold."""
    if profile.environment not in environments:
        yield document.unknown(("environment",), profile.environment, sorted(environments))
    for position, run in enumerate(profile.runs_on):
        cluster = site.clusters.get(run.cluster)
        if cluster is None:
            yield document.unknown(("runs_on", position, "cluster"), run.cluster, site.clusters)
            continue
        if run.gpu_type is not None and run.gpu_type not in cluster.gpus:
            yield document.unknown(("runs_on", position, "gpu_type"), run.gpu_type, cluster.gpus)
        node = cluster.nodes.get(run.partition)
        for name, size in profile.sizes.items() if node else ():
            for field in ("gpus", "cores", "memory_mb"):
                most, asked = getattr(node, field), getattr(size, field)
                # A larger size is right where another place of the profile holds it.
                if asked > most and not _held_elsewhere(profile, size, site, position):
                    found = f"{asked} is more than a node of {run.partition} on {run.cluster} has"
                    yield document.problem(("sizes", name, field), found, f"at most {most}")


def _held_elsewhere(profile: ProfileFile, size: Size, site: Site, position: int) -> bool:
    for other, run in enumerate(profile.runs_on):
        cluster = site.clusters.get(run.cluster)
        node = cluster.nodes.get(run.partition) if cluster else None
        large = node is None or (
            node.gpus >= size.gpus and node.cores >= size.cores and node.memory_mb >= size.memory_mb
        )
        if other != position and large:
            return True
    return False


def default_profile_problems(document: Document, site: Site, profiles: Mapping[str, Profile]) -> Iterator[Problem]:
    """Find the entries of the site that match no profile: ``default_profiles``, ``own_environments``, ``console``."""
    files = site.console.files_profile if site.console else None
    if files is not None and files not in profiles:
        yield document.unknown(("console", "files_profile"), files, profiles)
    own = site.own_environments
    if own and own.like not in profiles:
        yield document.unknown(("own_environments", "like"), own.like, profiles)
    for position, pattern in enumerate(site.default_profiles):
        if not any(fnmatchcase(slug, pattern) for slug in profiles):
            place = ("default_profiles", position)
            yield document.problem(place, f"{pattern!r} matches no profile", out_of(profiles, pattern))


def without_build(
    document: Document, profile: Profile, site: Site, environments: Mapping[str, Environment]
) -> Iterator[Problem]:
    """Find the open clusters on which a profile makes no offers, because its environment is not there for them."""
    environment = environments[profile.environment]
    for position, run in enumerate(profile.runs_on):
        cluster = site.clusters[run.cluster]
        target = cluster.software_target
        if cluster.state == "open" and target not in environment.targets:
            found = f"no offers on {run.cluster}: environment {environment.name} has no lock for {target}"
            possible = f"a lock {target}.txt (it has: {', '.join(sorted(environment.targets)) or 'none'})"
            yield document.problem(("runs_on", position, "cluster"), found, possible)


def untranslated(document: Document, languages: Sequence[str]) -> Iterator[Problem]:
    """Find the texts that lack one of the site's languages; English is shown in its place."""
    for place, text in _texts(document.data, ()):
        for language in languages:
            if language not in text:
                yield document.problem((*place, language), "is not translated", f'{language}: "…"; English is shown')


def _texts(value: object, place: Place) -> Iterator[tuple[Place, Mapping[str, object]]]:
    """Find the blocks that are a text by language: all their values are words, and one is for English."""
    if isinstance(value, dict):
        if isinstance(value.get("en"), str) and all(isinstance(words, str) for words in value.values()):
            yield place, value
        else:
            for key, inner in value.items():
                yield from _texts(inner, (*place, key))


def lock_problem(document: Document, target: str, text: str) -> Problem | None:
    """Find the first package of a lock that has no hash: it could be replaced on its way."""
    lines = text.splitlines()
    for number, (line, below) in enumerate(zip(lines, [*lines[1:], ""], strict=True), start=1):
        if re.match(r"[A-Za-z0-9]", line) and "--hash=" not in line + below:
            package = re.split(r"[=<>~! ;@\[]", line, maxsplit=1)[0]
            lock = document.path.with_name(f"{target}.txt")
            return Problem(lock, number, package, "has no hash", "the lock made again with --generate-hashes")
    return None
