"""What could start at once, instead of a session that waits.  Pure.

That there is room (:mod:`hpchub.jobs.room`) is a fact and no promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpchub.catalogue.offers import Offer
from hpchub.jobs.request import JobRequest
from hpchub.jobs.room import has_room
from hpchub.slurm.model import ClusterView


@dataclass(frozen=True, slots=True)
class Sooner:
    """An offer with room for it, and the time to ask for."""

    offer: Offer
    minutes: int


def sooner(waits: JobRequest, offers: Iterable[Offer], views: Mapping[str, ClusterView], now: float) -> Sooner | None:
    """Find what is closest to what waits and has room now; None where nothing has.

    Closest is: the same allocation, the same cluster, the most GPUs and cores, none of them more than was asked for.

    Args:
        waits: what was asked for.
        offers: of the same person; those of other profiles are left aside.
        views: what the clusters said last.
        now: in seconds since 1970.
    """
    found = [
        offer
        for offer in offers
        if offer.profile == waits.profile
        and _is_another(offer, waits)
        and offer.cluster in views
        and has_room(offer, _minutes(offer, waits), views[offer.cluster], now)
    ]
    if not found:
        return None
    best = max(
        found,
        key=lambda offer: (
            offer.allocation == waits.account,
            offer.cluster == waits.cluster,
            offer.gpus,
            offer.cores,
            offer.max_minutes >= waits.minutes,
            offer.qos == waits.qos,
        ),
    )
    return Sooner(best, _minutes(best, waits))


def _minutes(offer: Offer, waits: JobRequest) -> int:
    return min(waits.minutes, offer.max_minutes)


def _is_another(offer: Offer, waits: JobRequest) -> bool:
    smaller = offer.gpus < waits.gpus or (offer.gpus == waits.gpus and offer.cores < waits.cores)
    same = offer.gpus == waits.gpus and offer.cores == waits.cores
    elsewhere = (offer.cluster, offer.partition) != (waits.cluster, waits.partition)
    return smaller or (same and elsewhere)
