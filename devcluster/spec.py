"""What is wanted: clusters.toml and people.toml as values.

Memory is in MB as Slurm counts it (1 MB = 1 MiB), time in minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.tables import Table

MOST_MINUTES = 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Nodes of one kind, named ``<name>0001`` and so on."""

    name: str
    count: int
    cores: int
    memory_mb: int
    gpu_type: str = ""
    gpus: int = 0

    @property
    def node_names(self) -> tuple[str, ...]:
        """The nodes' names, in order."""
        return tuple(f"{self.name}{number:04d}" for number in range(1, self.count + 1))

    @property
    def hostlist(self) -> str:
        """The nodes' names as Slurm's range expression, ``lrdn[0001-0010]``."""
        return f"{self.name}[0001-{self.count:04d}]"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition and what a job in it may ask for."""

    name: str
    nodes: NodeGroup
    default: bool
    default_minutes: int
    max_minutes: int
    node_core_hours: int
    """What a whole node costs an hour, in core-hours of the budget; 0 where the partition is free."""
    max_cores_per_job: int
    """0 where only the nodes are the limit."""
    max_memory_mb_per_job: int
    """0 where only the nodes are the limit."""

    @property
    def limits_jobs(self) -> bool:
        """Whether jobs have limits of their own here, which Slurm keeps as a QOS with the partition's name."""
        return bool(self.max_cores_per_job or self.max_memory_mb_per_job)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One slurmctld with its nodes."""

    name: str
    node_groups: tuple[NodeGroup, ...]
    partitions: tuple[Partition, ...]

    @property
    def node_names(self) -> tuple[str, ...]:
        """All nodes' names, in the order of their ports."""
        return tuple(name for group in self.node_groups for name in group.node_names)


@dataclass(frozen=True, slots=True)
class Qos:
    """One QOS that every association may use; a limit of 0 is no limit."""

    name: str
    priority: int
    max_minutes: int
    max_nodes_per_job: int
    max_nodes_per_user: int


@dataclass(frozen=True, slots=True)
class Account:
    """One allocation; it exists on every cluster with the same budget."""

    name: str
    description: str
    organization: str
    core_hours: int


