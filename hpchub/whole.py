"""Files that are there whole or not at all: what the hub keeps beside its database."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in place of what is there, by default for its owner alone; it is on the disk when this returns.

    Raises:
        OSError: it cannot be written; what was there stays, and nothing else is left in the folder.
    """
    # In the same folder: only there can it take the other's place in one step.
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(new, path)
    except OSError:
        os.unlink(new)
        raise
