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
from hpchub.text import Counted, Joined, Sentence, listed

MOST_HELD = 3
"""Sessions of the person's that a sentence names."""

SCOPES = {
    "job": Sentence("in a job"),
    "user": Sentence("for all jobs of a user"),
    "account": Sentence("for all jobs of an allocation"),
    "group": Sentence("for all jobs together"),
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
    partition: str = ""
    """The partition whose own QOS it is."""

    def sets(self, limit: Sentence) -> Sentence:
        """Say what a QOS allows, and who says so where that is not the QOS itself."""
        match self.of:
            case "qos":
                return limit
            case "partition":
                return Joined([limit, Sentence("in partition {partition}", partition=self.partition)])
            case "association":
                return Joined([limit, Sentence("with this allocation")])


@dataclass(frozen=True, slots=True)
class Held:
    """A job of the person that runs or waits: what counts against ``MaxJobs`` and ``MaxSubmitJobs``."""

    server: str
    """The name of its server; empty for the default one."""
    cluster: str
    partition: str
    account: str
    qos: str

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self.server or Sentence("the session without a name")


def layers_of(view: ClusterView, partition: Partition, qos: str, association: Limits = NO_LIMITS) -> tuple[Layer, ...]:
    """Give who limits a job of a QOS in a partition, in the order in which Slurm looks at them."""
    chosen = view.qos.get(qos, Qos(qos))
    layers = [Layer("qos", chosen.limits)]
    own = view.qos.get(partition.qos) if partition.qos else None
    if own is not None:
        layers.insert(
            len(layers) if "OverPartQOS" in chosen.flags else 0,
            Layer("partition", own.limits, partition.name),
        )
    return (*layers, Layer("association", association))


def wanted(size: Amounts, gpu_type: str | None) -> Mapping[str, float]:
    """Give what one job of a size asks for, by Slurm's names of resources."""
    gpus = {"gres/gpu": size.gpus, f"gres/gpu:{gpu_type}": size.gpus} if size.gpus else {}
    return {"cpu": size.cores, "mem": size.memory_mb, "node": 1, **gpus}


def never(asked: Mapping[str, float], layers: tuple[Layer, ...]) -> Sentence | None:
    """Say why a job that asks for this can never run, even alone, as a verb and what follows; None where it can."""
    for scope, about in SCOPES.items():
        for layer, name, most in first_amounts(layers, scope):
            if asked.get(name, 0) > most:
                return layer.sets(
                    Sentence("allows at most {amount} {about}", amount=amount_in_words(name, most), about=about)
                )
    for layer, name, least in first_amounts(layers, "least"):
        if asked.get(name, 0) < least:
            return layer.sets(Sentence("needs at least {amount} in a job", amount=amount_in_words(name, least)))
    for number in ("running", "submitted", "group_running", "group_submitted"):
        layer, jobs = first_number(layers, number)
        if jobs == 0:
            return layer.sets(Sentence("allows no job"))
    return None


def longest(partition: Partition, qos: Qos | None, layers: tuple[Layer, ...]) -> int | None:
    """Give the longest time of a job; None where nothing limits it."""
    _, most = first_number(layers, "max_minutes")
    # https://slurm.schedmd.com/qos.html#flags
    over = qos is not None and "PartitionTimeLimit" in qos.flags and most is not None
    bounds = (most, None if over else partition.max_minutes)
    return min((bound for bound in bounds if bound is not None), default=None)


def full(layers: tuple[Layer, ...], held: tuple[Held, ...], job: Held) -> Sentence | None:
    """Say why Slurm would refuse one job more now, as a verb and what follows; None where it would not.

    ``held`` are the person's jobs as far as the hub knows them: there can be others, of which Slurm itself tells.
    """
    for number in ("submitted", "group_submitted"):
        if reached := _reached(layers, number, held, job):
            layer, most, names = reached
            limit = layer.sets(Sentence("allows at most {jobs} at a time", jobs=_jobs(most)))
            return Joined([limit, Sentence("(yours, waiting ones included: {names})", names=names)])
    return None


def waits(layers: tuple[Layer, ...], held: tuple[Held, ...], job: Held) -> Sentence | None:
    """Say which of the person's own jobs must end before one more can run, as a verb and what follows."""
    for number in ("running", "group_running"):
        if reached := _reached(layers, number, held, job):
            layer, most, names = reached
            limit = layer.sets(Sentence("allows at most {jobs} to run at a time", jobs=_jobs(most)))
            yours = Sentence("(yours: {names}): one more waits until one of them has ended", names=names)
            return Joined([limit, yours])
    return None


def _jobs(number: int) -> Sentence:
    return Counted("{n} job", "{n} jobs", number)


def _reached(
    layers: tuple[Layer, ...], number: str, held: tuple[Held, ...], job: Held
) -> tuple[Layer, int, Sentence] | None:
    """Give the limit on the number of jobs that a person has reached, and the names of their jobs."""
    layer, most = first_number(layers, number)
    if most is None:
        return None
    same = [each.name for each in held if each.cluster == job.cluster and _counts(layer, each, job)]
    if len(same) < most:
        return None
    return layer, most, listed(same, MOST_HELD)


def _counts(layer: Layer, held: Held, job: Held) -> bool:
    """Tell whether a job counts against the same limit as another."""
    match layer.of:
        case "qos":
            return held.qos == job.qos
        case "partition":
            return held.partition == job.partition
        case "association":
            return held.account == job.account


def first_amounts(layers: tuple[Layer, ...], scope: str) -> list[tuple[Layer, str, float]]:
    """Give the limits on resources that count, each from the first layer that sets it: the layer, resource, amount.

    ``scope`` is one of :data:`SCOPES`, or ``least``.
    """
    found: dict[str, tuple[Layer, str, float]] = {}
    for layer in layers:
        for name, amount in getattr(layer.limits, scope):
            found.setdefault(name, (layer, name, amount))
    return list(found.values())


def first_number(layers: tuple[Layer, ...], number: str) -> tuple[Layer, int | None]:
    """Give a limit on a number of jobs, or on minutes, and the first layer that sets it; None where none does."""
    for layer in layers:
        value: int | None = getattr(layer.limits, number)
        if value is not None:
            return layer, value
    return layers[0], None


def amount_in_words(name: str, amount: float) -> str:
    """Write an amount of a resource, by Slurm's name of it, as people do."""
    number = int(amount)
    if name.startswith("gres/gpu:"):
        kind = name.removeprefix("gres/gpu:")
        return Counted("{n} GPU of the type {type}", "{n} GPUs of the type {type}", number, type=kind)
    match name:
        case "cpu":
            return Counted("{n} core", "{n} cores", number)
        case "mem":
            return Sentence("{n} MB of memory", n=number)
        case "gres/gpu":
            return Counted("{n} GPU", "{n} GPUs", number)
        case "node":
            return Counted("{n} node", "{n} nodes", number)
    return f"{amount:g} {name.removeprefix('gres/')}"
