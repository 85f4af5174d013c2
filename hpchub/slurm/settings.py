"""What Slurm's daemons say about their own settings, for checks of a deployment: the commands and their readers.  Pure.

``scontrol show config`` and ``sacctmgr show configuration`` print ``Name = value`` lines in all versions that we run;
``sdiag`` begins with the controller's own time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hpchub.errors import SlurmError

_LINE = re.compile(r"^\s*([A-Za-z][A-Za-z0-9_/]*)\s*=[ \t]*(.*?)\s*$", re.MULTILINE)
_TIME = re.compile(r"^sdiag output at .*\((\d+)\)$", re.MULTILINE)
_VERSION = re.compile(r"\b(\d\d)\.(\d\d)(?:\.\d+)?")


def controller_settings(cluster: str) -> list[str]:
    """The settings of a cluster's slurmctld, as it holds them in memory."""
    return ["scontrol", f"--cluster={cluster}", "show", "config"]


def accounting_settings() -> list[str]:
    """The settings of slurmdbd."""
    return ["sacctmgr", "--noheader", "--readonly", "show", "configuration"]


def controller_clock(cluster: str) -> list[str]:
    """What slurmctld's statistics say, its own time first."""
    return ["sdiag", f"--cluster={cluster}"]


def own_version() -> list[str]:
    """The version of the commands themselves; no daemon is asked."""
    return ["scontrol", "--version"]


def admin_level(user: str) -> list[str]:
    """What a user may do in Slurm: ``None``, ``Operator`` or ``Administrator``."""
    shown = ["show", "user", f"name={user}", "format=adminlevel"]
    return ["sacctmgr", "--noheader", "--parsable2", "--readonly", *shown]


def read_settings(text: str) -> Mapping[str, str]:
    """Read ``Name = value`` lines, by name in lower case."""
    found = {name.lower(): value for name, value in _LINE.findall(text)}
    if not found:
        raise SlurmError(f"no settings in Slurm's answer: {text[:120]!r}")
    return found


def read_clock(text: str) -> int:
    """Read the controller's time from :func:`controller_clock`, in seconds since 1970."""
    found = _TIME.search(text)
    if found is None:
        raise SlurmError(f"sdiag answered without its time: {text[:120]!r}")
    return int(found[1])


def read_version(text: str) -> tuple[int, int]:
    """Read a version such as ``slurm-wlm 22.05.8``: year and month of the release."""
    found = _VERSION.search(text)
    if found is None:
        raise SlurmError(f"no version of Slurm in {text[:120]!r}")
    return int(found[1]), int(found[2])


def words_of(value: str) -> frozenset[str]:
    """Split a setting that is a list; ``none`` and ``(null)`` are empty."""
    words = {word.strip().lower() for word in value.split(",")}
    return frozenset(words - {"", "none", "(null)"})
