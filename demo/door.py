"""The narrow door: the root-owned launcher, what it may do, and the one sudoers line that opens it for the hub."""

from __future__ import annotations

import json
import os
from pathlib import Path

from demo.place import REPOSITORY, Place
from demo.steps import DemoError, run, system_environment

CLUSTERS = ("leonardo", "it4lia")
SOURCE = REPOSITORY / "hpchub" / "jobs" / "hpchub_launch.py"


def install(place: Place) -> None:
    """Put launcher, its settings and the sudoers rule in place, owned by root."""
    folder = place.launcher.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    put(place.launcher, SOURCE.read_text(), mode=0o755)
    put(place.launcher.with_name("hpchub-launch.json"), settings(place), mode=0o644)
    put(place.sudoers, sudoers_rule(place), mode=0o440, check=["visudo", "-c", "-q", "-f"])


def remove(place: Place) -> None:
    """Remove the sudoers rule, if it is this demo's; the rest goes with the demo's folder."""
    if place.sudoers.is_file() and str(place.launcher) in place.sudoers.read_text():
        place.sudoers.unlink()


def settings(place: Place) -> str:
    """Return the launcher's settings: for whom it may act, with which programs, in which environment."""
    values = {
        "group": place.people.group,
        "uid_min": 1000,
        "uid_max": 59999,
        "clusters": list(CLUSTERS),
        "commands": {"sbatch": "/usr/bin/sbatch", "scancel": "/usr/bin/scancel"},
        "environment": {"SLURM_CONF": place.slurm_conf()},
        "slurm_conf": {CLUSTERS[0]: place.slurm_conf()},
    }
    return json.dumps(values, indent=2) + "\n"


def sudoers_rule(place: Place) -> str:
    """Return the rule: the hub's user, this one program, without any argument."""
    return (
        "# Made by `./run demo`, removed by `./run clean`.\n"
        f'{place.people.hub_user} ALL=(root) NOPASSWD: {place.launcher} ""\n'
    )


def put(path: Path, text: str, *, mode: int, check: list[str] | None = None) -> None:
    """Replace a file of root's in one move, after `check FILE` has found the new text good."""
    # sudo skips names with a dot, so that the unchecked text is never in force
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with open(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, 0, 0)
        file.write(text)
    try:
        if check is not None:
            run([*check, new], environment=system_environment())
        new.rename(path)
    except DemoError:
        new.unlink()
        raise
