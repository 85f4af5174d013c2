"""The single rules that make an offer: each is decided from a snapshot, and each can say why it does not hold.

Offers and refusals use the same functions, so that a reason can never disagree with the list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from hpchub.catalogue.budget import Budget, spent_obstacle
from hpchub.catalogue.event import Event
from hpchub.catalogue.limits import Amounts, Held, full, layers_of, longest, never, wanted
from hpchub.catalogue.model import Access, Catalogue, Profile, Run, Size
from hpchub.catalogue.moments import begin_epoch, day_of, end_epoch, zone_of
from hpchub.catalogue.site import Site
from hpchub.slurm.model import NO_LIMITS, Association, ClusterView, Limits, Node, Partition
from hpchub.text import Sentence


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, when, and what is known of them.

    ``name`` is the POSIX name, as Slurm knows it, and ``groups`` are those that sign-in gave.
    """

    name: str
    groups: frozenset[str] = frozenset()
    budgets: Mapping[str, Mapping[str, Budget]] = field(default_factory=dict, hash=False)
    """By cluster and account; an account that is missing has no known budget and is not limited by one."""
    events: tuple[Event, ...] = ()
    """The events that they are a member of, open or not."""
    held: tuple[Held, ...] = ()
    """Their jobs that run or wait, as far as the hub knows them."""
    asks_epoch: float | None = None
    """When they ask; None: now."""

    @property
    def now_epoch(self) -> float:
        return time.time() if self.asks_epoch is None else self.asks_epoch

    @property
    def open_events(self) -> tuple[Event, ...]:
        """The events of theirs that are open to them at that time."""
        now_epoch = self.now_epoch
        return tuple(event for event in self.events if event.is_open_to(self.name, now_epoch))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a node has in all, taken or not; thousands of nodes have a handful of shapes."""

    cores: int
    memory_mb: int
    gpus: frozenset[tuple[str, int]]


def place_obstacle(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView | None) -> Sentence | None:
    """Say why nobody can start this profile in this place now; None where it can be started."""
    return next((obstacle for _, _, obstacle in place_rules(catalogue, profile, run, view) if obstacle), None)


def place_rules(
    catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView | None
) -> Iterator[tuple[str, str, Sentence | None]]:
    """Go through what must hold in a place: the rule's name, what is so if it holds, and why it does not or None.

    The first rule that does not hold is the last one.
    """
    cluster = catalogue.site.clusters[run.cluster]
    obstacle = None
    if cluster.state == "announced":
        obstacle = Sentence("Cluster {cluster} is announced and not open yet.", cluster=run.cluster)
    yield "cluster", f"{run.cluster} is open", obstacle
    if obstacle:
        return
    if cluster.software_target not in catalogue.environments[profile.environment].targets:
        obstacle = Sentence(
            "The environment {environment} of {profile} has no build for {cluster} ({target}) yet.",
            environment=profile.environment,
            profile=profile.slug,
            cluster=run.cluster,
            target=cluster.software_target,
        )
    yield "environment", f"{profile.environment} is there for {cluster.software_target}", obstacle
    if obstacle:
        return
    if view is None or view.taken_epoch is None:
        silent = Sentence(
            "Slurm on {cluster} has not answered yet, so nothing is known about it; try again in a minute.",
            cluster=run.cluster,
        )
        yield "Slurm", "", silent
        return
    yield "Slurm", "answers", None
    yield "partition", f"{run.partition} is up", _partition_obstacle(run, view.partitions.get(run.partition))


def _partition_obstacle(run: Run, partition: Partition | None) -> Sentence | None:
    names = {"partition": run.partition, "cluster": run.cluster}
    if partition is None:
        return Sentence("Cluster {cluster} has no partition {partition} now.", **names)
    if not partition.up:
        return Sentence("Partition {partition} of {cluster} is down.", **names)
    if partition.root_only:
        return Sentence("Partition {partition} of {cluster} is for administrators only.", **names)
    if partition.reservation_only:
        return Sentence("Partition {partition} of {cluster} is for jobs with a reservation only.", **names)
    if partition.min_nodes > 1:
        return Sentence(
            "Partition {partition} of {cluster} takes only jobs of at least {least} nodes, and a notebook runs on one.",
            least=partition.min_nodes,
            **names,
        )
    return None


def accounts_of(person: Person, view: ClusterView) -> Mapping[str, frozenset[str]]:
    """Give the QOS of each account of a person on a cluster, in whatever partition, account names in lower case."""
    accounts: dict[str, frozenset[str]] = {}
    for association in view.associations.get(person.name, ()):
        account = association.account.lower()
        accounts[account] = accounts.get(account, frozenset()) | association.qos
    return accounts


def associations_of(person: Person, view: ClusterView, partition: str) -> Mapping[str, Association]:
    """Give the association that counts for each account of a person in a partition, account names in lower case.

    One for this partition alone comes before one for all; one for another partition does not count, and Slurm refuses
    an account that has no other (tried with 22.05).
    """
    counting: dict[str, Association] = {}
    for association in view.associations.get(person.name, ()):
        account = association.account.lower()
        if association.partition is None:
            counting.setdefault(account, association)
        elif association.partition.lower() == partition.lower():
            counting[account] = association
    return counting


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


def in_window(access: Access, site: Site, now_epoch: float) -> bool:
    """Tell whether a profile can be started at this time (``from``, ``until``)."""
    zone = zone_of(site.timezone) if access.from_ or access.until else None
    begun = access.from_ is None or now_epoch >= begin_epoch(access.from_, zone)
    return begun and (access.until is None or now_epoch < end_epoch(access.until, zone))


def in_events(access: Access, person: Person) -> bool:
    """Tell whether a person is in an open event that a profile names, or it names none."""
    if not access.events:
        return True
    return any(fnmatchcase(event.slug, pattern) for event in person.open_events for pattern in access.events)


def is_for(catalogue: Catalogue, access: Access, person: Person) -> bool:
    """Tell whether a profile is for a person now, whoever pays: groups, window and events."""
    return (
        in_groups(access, person) and in_window(access, catalogue.site, person.now_epoch) and in_events(access, person)
    )


def may_see(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView], profile: Profile) -> bool:
    """Tell whether a profile is for a person who has an allocation that matches, wherever that can be used."""
    patterns = patterns_of(catalogue, profile)
    accounts = (account for view in views.values() for account in accounts_of(person, view))
    return is_for(catalogue, profile.access, person) and any(matches(patterns, account) for account in accounts)


def budget_obstacle(site: Site, person: Person, cluster: str, partition: str, account: str) -> Sentence | None:
    """Say why nothing can be charged to an account (``None`` while it can, or where nothing is charged)."""
    budget = person.budgets.get(cluster, {}).get(account)
    if budget is None or partition in site.clusters[cluster].free_partitions:
        return None
    return spent_obstacle(budget, cluster, _day(site.timezone, int(person.now_epoch // 60)))


@lru_cache(maxsize=64)
def _day(zone: str, minute: int) -> date:
    """Give the day of a minute since 1970: one page asks for the same again and again."""
    return day_of(minute * 60, zone_of(zone))


def admits(partition: Partition, account: str) -> bool:
    """Tell whether a partition lets an account in (``AllowAccounts``, ``DenyAccounts``)."""
    allowed = partition.allow_accounts is None or account in {name.lower() for name in partition.allow_accounts}
    return allowed and account not in {name.lower() for name in partition.deny_accounts}


def qos_obstacle(
    view: ClusterView, run: Run, qos: str, size: Amounts, association: Limits = NO_LIMITS
) -> Sentence | None:
    """Say why no job of this size can ever run under a QOS in a place, as a verb and what follows.

    With the limits of an ``association``, for whoever has it; without, whoever pays.
    """
    partition = view.partitions[run.partition]
    if qos in partition.deny_qos or (partition.allow_qos is not None and qos not in partition.allow_qos):
        return Sentence("is not allowed in partition {partition}", partition=partition.name)
    return never(wanted(size, run.gpu_type), layers_of(view, partition, qos, association))


def crowd_obstacle(
    person: Person, view: ClusterView, run: Run, account: str, qos: str, limits: Limits
) -> Sentence | None:
    """Say why Slurm would refuse one job more of a person now, as a verb and what follows."""
    if not person.held:
        return None
    job = Held("", run.cluster, run.partition, account, qos)
    return full(layers_of(view, view.partitions[run.partition], qos, limits), person.held, job)


def most_minutes(view: ClusterView, run: Run, qos: str, size: Amounts, association: Limits = NO_LIMITS) -> int:
    """Give the longest time of a job: the least of what size, partition, QOS and association allow."""
    partition = view.partitions[run.partition]
    most = longest(partition, view.qos.get(qos), layers_of(view, partition, qos, association))
    return size.max_minutes if most is None else min(size.max_minutes, most)


def size_obstacle(view: ClusterView, run: Run, size: Size) -> Sentence | None:
    """Say why no node of a partition, busy or down ones included, takes a job of a size; None where one does.

    What follows in a sentence is "for …", the name of what is too large.
    """
    partition = view.partitions[run.partition]
    cores, memory_mb = partition.max_cores_per_node, partition.max_memory_mb_per_node
    if cores is not None and size.cores > cores:
        return Sentence(
            "A job may have {cores} cores in {partition} on {cluster}, too few",
            cores=cores,
            partition=run.partition,
            cluster=run.cluster,
        )
    if memory_mb is not None and size.memory_mb > memory_mb:
        return Sentence(
            "A job may have {memory_mb} MB of memory in {partition} on {cluster}, too little",
            memory_mb=memory_mb,
            partition=run.partition,
            cluster=run.cluster,
        )
    if not any(_holds(shape, run, size) for shape in shapes_of(view).get(run.partition, ())):
        return Sentence(
            "No node of {partition} on {cluster} is large enough", partition=run.partition, cluster=run.cluster
        )
    return None


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
