"""What Slurm's accounting has of jobs that have ended: how long they ran, and what they held.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpchub.errors import SlurmError
from hpchub.slurm.commands import JOB_NAME
from hpchub.slurm.model import JobState, Tres
from hpchub.slurm.parse import lines_of, number_of, rows_of
from hpchub.slurm.states import job_state
from hpchub.slurm.units import amounts

FIELDS = ("JobIDRaw", "State", "End", "ElapsedRaw", "Partition", "AllocTRES")


@dataclass(frozen=True, slots=True)
class Accounted:
    """A job that has ended, as ``sacct`` has it."""

    job_id: str
    partition: str
    seconds: int
    """How long it ran, without what it was suspended; 0 where it never did."""
    tres: Tres
    """What it held; empty where it never ran."""

    @property
    def gpus(self) -> int | None:
        """How many GPUs it held; None where the site's accounting does not count them (``AccountingStorageTRES``)."""
        held = dict(self.tres)
        typed = sum(amount for name, amount in self.tres if name.startswith("gres/gpu:"))
        return int(held.get("gres/gpu", typed)) if "gres/gpu" in held or typed else None


def command(cluster: str, job_ids: Iterable[str]) -> list[str]:
    """Ask for the hubs' jobs of these numbers, with one question."""
    return [
        "sacct",
        f"--clusters={cluster}",
        "--noheader",
        "--parsable2",
        "--allocations",
        f"--name={JOB_NAME}",
        f"--jobs={','.join(job_ids)}",
        f"--format={','.join(FIELDS)}",
    ]


def read(text: str) -> Mapping[str, Accounted]:
    """Read the answer, by job id; jobs whose end is not known yet are left out.

    Raises :class:`~hpchub.errors.SlurmError`.
    """
    found = {}
    for row in rows_of(lines_of(text, "sacct"), FIELDS, "sacct"):
        seconds = number_of(row["ElapsedRaw"])
        if job_state(row["State"]) is not JobState.ENDED or number_of(row["End"]) is None or seconds is None:
            continue
        try:
            tres = amounts(row["AllocTRES"])
        except ValueError as error:
            raise SlurmError(f"sacct, job {row['JobIDRaw']}: {error}") from error
        found[row["JobIDRaw"]] = Accounted(row["JobIDRaw"], row["Partition"], seconds, tres)
    return found
