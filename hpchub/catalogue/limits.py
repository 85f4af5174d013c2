"""What Slurm's limits leave of a job: those of the partition, of QOS and of associations, in Slurm's order.  Pure.

Slurm takes each limit from the first that sets it: the partition's own QOS, the job's QOS (which comes before it with
the flag ``OverPartQOS``), then the association (https://slurm.schedmd.com/resource_limits.html).
``tests/slurm/test_limits.py`` holds what is said here against what each version of Slurm does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from hpchub.slurm.model import NO_LIMITS, ClusterView, Limits, Partition, Qos

SCOPES = {
    "job": "in a job",
    "user": "for all jobs of a user",
    "account": "for all jobs of an allocation",
    "group": "for all jobs together",
}
"""The limits on resources, and the words for what they are about."""


class Amounts(Protocol):
    """What a job asks for: a size, or what was made of one."""

    @property
    def gpus(self) -> int: ...
    @property
    def cores(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def max_minutes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Layer:
    """The limits that one of them sets."""

    of: Literal["qos", "partition", "association"]
    limits: Limits
    words: str = ""
    """Added to a sentence about the job's QOS, where it is not the QOS itself that sets the limit."""


@dataclass(frozen=True, slots=True)
class Held:
    """A job of the person that runs or waits: what counts against ``MaxJobs`` and ``MaxSubmitJobs``."""

    name: str
    """What the person calls it."""
    cluster: str
    partition: str
    account: str
    qos: str


def layers_of(view: ClusterView, partition: Partition, qos: str, association: Limits = NO_LIMITS) -> tuple[Layer, ...]:
    """Give who limits a job of a QOS in a partition, in the order in which Slurm looks at them."""
    chosen = view.qos.get(qos, Qos(qos))
    layers = [Layer("qos", chosen.limits)]
    own = view.qos.get(partition.qos) if partition.qos else None
    if own is not None:
        layers.insert(
            len(layers) if "OverPartQOS" in chosen.flags else 0,
            Layer("partition", own.limits, f" in partition {partition.name}"),
        )
    return (*layers, Layer("association", association, " with this allocation"))


def wanted(size: Amounts, gpu_type: str | None) -> Mapping[str, float]:
    """Give what one job of a size asks for, by Slurm's names of resources."""
    gpus = {"gres/gpu": size.gpus, f"gres/gpu:{gpu_type}": size.gpus} if size.gpus else {}
    return {"cpu": size.cores, "mem": size.memory_mb, "node": 1, **gpus}


def never(asked: Mapping[str, float], layers: tuple[Layer, ...]) -> str | None:
    """Say why a job that asks for this can never run, even alone, as a verb and what follows; None where it can."""
    for scope, about in SCOPES.items():
        for layer, name, most in _first_amounts(layers, scope):
            if asked.get(name, 0) > most:
                return f"allows at most {_amount(name, most)} {about}{layer.words}"
    for layer, name, least in _first_amounts(layers, "least"):
        if asked.get(name, 0) < least:
            return f"needs at least {_amount(name, least)} in a job{layer.words}"
    for number in ("running", "submitted", "group_running", "group_submitted"):
        layer, jobs = _first_number(layers, number)
        if jobs == 0:
            return f"allows no job{layer.words}"
    return None


def longest(partition: Partition, qos: Qos | None, layers: tuple[Layer, ...]) -> int | None:
    """Give the longest time of a job; None where nothing limits it."""
    _, most = _first_number(layers, "max_minutes")
    # https://slurm.schedmd.com/qos.html#flags
    over = qos is not None and "PartitionTimeLimit" in qos.flags and most is not None
    bounds = (most, None if over else partition.max_minutes)
    return min((bound for bound in bounds if bound is not None), default=None)


def full(layers: tuple[Layer, ...], held: tuple[Held, ...], job: Held) -> str | None:
    """Say why Slurm would refuse one job more now, as a verb and what follows; None where it would not.

    ``held`` are the person's jobs as far as the hub knows them: there can be others, of which Slurm itself tells.
    """
    for number in ("submitted", "group_submitted"):
        if reached := _reached(layers, number, held, job):
            layer, most, names = reached
            return f"allows at most {_jobs(most)} at a time{layer.words} (yours, waiting ones included: {names})"
    return None


def waits(layers: tuple[Layer, ...], held: tuple[Held, ...], job: Held) -> str | None:
    """Say which of the person's own jobs must end before one more can run, as a verb and what follows."""
    for number in ("running", "group_running"):
        if reached := _reached(layers, number, held, job):
            layer, most, names = reached
            start = f"allows at most {_jobs(most)} to run at a time{layer.words}"
            return f"{start} (yours: {names}): one more waits until one of them has ended"
    return None


def _jobs(number: int) -> str:
    return f"{number} job{'' if number == 1 else 's'}"


def _reached(
    layers: tuple[Layer, ...], number: str, held: tuple[Held, ...], job: Held
) -> tuple[Layer, int, str] | None:
    """Give the limit on the number of jobs that a person has reached, and the names of their jobs."""
    layer, most = _first_number(layers, number)
    if most is None:
        return None
    same = [each.name for each in held if each.cluster == job.cluster and _counts(layer, each, job)]
    if len(same) < most:
        return None
    return layer, most, ", ".join(same[:3]) + (f" and {len(same) - 3} more" if len(same) > 3 else "")


def _counts(layer: Layer, held: Held, job: Held) -> bool:
    """Tell whether a job counts against the same limit as another."""
    match layer.of:
        case "qos":
            return held.qos == job.qos
        case "partition":
            return held.partition == job.partition
        case "association":
            return held.account == job.account


def _first_amounts(layers: tuple[Layer, ...], scope: str) -> list[tuple[Layer, str, float]]:
    found: dict[str, tuple[Layer, str, float]] = {}
    for layer in layers:
        for name, amount in getattr(layer.limits, scope):
            found.setdefault(name, (layer, name, amount))
    return list(found.values())


def _first_number(layers: tuple[Layer, ...], number: str) -> tuple[Layer, int | None]:
    for layer in layers:
        value: int | None = getattr(layer.limits, number)
        if value is not None:
            return layer, value
    return layers[0], None


def _amount(name: str, amount: float) -> str:
    """Write an amount of a resource as people do."""
    number = f"{amount:g}" if amount < 10**6 else f"{amount:.0f}"
    plural = "" if amount == 1 else "s"
    if name.startswith("gres/gpu:"):
        return f"{number} GPU{plural} of the type {name.removeprefix('gres/gpu:')}"
    match name:
        case "cpu":
            return f"{number} core{plural}"
        case "mem":
            return f"{number} MB of memory"
        case "gres/gpu":
            return f"{number} GPU{plural}"
        case "node":
            return f"{number} node{plural}"
    return f"{number} {name.removeprefix('gres/')}"
