"""What a session costs, in core-hours as the site counts them and in GPU-hours.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hpchub.catalogue.limits import wanted
from hpchub.catalogue.model import Size
from hpchub.catalogue.rules import Shape
from hpchub.slurm.model import Tres


@dataclass(frozen=True, slots=True)
class Cost:
    """What is charged for holding a size for a time, used or idle."""

    core_hours: float
    """The site's unit: what ``TRESBillingWeights`` count in an hour, or cores of a node where there are none."""
    gpu_hours: float


def billed(size: Size, gpu_type: str | None, weights: Tres, charge: Literal["largest", "sum"]) -> float:
    """Give the core-hours an hour by a partition's ``TRESBillingWeights``.

    Slurm adds the resources of a job up, or with ``PriorityFlags=MAX_TRES`` takes the largest of those on the node
    (https://slurm.schedmd.com/tres.html).
    """
    asked = wanted(size, gpu_type)
    parts = [asked.get(name, 0) * weight for name, weight in weights]
    return max(parts, default=0.0) if charge == "largest" else sum(parts)


def shared(size: Size, shapes: Iterable[Shape]) -> float:
    """Give the core-hours an hour of the largest of the shares of a node's cores, memory and GPUs.

    Of several kinds of nodes, the dearest that can hold the size counts.
    """
    return max((_share(size, shape) * shape.cores for shape in shapes if _fits(size, shape)), default=float(size.cores))


def _fits(size: Size, shape: Shape) -> bool:
    return shape.cores >= size.cores and shape.memory_mb >= size.memory_mb and _gpus(shape) >= size.gpus


def _share(size: Size, shape: Shape) -> float:
    gpus = size.gpus / _gpus(shape) if size.gpus else 0.0
    return max(size.cores / shape.cores, size.memory_mb / shape.memory_mb, gpus)


def _gpus(shape: Shape) -> int:
    return sum(count for _, count in shape.gpus)
