"""A job's place in the queue, as the scheduler orders it.  Pure.

In line with a job are those that ask for one of its partitions and could start if there were room: jobs that are held,
or wait for another job, a time or a limit, hold up nobody.  They are in Slurm's order: the higher priority first, the
older job id among equals (``sort_job_queue2`` of slurmctld).  Backfill may start a small job earlier than its place
says, and preemption by QOS is not counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

from hpchub.slurm.model import ClusterView, QueuedJob
from hpchub.slurm.reasons import competes

_Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands in line."""

    position: int
    """1 is the next to start."""
    of: int
    """How many are in line, this one included."""


class _Lines:
    """The lines of one queue, sorted once however many ask for a place in them."""

    def __init__(self, queue: tuple[QueuedJob, ...]) -> None:
        in_line = [job for job in queue if competes(job.reason)]
        self.jobs = {job.job_id: job for job in in_line}
        by_partitions: defaultdict[frozenset[str], list[_Order]] = defaultdict(list)
        for job in in_line:
            by_partitions[job.partitions].append(_order(job))
        # A job that names several partitions stands in the lines of all of them, and must count once.
        self._by_partitions = {names: sorted(orders) for names, orders in by_partitions.items()}

    def place_of(self, job: QueuedJob) -> Place:
        lines = [orders for names, orders in self._by_partitions.items() if names & job.partitions]
        order = _order(job)
        return Place(position=sum(bisect_right(line, order) for line in lines), of=sum(map(len, lines)))

    def length(self, partition: str) -> int:
        return sum(len(orders) for names, orders in self._by_partitions.items() if partition in names)


def _order(job: QueuedJob) -> _Order:
    return (-job.priority, int(job.job_id))


_known: dict[str, tuple[tuple[QueuedJob, ...], _Lines]] = {}
"""By cluster, the lines of the queue that was asked about last: a view changes more often than its queue."""


def place_of(view: ClusterView, job_id: str) -> Place | None:
    """Tell where a job stands in line.

    None where nobody knows: the queue was not asked for or does not list the job, which is so where
    ``PrivateData=jobs`` hides the jobs of others from the hub's user (nothing is better than a place among one's own);
    and where the job is not in line, since it waits for something else than a place.
    """
    lines = _lines_of(view)
    job = lines.jobs.get(job_id) if lines else None
    return lines.place_of(job) if lines and job else None


def in_line(view: ClusterView, partition: str) -> int:
    """Count the jobs in line for nodes of a partition; 0 also where the queue was not asked for."""
    lines = _lines_of(view)
    return lines.length(partition) if lines else 0


def _lines_of(view: ClusterView) -> _Lines | None:
    if view.queue is None:
        return None
    known = _known.get(view.cluster)
    if known is None or known[0] is not view.queue:
        known = _known[view.cluster] = (view.queue, _Lines(view.queue))
    return known[1]
