"""A new root for builds of environments, where they cost as little as they do at a site."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_root(cache: Path) -> Iterator[Path]:
    """Make a root on the disk of the demo's cache, so that files are linked, and remove it.

    The cache's own builds are beside the new ones, as older builds are in a real root: bytecode is taken from them.
    """
    # not by the process's number: another ring's, in another namespace, may have the same
    root = Path(tempfile.mkdtemp(prefix="root-", dir=cache))
    root.chmod(0o755)
    try:
        for environment in (cache / "environments").iterdir():
            (root / f"earlier-{environment.name}").symlink_to(environment)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
