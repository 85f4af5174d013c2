"""Our own scripts, styles and icons: served under the digest of them all, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "static"


@cache
def digest() -> str:
    """Give one name for the content of all assets, of the version that runs."""
    total = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        total.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


@cache
def path_of(name: str) -> str:
    """Give the path of an asset below the hub's base URL.

    Raises:
        KeyError: there is no such asset.
    """
    if not (FOLDER / name).is_file():
        raise KeyError(f"there is no asset {name}; there are: {', '.join(sorted(p.name for p in FOLDER.iterdir()))}")
    return f"hpchub/static/{digest()}/{name}"