@dataclass(frozen=True, slots=True)
class ClustersSpec:
    """The content of clusters.toml."""

    base_port: int
    clusters: tuple[Cluster, ...]
    qos: tuple[Qos, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """One person of people.toml."""

    name: str
    full_name: str
    title: str
    allocations: tuple[str, ...]
    trainer: bool
    admin: bool
    posix: bool
    """False for a person of the hub who has no account on the machine."""


@dataclass(frozen=True, slots=True)
class PeopleSpec:
    """The content of people.toml."""

    group: str
    hub_user: str
    people: tuple[Person, ...]

    @property
    def posix_people(self) -> tuple[Person, ...]:
        """The people who have an account on the machine."""
        return tuple(person for person in self.people if person.posix)


def load_clusters(path: Path) -> ClustersSpec:
    """Read clusters.toml.

    :raises DevclusterError: naming the file, the place and what is possible.
    """
    file = Table.of_file(path)
    spec = ClustersSpec(
        base_port=file.number("base_port", least=1024, most=60000, default=16800),
        clusters=tuple(_cluster(table) for table in file.tables("cluster")),
        qos=tuple(_qos(table) for table in file.tables("qos")),
        accounts=tuple(_account(table) for table in file.tables("account")),
    )
    file.done()
    for kind, values in (("cluster", spec.clusters), ("qos", spec.qos), ("account", spec.accounts)):
        _require_some_without_doubles(file.place, kind, [value.name for value in values])
    nodes = [name for cluster in spec.clusters for name in cluster.node_names]
    _require_some_without_doubles(file.place, "node", nodes)
    return spec


def load_people(path: Path) -> PeopleSpec:
    """Read people.toml.

    :raises DevclusterError: naming the file, the place and what is possible.
    """
    file = Table.of_file(path)
    group, hub = file.table("group"), file.table("hub")
    spec = PeopleSpec(group.name("name"), hub.name("user"), tuple(_person(table) for table in file.tables("people")))
    for table in (group, hub, file):
        table.done()
    _require_some_without_doubles(file.place, "person", [spec.hub_user, *(person.name for person in spec.people)])
    return spec


def require_known_allocations(clusters: ClustersSpec, people: PeopleSpec) -> None:
    """Check that each person's allocations are accounts of the clusters.

    :raises DevclusterError: naming the person, the allocation and the accounts that exist.
    """
    known = {account.name for account in clusters.accounts}
    for person in people.people:
        for allocation in person.allocations:
            if allocation not in known:
                raise DevclusterError(
                    f"{person.name} has the allocation {allocation}, which is no account; "
                    f"there are {', '.join(sorted(known))}"
                )
        if person.allocations and not person.posix:
            raise DevclusterError(
                f"{person.name} is hub_only, without a POSIX account to run jobs, and can have no allocation"
            )


def _cluster(table: Table) -> Cluster:
    name = table.name("name")
    groups = tuple(_node_group(nodes) for nodes in table.tables("nodes"))
    partitions = tuple(_partition(partition, groups) for partition in table.tables("partition"))
    table.done()
    _require_some_without_doubles(table.place, "node group", [group.name for group in groups])
    _require_some_without_doubles(table.place, "partition", [partition.name for partition in partitions])
    if sum(partition.default for partition in partitions) != 1:
        raise DevclusterError(f"{table.place}: exactly one partition must have default = true")
    return Cluster(name, groups, partitions)


def _node_group(table: Table) -> NodeGroup:
    gpus = table.number("gpus", least=0, most=64, default=0)
    group = NodeGroup(
        name=table.name("name"),
        count=table.number("count", least=1, most=5000),
        cores=table.number("cores", least=1, most=4096),
        memory_mb=table.number("memory_mb", least=1, most=100_000_000),
        gpu_type=table.name("gpu_type") if gpus else "",
        gpus=gpus,
    )
    table.done()
    return group


def _partition(table: Table, groups: Sequence[NodeGroup]) -> Partition:
    by_name = {group.name: group for group in groups}
    nodes = table.name("nodes")
    if nodes not in by_name:
        raise DevclusterError(f"{table.place}: there are no nodes {nodes!r}; there are {', '.join(by_name)}")
    partition = Partition(
        name=table.name("name"),
        nodes=by_name[nodes],
        default=table.flag("default"),
        default_minutes=table.number("default_minutes", least=1, most=MOST_MINUTES),
        max_minutes=table.number("max_minutes", least=1, most=MOST_MINUTES),
        node_core_hours=table.number("node_core_hours", least=0, most=100_000),
        max_cores_per_job=table.number("max_cores_per_job", least=0, most=4096, default=0),
        max_memory_mb_per_job=table.number("max_memory_mb_per_job", least=0, most=100_000_000, default=0),
    )
    table.done()
    return partition


def _qos(table: Table) -> Qos:
    qos = Qos(
        name=table.name("name"),
        priority=table.number("priority", least=0, most=1_000_000, default=0),
        max_minutes=table.number("max_minutes", least=0, most=MOST_MINUTES, default=0),
        max_nodes_per_job=table.number("max_nodes_per_job", least=0, most=5000, default=0),
        max_nodes_per_user=table.number("max_nodes_per_user", least=0, most=5000, default=0),
    )
    table.done()
    return qos


def _account(table: Table) -> Account:
    account = Account(
        name=table.name("name"),
        description=table.text("description"),
        organization=table.text("organization"),
        core_hours=table.number("core_hours", least=1, most=1_000_000_000),
    )
    table.done()
    return account


def _person(table: Table) -> Person:
    person = Person(
        name=table.name("name"),
        full_name=table.text("full_name"),
        title=table.text("title", default=""),
        allocations=table.names("allocations"),
        trainer=table.flag("trainer"),
        admin=table.flag("admin"),
        posix=not table.flag("hub_only"),
    )
    table.done()
    return person


def _require_some_without_doubles(place: str, kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DevclusterError(f"{place}: {kind} {name} is there twice")
        seen.add(name)
    if not seen:
        raise DevclusterError(f"{place}: there is no {kind}; at least one is needed")
