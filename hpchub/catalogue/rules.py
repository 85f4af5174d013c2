"""The single rules that make an offer: each is decided from a snapshot, and each can say why it does not hold.

Offers and refusals use the same functions, so that a reason can never disagree with the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from hpchub.catalogue.model import Access, Catalogue, Profile, Run, Size
from hpchub.slurm.model import ClusterView, Node, Partition, Qos


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the POSIX name, as Slurm knows it, and the groups that sign-in gave."""

    name: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a node has in all, taken or not; thousands of nodes have a handful of shapes."""

    cores: int
    memory_mb: int
    gpus: frozenset[tuple[str, int]]


def place_obstacle(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView | None) -> str | None:
    """Say why nobody can start this profile in this place now; None where it can be started."""
    cluster = catalogue.site.clusters[run.cluster]
    if cluster.state == "announced":
        return f"Cluster {run.cluster} is announced and not open yet."
    if cluster.software_target not in catalogue.environments[profile.environment].targets:
        return (
            f"The environment {profile.environment} of {profile.slug} has no build for {run.cluster} "
            f"({cluster.software_target}) yet."
        )
    if view is None or view.taken_epoch is None:
        return f"Slurm on {run.cluster} has not answered yet, so nothing is known about it; try again in a minute."
    partition = view.partitions.get(run.partition)
    if partition is None:
        return f"Cluster {run.cluster} has no partition {run.partition} now."
    if not partition.up:
        return f"Partition {run.partition} of {run.cluster} is down."
    return None


def accounts_of(person: Person, view: ClusterView) -> Mapping[str, frozenset[str]]:
    """Give the QOS of each account of a person on a cluster, account names in lower case."""
    accounts: dict[str, frozenset[str]] = {}
    for association in view.associations.get(person.name, ()):
        account = association.account.lower()
        # An account may be associated more than once, by partition.
        accounts[account] = accounts.get(account, frozenset()) | association.qos
    return accounts


def patterns_of(catalogue: Catalogue, profile: Profile) -> tuple[str, ...]:
    """Give the patterns of the accounts that a profile is for."""
    own = profile.access.allocations
    return catalogue.sectors[profile.sector].allocations if own is None else own


def matches(patterns: tuple[str, ...], account: str) -> bool:
    """Tell whether an account matches one of the patterns; case does not count."""
    return _compiled(patterns).match(account) is not None


@lru_cache(maxsize=1024)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns), re.IGNORECASE)


def in_groups(access: Access, person: Person) -> bool:
    """Tell whether a person is in one of the groups that a profile names, or it names none."""
    return not access.groups or not person.groups.isdisjoint(access.groups)


def admits(partition: Partition, account: str) -> bool:
    """Tell whether a partition lets an account in (``AllowAccounts``, ``DenyAccounts``)."""
    allowed = partition.allow_accounts is None or account in {name.lower() for name in partition.allow_accounts}
    return allowed and account not in {name.lower() for name in partition.deny_accounts}


def qos_obstacle(partition: Partition, qos: str, limits: Qos | None, size: Size) -> str | None:
    """Say why no job of this size can use a QOS in a partition, whoever pays."""
    if qos in partition.deny_qos or (partition.allow_qos is not None and qos not in partition.allow_qos):
        return f"is not allowed in partition {partition.name}"
    if limits:
        for most in (limits.max_gpus_per_job, limits.max_gpus_per_user):
            if most is not None and size.gpus > most:
                return f"allows at most {most} GPUs"
    return None


def most_minutes(size: Size, partition: Partition, limits: Qos | None) -> int:
    """Give the longest time of a job: the least of what size, partition and QOS allow."""
    bounds = (size.max_minutes, partition.max_minutes, limits.max_minutes if limits else None)
    return min(bound for bound in bounds if bound is not None)


def carries(view: ClusterView, run: Run, size: Size) -> bool:
    """Tell whether some node of the partition, busy or down included, is large enough for a size."""
    return any(_holds(shape, run, size) for shape in shapes_of(view).get(run.partition, ()))


def _holds(shape: Shape, run: Run, size: Size) -> bool:
    if shape.cores < size.cores or shape.memory_mb < size.memory_mb:
        return False
    return size.gpus == 0 or any(kind == run.gpu_type and count >= size.gpus for kind, count in shape.gpus)


# Thousands of nodes are looked at once a snapshot and not once an offer.  A snapshot cannot be hashed (it holds
# mappings), so the identity of its nodes decides, and the entry keeps them alive so that no other gets that identity.
_known_shapes: dict[str, tuple[tuple[Node, ...], Mapping[str, frozenset[Shape]]]] = {}


def shapes_of(view: ClusterView) -> Mapping[str, frozenset[Shape]]:
    """Give the shapes of each partition's nodes: the same object as long as no shape has come or gone."""
    known = _known_shapes.get(view.cluster)
    if known is None or known[0] is not view.nodes:
        by_partition: dict[str, set[Shape]] = {}
        for node in view.nodes:
            shape = Shape(node.cores, node.memory_mb, frozenset(node.gpus.items()))
            for partition in node.partitions:
                by_partition.setdefault(partition, set()).add(shape)
        shapes: Mapping[str, frozenset[Shape]] = {name: frozenset(each) for name, each in by_partition.items()}
        known = _known_shapes[view.cluster] = (view.nodes, known[1] if known and known[1] == shapes else shapes)
    return known[1]
