"""The narrow doors: two root-owned programs, what they may do, and the sudoers lines that open them for the hub."""

from __future__ import annotations

import json
import os
from pathlib import Path

from demo.place import REPOSITORY, Place
from demo.steps import DemoError, run, system_environment

CLUSTERS = ("leonardo", "it4lia")
SOURCES = REPOSITORY / "hpchub" / "jobs"
SLURM_USER = "slurm"
"""Whose rights reservations need: those of Slurm's own user, or of an operator's, and never root's."""


def install(place: Place) -> None:
    """Put the programs, their settings and the sudoers rules in place, owned by root."""
    folder = place.launcher.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    put(place.launcher, (SOURCES / "hpchub_launch.py").read_text(), mode=0o755)
    put(place.launcher.with_name("hpchub-wipe"), (SOURCES / "hpchub_wipe.py").read_text(), mode=0o755)
    put(place.launcher.with_name("hpchub-launch.json"), settings(place), mode=0o644)
    put(place.reserver, (SOURCES / "hpchub_reserve.py").read_text(), mode=0o755)
    put(place.reserver.with_name("hpchub-reserve.json"), reserver_settings(place), mode=0o644)
    put(place.sudoers, sudoers_rule(place), mode=0o440, check=["visudo", "-c", "-q", "-f"])


def remove(place: Place) -> None:
    """Remove the sudoers rules, if they are this demo's; the rest goes with the demo's folder."""
    if place.sudoers.is_file() and str(place.launcher) in place.sudoers.read_text():
        place.sudoers.unlink()


def settings(place: Place) -> str:
    """Return the launcher's settings: for whom it may act, with which programs, in which environment."""
    values = {
        "group": place.people.group,
        "uid_min": 1000,
        "uid_max": 59999,
        "clusters": list(CLUSTERS),
        "commands": {"sbatch": "/usr/bin/sbatch", "scancel": "/usr/bin/scancel", "squeue": "/usr/bin/squeue"},
        "environment": {"SLURM_CONF": place.slurm_conf()},
        "slurm_conf": {CLUSTERS[0]: place.slurm_conf()},
        "seats": list(place.people.seats),
    }
    return json.dumps(values, indent=2) + "\n"


def reserver_settings(place: Place) -> str:
    """Return the settings of the program that makes reservations: how many nodes, how long, for which accounts."""
    clusters: dict[str, dict[str, object]] = {
        "leonardo": {"partitions": ["boost_usr_prod"], "most_nodes": 10, "slurm_conf": place.slurm_conf()},
        "it4lia": {"partitions": ["gb200_usr_prod"], "most_nodes": 2},
    }
    values = {
        "prefix": "hpchub_",
        "accounts": ["tra26_*"],
        "scontrol": "/usr/bin/scontrol",
        "environment": {"SLURM_CONF": place.slurm_conf()},
        "clusters": clusters,
        "most_minutes": 7 * 24 * 60,
        "most_days_ahead": 180,
        "most_reservations": 10,
    }
    return json.dumps(values, indent=2) + "\n"


def sudoers_rule(place: Place) -> str:
    """Return the rules: the hub's user, these two programs, without any argument."""
    hub = place.people.hub_user
    return (
        "# Made by `./run demo`, removed by `./run clean`.\n"
        f'{hub} ALL=(root) NOPASSWD: {place.launcher} ""\n'
        f'{hub} ALL=({SLURM_USER}) NOPASSWD: {place.reserver} ""\n'
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
