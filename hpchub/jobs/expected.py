"""When a choice would start if it were made now, as far as that is known without asking anybody.  Pure.

Never more than is known: that a node is free is no promise where others wait for it, so such a choice is in a queue
until Slurm itself says that it would start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hpchub.catalogue.limits import Held, layers_of, waits
from hpchub.catalogue.maintenance import closing
from hpchub.catalogue.rules import Person, associations_of
from hpchub.jobs.estimates import Estimates
from hpchub.jobs.request import JobRequest
from hpchub.jobs.room import has_room
from hpchub.slurm.model import NO_LIMITS, ClusterView, JobState
from hpchub.slurm.queue import in_line

TRUSTED_SECONDS = 300
"""How long Slurm's own answer is worth repeating: what it foresaw rests on time limits, and jobs end earlier."""
_AT_ONCE_SECONDS = 60
"""The scheduler's beat: a job that it would start within this starts at once for a person."""


@dataclass(frozen=True, slots=True)
class Expected:
    """When a choice would start."""

    kind: Literal["now", "at", "not_before", "queue", "unknown"]
    """``now``: there is room and nobody before it, or Slurm has said so.  ``at``: Slurm has told a start.
    ``not_before``: a reservation takes all nodes before it could end.  ``queue``: it would wait, and nobody has said
    until when.  ``unknown``: the cluster is silent, or has never answered."""
    start_epoch: int | None = None
    """Of ``at`` and ``not_before``."""
    ahead: int = 0
    """Of ``queue``: how many jobs wait for nodes of the same partition, as far as that is known."""
    told_epoch: float | None = None
    """When this was learnt; None where nothing ever was."""
    because: Literal["maintenance", "reservation", "own jobs", None] = None
    """Of ``not_before``, whose reservation that is: Slurm's administrators', or somebody's; of ``queue``, that a limit
    on the person's jobs is reached, so that one of them has to end first."""


def expected(request: JobRequest, view: ClusterView, estimates: Estimates, now: float) -> Expected:
    """Tell when a job like this would start.

    Args:
        request: the choice in Slurm's terms; nothing of it is submitted.
        view: what its cluster said last.
        estimates: what Slurm has told of such jobs.
        now: in seconds since 1970.
    """
    if view.taken_epoch is None or view.silent_since_epoch is not None:
        return Expected("unknown", told_epoch=view.taken_epoch)
    if later := _reserved(request, view, now):
        return later
    if _at_a_limit(request, view):
        return Expected("queue", told_epoch=view.taken_epoch, because="own jobs")
    room = has_room(request, request.minutes, view, now, request.reservation)
    # Who else waits for a reservation cannot be told from the queue; most of those in line do not.
    ahead = 0 if request.reservation else in_line(view, request.partition)
    if room and not ahead:
        return Expected("now", told_epoch=view.taken_epoch)
    answer = estimates.answer(request)
    if answer is not None and now <= answer.told_epoch + TRUSTED_SECONDS:
        if room and answer.start_epoch <= answer.told_epoch + _AT_ONCE_SECONDS:
            return Expected("now", told_epoch=answer.told_epoch)
        if answer.start_epoch > now:
            return Expected("at", answer.start_epoch, told_epoch=answer.told_epoch)
    return Expected("queue", ahead=ahead, told_epoch=view.taken_epoch)


def slurm_could_tell(found: Expected) -> bool:
    """Tell whether an estimate of Slurm's could say more; it knows no limits on how many jobs a person may run."""
    return found.kind in ("queue", "at") and found.because is None


def _reserved(request: JobRequest, view: ClusterView, now: float) -> Expected | None:
    """Give what keeps all the nodes for others until later."""
    if request.reservation is not None:
        own = next((each for each in view.reservations if each.name == request.reservation), None)
        if own is None or own.start_epoch <= now:
            return None
        return Expected("not_before", own.start_epoch, told_epoch=view.taken_epoch, because="reservation")
    taken = closing(view, request.partition, now)
    if taken is None or taken.fits_minutes >= request.minutes:
        return None
    why: Literal["maintenance", "reservation"] = "maintenance" if taken.maintenance else "reservation"
    return Expected("not_before", taken.ends_epoch, told_epoch=view.taken_epoch, because=why)


def _at_a_limit(request: JobRequest, view: ClusterView) -> bool:
    """Tell whether one of the person's own jobs has to end before another may run."""
    partition = view.partitions.get(request.partition)
    held = tuple(
        Held("", view.cluster, job.partition, job.account.lower(), job.qos)
        for job in view.jobs.values()
        if job.user == request.user and job.state in (JobState.PENDING, JobState.RUNNING)
    )
    if partition is None or not held:
        return False
    account = request.account.lower()
    association = associations_of(Person(request.user), view, request.partition).get(account)
    layers = layers_of(view, partition, request.qos, association.limits if association else NO_LIMITS)
    return waits(layers, held, Held("", view.cluster, request.partition, account, request.qos)) is not None
