"""Names of sessions: what people call one, and the server name that we make of it.  Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from itertools import count

MOST_CHARACTERS = 60
_MOST_SLUG = 30
_FALLBACK = "session"


def tidy(name: str) -> str:
    """Give a name as it is kept: without line ends, invisible characters and needless spaces, at most 60 long."""
    normal = unicodedata.normalize("NFC", name)
    visible = "".join(character if character.isprintable() else " " for character in normal)
    return " ".join(visible.split())[:MOST_CHARACTERS].rstrip()


def server_name(name: str, taken: Container[str]) -> str:
    """Make a server name that JupyterHub takes: a letter first, then letters, digits and single hyphens, 30 at most.

    Args:
        name: what the person calls it; it may have nothing that a server name can have.
        taken: names that there are already.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-")[:_MOST_SLUG].strip("-") or _FALLBACK
    if slug not in taken:
        return slug
    stem = slug[: _MOST_SLUG - 4].strip("-")
    return next(f"{stem}-{number}" for number in count(2) if f"{stem}-{number}" not in taken)
