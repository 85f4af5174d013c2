"""The catalogue that is in service: files that change on disk are taken up, unless they are wrong.

What a running hub cannot change (its own addresses, its door, its sign-in) stays as it was at its start, and the log
says so.  A session that runs keeps what its request says, whatever becomes of its profile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from prometheus_client import Gauge

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.site import Site
from hpchub.errors import CatalogueError

log = logging.getLogger(__name__)

PROBLEMS = Gauge("hpchub_catalogue_problems", "Mistakes in the catalogue on disk, which is not in service then.")
LOADED = Gauge("hpchub_catalogue_loaded_timestamp_seconds", "When the catalogue in service was read.")

LOOK_SECONDS = 1.0
"""Between two looks at the files; a change is taken up at the second look that finds it the same."""
FIXED = ("hub_id", "hub", "launcher", "sign_in", "languages", "console")
"""Fields of the site that only a restart changes."""

Fingerprint = frozenset[tuple[str, int, int, int]]


def fingerprint(site_file: Path, folder: Path) -> Fingerprint:
    """Tell the files of a catalogue apart from those of another moment: name, inode, size and time of change.

    Locks are among them: the first one for a software target makes offers possible.
    """
    found = set()
    paths = [site_file, *(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml", ".txt"))]
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        found.add((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return frozenset(found)


class CatalogueKeeper:
    """Keeps the catalogue that is in service, and what is wrong with the files if they are.

    Args:
        catalogue: the one that the hub started with.
        changed: called with each new catalogue that is taken into service.
    """

    def __init__(self, catalogue: Catalogue, changed: Callable[[Catalogue], None] = lambda _: None) -> None:
        self.catalogue = catalogue
        self.loaded_epoch = time.time()
        self.problems: tuple[str, ...] = ()
        """One line for each mistake in the files as they are now; empty while they are what is in service."""
        LOADED.set(self.loaded_epoch)
        self._changed = changed
        self._seen = self._look()
        self._read = self._seen

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # In a thread: a slow file system must not hold up the hub.
            self._seen, before = await asyncio.to_thread(self._look), self._seen
            # Two looks that agree: an editor or a copy that still writes is left to finish.
            if self._seen == before and self._seen != self._read:
                self._read = self._seen
                self._take(await asyncio.to_thread(self._load))

    def _look(self) -> Fingerprint:
        site = self.catalogue.site
        return fingerprint(site.file, site.profiles)

    def _load(self) -> Catalogue | CatalogueError:
        try:
            return load_catalogue(load_site(self.catalogue.site.file))
        except CatalogueError as error:
            return error

    def _take(self, loaded: Catalogue | CatalogueError) -> None:
        if isinstance(loaded, CatalogueError):
            self.problems = tuple(str(loaded).splitlines())
            PROBLEMS.set(len(self.problems))
            log.error("the catalogue on disk is wrong, so the last good one stays in service:\n%s", loaded)
            return
        self.problems = ()
        self.loaded_epoch = time.time()
        PROBLEMS.set(0)
        LOADED.set(self.loaded_epoch)
        self.catalogue = replace(loaded, site=self._with_what_is_fixed(loaded.site))
        log.info("a changed catalogue is in service: %d profiles", len(loaded.profiles))
        self._changed(self.catalogue)

    def _with_what_is_fixed(self, new: Site) -> Site:
        now = self.catalogue.site
        waiting = [name for name in FIXED if getattr(new, name) != getattr(now, name)]
        if waiting:
            log.warning("%s: %s: in service after a restart of the hub", new.file, ", ".join(waiting))
        return new.model_copy(update={name: getattr(now, name) for name in FIXED})
