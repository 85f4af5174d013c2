"""What could start at once, instead of a session that waits.  Pure.

There is room where a node that works has free what a size asks for.  That is a fact and no promise: the scheduler may
keep it for a larger job that is further ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpchub.catalogue.offers import Offer
from hpchub.jobs.request import JobRequest
from hpchub.slurm.model import ClusterView, Node


@dataclass(frozen=True, slots=True)
class Sooner:
    """An offer with room for it, and the time to ask for."""

    offer: Offer
    minutes: int


def sooner(waits: JobRequest, offers: Iterable[Offer], views: Mapping[str, ClusterView]) -> Sooner | None:
    """Find what is closest to what waits and has room now; None where nothing has.

    Closest is: the same allocation, the same cluster, the most GPUs and cores, none of them more than was asked for.

    Args:
        waits: what was asked for.
        offers: of the same person; those of other profiles are left aside.
        views: what the clusters said last.
    """
    found = [
        offer
        for offer in offers
        if offer.profile == waits.profile and _is_another(offer, waits) and _has_room(offer, views.get(offer.cluster))
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
    return Sooner(best, min(waits.minutes, best.max_minutes))


def _is_another(offer: Offer, waits: JobRequest) -> bool:
    smaller = offer.gpus < waits.gpus or (offer.gpus == waits.gpus and offer.cores < waits.cores)
    same = offer.gpus == waits.gpus and offer.cores == waits.cores
    elsewhere = (offer.cluster, offer.partition) != (waits.cluster, waits.partition)
    return smaller or (same and elsewhere)


def _has_room(offer: Offer, view: ClusterView | None) -> bool:
    if view is None or view.silent_since_epoch is not None:
        return False
    partition = view.partitions.get(offer.partition)
    return partition is not None and partition.up and any(_fits(offer, node) for node in view.nodes)


def _fits(offer: Offer, node: Node) -> bool:
    kind = offer.gpu_type or ""
    return (
        node.usable
        and offer.partition in node.partitions
        and node.cores - node.cores_used >= offer.cores
        and node.memory_mb - node.memory_used_mb >= offer.memory_mb
        and (not offer.gpus or node.gpus.get(kind, 0) - node.gpus_used.get(kind, 0) >= offer.gpus)
    )
