"""What a page tells its reader to type: the commands of its blocks, and what its tables name, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path


def commands(page: Path, *headings: str) -> list[str]:
    """The ``sh`` blocks below these headings, in the page's order.

    Raises :class:`KeyError` for a heading that the page has not.
    """
    sections = _sections(page)
    wanted = {heading: sections[heading] for heading in headings}
    return [
        block
        for text in wanted.values()
        for block in re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    ]


def rows(page: Path, heading: str) -> dict[str, str]:
    """The first table below a heading: the second cell by the first one, without its marks of code."""
    table = re.search(r"(?:^\|.*\n)+", _sections(page)[heading], re.MULTILINE)
    assert table, f"{page} has no table below {heading!r}"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]
    return {first: second.strip("`") for first, second in cells}


def _sections(page: Path) -> dict[str, str]:
    _, *rest = re.split(r"^## (.*)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(rest[::2], rest[1::2], strict=True))
