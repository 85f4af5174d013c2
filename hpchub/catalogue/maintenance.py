"""When reservations take the nodes of a partition, and what still fits before.  Pure.

Slurm starts no job on a node whose time would run into a reservation there; it waits until after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hpchub.slurm.model import ClusterView, Node, Reservation

Outlook = tuple[bool, tuple[Reservation, ...]]
"""Whether a node is usable, and its reservations, the earlier first; thousands of nodes have a handful of them."""


@dataclass(frozen=True, slots=True)
class Closing:
    """When the last node of a partition is taken by a reservation."""

    begins_epoch: int
    ends_epoch: int
    maintenance: bool
    """False where it is kept for somebody else's work."""
    fits_minutes: int
    """The longest session that could start now and end before it; 0 while it lasts."""


def closing(view: ClusterView, partition: str, now_epoch: float) -> Closing | None:
    """Tell what is going to take all nodes of a partition, or has taken them; None where nothing is known to."""
    best: tuple[float, Reservation] | None = None
    for usable, windows in outlooks_of(view).get(partition, ()):
        # Slurm says of a node in maintenance that it is not usable, as of a broken one.
        if not usable and not any(
            each.maintenance and each.start_epoch <= now_epoch < each.end_epoch for each in windows
        ):
            continue
        ahead = next((each for each in windows if each.end_epoch > now_epoch), None)
        if ahead is None:
            return None
        if best is None or (ahead.start_epoch, -ahead.end_epoch) > (best[1].start_epoch, -best[1].end_epoch):
            best = (max(ahead.start_epoch, now_epoch), ahead)
    if best is None:
        return None
    free_until, taken = best
    fits_minutes = int(free_until - now_epoch) // 60
    return Closing(taken.start_epoch, taken.end_epoch, taken.maintenance, fits_minutes)


# Thousands of nodes are looked at once a snapshot; a snapshot cannot be hashed, so identity decides, and the entry
# keeps what it was made from alive.
_known: dict[str, tuple[tuple[Reservation, ...], tuple[Node, ...], Mapping[str, frozenset[Outlook]]]] = {}


def outlooks_of(view: ClusterView) -> Mapping[str, frozenset[Outlook]]:
    """Give what lies ahead of the nodes of each partition; empty where nothing is reserved."""
    known = _known.get(view.cluster)
    if known is None or known[0] is not view.reservations or known[1] is not view.nodes:
        known = _known[view.cluster] = (view.reservations, view.nodes, _outlooks(view))
    return known[2]


def _outlooks(view: ClusterView) -> Mapping[str, frozenset[Outlook]]:
    cores = {node.name: node.cores for node in view.nodes}
    ordered = sorted(view.reservations, key=lambda each: each.start_epoch)
    # One that leaves some of its nodes' cores to others closes nothing.
    whole = [each for each in ordered if each.cores >= sum(cores.get(name, 0) for name in each.nodes)]
    found: dict[str, set[Outlook]] = {}
    for node in view.nodes if whole else ():
        outlook = (node.usable, tuple(each for each in whole if node.name in each.nodes))
        for partition in node.partitions:
            found.setdefault(partition, set()).add(outlook)
    return {partition: frozenset(outlooks) for partition, outlooks in found.items()}
