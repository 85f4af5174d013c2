"""What the locks of an environment pin: versions by package, found again by the words that people use.  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# A newline and not ^: the regular expression then looks at each line once, and not at each character.
_PINNED = re.compile(
    r"\n([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]\n]*\])?[ \t]*==[ \t]*([A-Za-z0-9][\w.!+-]*)(?=[\s;\\]|$)", re.A
)
_WITH_PACKAGE = re.compile(r"(.*\S) \(([A-Za-z0-9][A-Za-z0-9._-]*)\)")


def pins(lock: str) -> dict[str, str]:
    """Read the versions of a lock, by name in PEP 503's normal form.

    What is no exact version of a named package (a comment, a hash, an address, a range) is passed over.
    """
    return {normal_name(name): version for name, version in _PINNED.findall(f"\n{lock}")}


def normal_name(name: str) -> str:
    """Give a name as PEP 503 compares it; a space between words counts as a hyphen."""
    return re.sub(r"[-_. ]+", "-", name).lower()


def package_of(content: str, packages: Collection[str]) -> tuple[str, str]:
    """Split an entry of ``contents`` into what people read and the package that it is.

    Args:
        content: the name of a package however it is written, or ``Name (package)`` where they differ.
        packages: the names that are possible, in their normal form.

    Returns:
        Both names; the second is empty where the entry names none of the packages, and the first is the whole entry.
    """
    named = _WITH_PACKAGE.fullmatch(content)
    if named and (package := normal_name(named[2])) in packages:
        return named[1], package
    package = normal_name(content)
    return content, package if package in packages else ""


def names_of(locks: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Give the names in all locks of an environment, once each, in their order."""
    return sorted(set().union(*locks.values()))
