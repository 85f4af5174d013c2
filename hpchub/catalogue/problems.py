"""What is wrong in a file, as a value and as one line: file, line, field, what was found and what is possible."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from hpchub.errors import CatalogueError

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

THE_FILE = "the file"
"""What stands for the field where the file as a whole is meant."""
LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a word."""

    file: Path
    line: int
    field: str
    """Keys and positions, joined by dots: ``sizes.small.gpus``."""
    found: str
    possible: str

    def __str__(self) -> str:
        name = str(self.file)
        file = name if name.isprintable() else repr(name)
        return f"{file}:{self.line}: {self.field}: {self.found}; possible: {self.possible}"


class FilesWrong(CatalogueError):
    """Files of a site or its catalogue are wrong; the text has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def field_name(place: Place) -> str:
    """Write a place as people read it; a key that is no plain word is quoted, so that a line stays a line."""
    parts = (part if re.fullmatch(r"[\w*?/-]+", part := str(each)) else shown(part) for each in place)
    return ".".join(parts) or THE_FILE


def shown(value: object) -> str:
    """Repeat what a file has, on one line and not too long; a password, or a block with one, never."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true (YAML reads yes, on and true so)" if value else "false (YAML reads no, off and false so)"
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number that is too long to be shown"
    if "password" in text:
        return "a value that is not shown"
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def out_of(names: Iterable[str], asked: object = None) -> str:
    """List what is possible; the one that was probably meant comes with a question."""
    names = [str(name) for name in names]
    close = get_close_matches(asked, names, n=1, cutoff=0.6) if isinstance(asked, str) and len(asked) < 100 else []
    return (", ".join(names) or "none is defined") + (f"; did you mean {close[0]}?" if close else "")
