"""The pool of accounts that events lend as temporary seats, as a site file names them.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Protocol

from pydantic import AfterValidator, StringConstraints

FILES_SUFFIX = "-files"
"""What follows an event's name in that of the time after it, in which its seats fetch their files."""
MOST_ACCOUNTS = 10_000
_RANGE = re.compile(r"(?P<before>[a-z_][a-z0-9_-]{0,30})\[(?P<numbers>[0-9,-]+)\]")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def expanded(text: str) -> tuple[str, ...]:
    """Give the accounts that an entry stands for: ``seat[01-03,10]`` is seat01, seat02, seat03 and seat10.

    Raises:
        ValueError: it is not of this form; the text says what is possible.
    """
    found = _RANGE.fullmatch(text)
    names = tuple(_numbered(found["before"], found["numbers"])) if found else (text,)
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(_POSSIBLE)
    return names


def _numbered(before: str, numbers: str) -> Iterator[str]:
    for part in numbers.split(","):
        bounds = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        if bounds is None:
            raise ValueError(_POSSIBLE)
        first, last = bounds[1], bounds[2] or bounds[1]
        if not 0 <= int(last) - int(first) < MOST_ACCOUNTS:
            raise ValueError(_POSSIBLE)
        for number in range(int(first), int(last) + 1):
            # as wide as the first number is written: seat[08-10] begins with seat08
            yield f"{before}{number:0{len(first)}}"


def _an_entry(text: str) -> str:
    expanded(text)
    return text


_POSSIBLE = "the name of an account, or several: seat07, seat[01-40], seat[01-20,31-40]"
SeatEntry = Annotated[
    str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}(\[[0-9,-]{1,200}\])?$"), AfterValidator(_an_entry)
]
"""An account, or a range of accounts."""


class _Console(Protocol):
    @property
    def seats(self) -> tuple[str, ...]: ...


class _Site(Protocol):
    @property
    def console(self) -> _Console | None: ...


def pool_of(site: _Site) -> tuple[str, ...]:
    """Give the accounts that a site lends as seats, in the order of its file, each once; none without a console."""
    entries = site.console.seats if site.console is not None else ()
    return tuple(dict.fromkeys(name for entry in entries for name in expanded(entry)))


class Pool:
    """The pool as a set, which is made again only where the site's file was read again.

    Args:
        site: gives the site of now.
    """

    def __init__(self, site: Callable[[], _Site]) -> None:
        self._site = site
        self._of: _Site | None = None
        self._accounts: frozenset[str] = frozenset()

    def __call__(self) -> frozenset[str]:
        """Give the accounts."""
        site = self._site()
        if site is not self._of:
            self._of, self._accounts = site, frozenset(pool_of(site))
        return self._accounts
