"""Where the demo's allocations keep their data, as on a cluster: a folder each, for its group, where events share."""

from __future__ import annotations

import grp
import os
import tomllib

from demo.place import REPOSITORY, Place


def install(place: Place) -> None:
    """Make the folder of each allocation that people have; what is in them stays."""
    table = tomllib.loads((REPOSITORY / "demo" / "people.toml").read_text())
    gid = grp.getgrnam(place.people.group).gr_gid
    place.work.mkdir(mode=0o755, exist_ok=True)
    for name in sorted({name for person in table["people"] for name in person.get("allocations", ())}):
        folder = place.work / name
        folder.mkdir(mode=0o700, exist_ok=True)
        # One group for all of the demo's people; a cluster has one for each allocation.
        os.chown(folder, 0, gid)
        folder.chmod(0o2770)
