"""What is inside an environment: the versions of its contents on one cluster, and what a search found in it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hpchub.catalogue.model import Catalogue, Environment
from hpchub.catalogue.packages import names_of, package_of

MOST_SHOWN = 6
"""Of the contents, on a card; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Content:
    """One thing that is inside."""

    name: str
    version: str = ""
    """Empty where it is no package of the lock of the cluster."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What an environment holds on one cluster."""

    environment: str
    cluster: str
    contents: tuple[Content, ...]
    missing: tuple[str, ...]
    """Contents that it holds on other clusters only."""
    packages: int
    """How many there are, those that nobody asked for included; 0 where no lock says it."""


def inside_of(catalogue: Catalogue, environment: Environment, cluster: str) -> Inside:
    """Say what is inside on a cluster of the site."""
    packages = environment.packages.get(catalogue.site.clusters[cluster].software_target, {})
    named = contents_of(environment)
    there = [(name, package) for name, package in named if not packages or not package or package in packages]
    contents = tuple(Content(name, packages.get(package, "")) for name, package in there)
    missing = tuple(name for name, package in named if (name, package) not in there)
    return Inside(environment.name, cluster, contents, missing, len(packages))


def contents_of(environment: Environment) -> list[tuple[str, str]]:
    """Give the contents as people read them, each with its package; an empty one where it is none."""
    names = frozenset(names_of(environment.packages))
    return [package_of(content, names) for content in environment.contents]


def packages_text(environment: Environment) -> str:
    """Give the names of all packages, whatever the target, as :func:`has_package` looks through them."""
    return "".join(f"\n-{name}" for name in names_of(environment.packages))


def has_package(text: str, word: str) -> bool:
    """Tell whether a name or a part of one begins with a word: ``learn`` finds scikit-learn, ``age`` not packaging."""
    return f"-{word.replace('_', '-')}" in text


def found_in(environment: Environment, targets: Iterable[str], words: Iterable[str]) -> Iterator[Content]:
    """Give, for each word, the content or else the package that it most likely means; nothing where there is none.

    Args:
        environment: what is looked through.
        targets: whose versions are of interest, in this order.
        words: as they are compared, without case and accents.
    """
    contents = contents_of(environment)
    text = packages_text(environment)
    locks = [environment.packages[target] for target in targets if target in environment.packages]
    for word in words:
        named = next((each for each in contents if word in each[0].casefold()), None) or _nearest(text, word)
        if named:
            name, package = named
            yield Content(name, next((lock[package] for lock in locks if package in lock), ""))


def _nearest(text: str, word: str) -> tuple[str, str] | None:
    hits = [name for name in text.split() if has_package(name, word)]
    if not hits:
        return None
    # What begins with the word before what has it inside, and the name itself before a longer one.
    best = min(hits, key=lambda name: (not has_package(name[: len(word) + 1], word), len(name)))[1:]
    return best, best
