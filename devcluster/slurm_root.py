"""Another Slurm than the machine's: Debian's packages of a suite, unpacked once into a folder.

Nothing of them is installed or configured.  :mod:`devcluster.overlay` lays their programs over the machine's, inside
the namespaces of an isolated command.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.overlay import find_slurm, program_command

CACHE = Path(__file__).parents[1] / ".cache" / "slurm"
PACKAGES = ("slurmctld", "slurmd", "slurmdbd", "slurm-client", "slurm-wlm-mysql-plugin")
OPTIONS = (
    "--quiet",
    "--variant=extract",
    f"--include={','.join(PACKAGES)}",
    # A mirror may be older than the days that Debian's lists are valid for.
    '--aptopt=Acquire::Check-Valid-Until "false"',
)
VERSION_FILE = "slurm-version"
"""Beside the unpacked files: the version that slurmctld said, ``24.11.5``."""


def root_of(suite: str) -> Path:
    """Where the root of a Debian suite lies (``trixie``), made or not; another recipe makes another root.

    :raises DevclusterError: the suite's name is none.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", suite):
        raise DevclusterError(f"{suite!r} is no name of a Debian suite; one is trixie")
    recipe = hashlib.sha256("\n".join(OPTIONS).encode()).hexdigest()[:12]
    return CACHE / f"{suite}-{recipe}"


def fetch(suite: str) -> Path:
    """Return the root of a suite, fetched at the first call (10 s, 110 MB); it stays as it is until it is removed.

    :raises DevclusterError: mmdebstrap is missing or failed, or the packages hold no Slurm that runs here.
    """
    root = root_of(suite)
    if (root / VERSION_FILE).is_file():
        return root
    if os.geteuid() != 0:
        raise DevclusterError(f"only root can unpack Slurm of {suite} with its owners; run this through sudo")
    # Under another name first: a root that has its name is complete, also when we are killed on the way.
    new = root.with_name(f"{root.name}.new-{os.getpid()}")
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        _unpack(suite, new)
        (new / VERSION_FILE).write_text(f"{_version(new)}\n", encoding="ascii")
        shutil.rmtree(root, ignore_errors=True)
        new.rename(root)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return root


def _unpack(suite: str, target: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise DevclusterError("mmdebstrap is missing on this machine: apt-get install mmdebstrap")
    done = subprocess.run(
        ["mmdebstrap", *OPTIONS, suite, str(target)], text=True, stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode:
        raise DevclusterError(f"Slurm of Debian {suite} could not be fetched: {done.stderr.strip()[-1500:]}")


def _version(root: Path) -> str:
    command = [*program_command(find_slurm(root), "slurmctld"), "-V"]
    done = subprocess.run(command, text=True, capture_output=True)
    found = re.fullmatch(r"slurm-wlm (\d+\.\d+\.\d+)\S*\s*", done.stdout)
    if found is None:
        raise DevclusterError(f"slurmctld in {root} does not run here: {(done.stdout + done.stderr).strip()[-500:]}")
    return found[1]
