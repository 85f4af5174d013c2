"""Another Slurm laid over the machine's, inside the mount namespace of an isolated command.

The machine's C library may be too old for it, so each program is started by the loader of its own root with the
libraries of its own root.  All that these programs start (jobs, shells) is the machine's: a loader's library path is no
environment variable that a job could inherit.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

PLACE = Path("/run/slurm-root")
"""Where the root is seen inside: a folder that every user can enter, wherever the root lies."""

WRAPPERS = Path("/run/slurm-programs")
PROGRAMS = (
    *("sbin/slurmctld", "sbin/slurmd", "sbin/slurmdbd", "sbin/slurmstepd"),
    *("bin/sacct", "bin/sacctmgr", "bin/salloc", "bin/sattach", "bin/sbatch", "bin/sbcast", "bin/scancel"),
    *("bin/scontrol", "bin/sdiag", "bin/sinfo", "bin/sprio", "bin/squeue", "bin/sreport", "bin/srun", "bin/sshare"),
    *("bin/sstat", "bin/strigger"),
)


@dataclass(frozen=True, slots=True)
class Slurm:
    """What is needed of an unpacked root."""

    root: Path
    libraries: Path
    """The folder of all libraries, ``usr/lib/x86_64-linux-gnu`` in the root."""
    loader: Path

    @property
    def plugins(self) -> Path:
        """Slurm's plugins and the library that all of its programs share; their path is compiled in."""
        return self.libraries / "slurm-wlm"

    def program(self, name: str) -> Path:
        """The file of a program, ``sbin/slurmd``; Debian's alternatives are not set up in an unpacked root."""
        for path in (self.root / "usr" / name, self.root / "usr" / f"{name}-wlm"):
            if path.is_file():
                return path
        raise DevclusterError(f"{self.root} holds no {name}; remove it to have it fetched again")


def find_slurm(root: Path) -> Slurm:
    """Find the parts, whatever the machine's architecture is.

    :raises DevclusterError: the folder does not hold exactly one Slurm with its C library.
    """
    plugins = list(root.glob("usr/lib/*/slurm-wlm"))
    loaders = [path for folder in plugins for path in folder.parent.glob("ld-linux*.so.*")]
    if len(loaders) != 1:
        raise DevclusterError(f"{root} holds no Slurm: `devcluster slurm-root SUITE` prints one that does")
    return Slurm(root, plugins[0].parent, loaders[0])


def program_command(slurm: Slurm, name: str, loader: Path | None = None) -> list[str]:
    """The command by which a program of the root runs on this machine; ``name`` is its own, ``slurmctld``."""
    place = next(program for program in PROGRAMS if program.endswith(f"/{name}"))
    # --argv0: slurmctld and slurmd start themselves again by it, which must lead to the wrapper.
    libraries = f"{slurm.libraries}:{slurm.plugins}"
    started_by = str(loader or slurm.loader)
    return [started_by, "--argv0", f"/usr/{place}", "--library-path", libraries, str(slurm.program(place))]


def lay_over(root: Path) -> None:
    """Lay the Slurm of a root over the machine's; only for a mount namespace that nobody else is in.

    :raises DevclusterError: the root or the machine lacks one of the programs.
    :raises subprocess.CalledProcessError: root may not mount here.
    """
    slurm = find_slurm(root)
    _bind(root, PLACE, make=True)
    inside = find_slurm(PLACE)
    _bind(inside.plugins, Path("/", slurm.plugins.relative_to(root)))
    # A process has the name of the file that was executed, which would be the loader's.
    loaders = WRAPPERS / "loader"
    loaders.mkdir(parents=True)
    for place in PROGRAMS:
        name = Path(place).name
        (loaders / name).symlink_to(inside.loader)
        wrapper = WRAPPERS / name
        command = " ".join(program_command(inside, name, loaders / name))
        wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        _bind(wrapper, Path("/usr", place))


def _bind(source: Path, target: Path, *, make: bool = False) -> None:
    if make:
        target.mkdir()
    elif not target.exists():
        raise DevclusterError(f"another Slurm is laid over the machine's, which lacks {target}; install it first")
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
