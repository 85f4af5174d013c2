"""Figures that many cards show: counted once a snapshot, whoever looks.  Pure but for what it keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from hpchub.slurm.model import ClusterView, Node

# A snapshot cannot be hashed (it holds mappings), so the identity of its nodes decides, and the entry keeps them alive.
_kept: dict[str, tuple[tuple[Node, ...], Mapping[tuple[str, str], int]]] = {}


def free_gpus(view: ClusterView, partition: str, gpu_type: str) -> int:
    """Count the GPUs of a type that no job holds on the usable nodes of a partition, as ``view.free_gpus`` does."""
    known = _kept.get(view.cluster)
    if known is None or known[0] is not view.nodes:
        known = _kept[view.cluster] = (view.nodes, _counted(view.nodes))
    return known[1].get((partition, gpu_type), 0)


def _counted(nodes: tuple[Node, ...]) -> Mapping[tuple[str, str], int]:
    free: dict[tuple[str, str], int] = defaultdict(int)
    for node in nodes:
        if node.usable:
            for kind, count in node.gpus.items():
                left = max(count - node.gpus_used.get(kind, 0), 0)
                for partition in node.partitions:
                    free[partition, kind] += left
    return dict(free)
