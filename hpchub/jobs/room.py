"""Where there is room now: a node that works, has free what a job asks for, and is not reserved before its end.  Pure.

That is a fact and no promise: the scheduler may keep the room for a larger job that is further ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hpchub.slurm.model import ClusterView, Node, Reservation


class Asks(Protocol):
    """What a job asks of one node: an offer, or a job request."""

    @property
    def partition(self) -> str: ...
    @property
    def gpus(self) -> int: ...
    @property
    def gpu_type(self) -> str | None: ...
    @property
    def cores(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...


def has_room(asks: Asks, minutes: int, view: ClusterView, now: float, reservation: str | None = None) -> bool:
    """Tell whether a job could start at once if nobody were before it.

    Args:
        asks: what it asks for.
        minutes: for how long.
        view: what its cluster said last; one that is silent has no room that anybody knows of.
        now: in seconds since 1970.
        reservation: Slurm's reservation that it is for.
    """
    partition = view.partitions.get(asks.partition)
    if view.silent_since_epoch is not None or partition is None or not partition.up:
        return False
    end = now + minutes * 60
    return any(each.open_until(now, end, reservation) for each in _places(asks, view))


@dataclass(frozen=True, slots=True)
class _Place:
    """What lies ahead of nodes that have room; of thousands of nodes, nearly all have the same."""

    taken: tuple[Reservation, ...]
    """The reservations that leave none of their cores to other jobs."""
    reserved: frozenset[str]
    """The names of all their reservations."""

    def open_until(self, now_epoch: float, end_epoch: float, reservation: str | None) -> bool:
        """Tell whether nobody else's reservation takes it in that time; a job with one of its own starts only there."""
        if reservation is not None and reservation not in self.reserved:
            return False
        return all(
            each.name == reservation or each.end_epoch <= now_epoch or each.start_epoch >= end_epoch
            for each in self.taken
        )


_Size = tuple[str, int, str | None, int, int]
# Thousands of nodes are looked at once a snapshot for each size that anybody looks at; a snapshot cannot be hashed, so
# identity decides, and the entry keeps what it was made from alive.
_known: dict[str, tuple[tuple[Node, ...], tuple[Reservation, ...], dict[_Size, frozenset[_Place]]]] = {}


def _places(asks: Asks, view: ClusterView) -> frozenset[_Place]:
    """Give the kinds of places where there is room."""
    known = _known.get(view.cluster)
    if known is None or known[0] is not view.nodes or known[1] is not view.reservations:
        known = _known[view.cluster] = (view.nodes, view.reservations, {})
    size = (asks.partition, asks.gpus, asks.gpu_type, asks.cores, asks.memory_mb)
    found = known[2].get(size)
    if found is None:
        found = known[2][size] = _new_places(asks, view)
    return found


def _new_places(asks: Asks, view: ClusterView) -> frozenset[_Place]:
    names = [node.name for node in view.nodes if _fits(asks, node)]
    if not view.reservations:
        return frozenset([_Place((), frozenset())] if names else [])
    cores = {node.name: node.cores for node in view.nodes}
    whole = {each.name for each in view.reservations if each.cores >= sum(cores.get(name, 0) for name in each.nodes)}
    found = set()
    for name in names:
        here = [each for each in view.reservations if name in each.nodes]
        taken = tuple(each for each in here if each.name in whole)
        found.add(_Place(taken, frozenset(each.name for each in here)))
    return frozenset(found)


def _fits(asks: Asks, node: Node) -> bool:
    kind = asks.gpu_type or ""
    return (
        node.usable
        and asks.partition in node.partitions
        and (not asks.gpus or node.gpus.get(kind, 0) - node.gpus_used.get(kind, 0) >= asks.gpus)
        and node.cores - node.cores_used >= asks.cores
        and node.memory_mb - node.memory_used_mb >= asks.memory_mb
    )
