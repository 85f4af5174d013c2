"""What a Slurm cluster says about itself, as values.

Everything here is immutable and free of I/O.  Memory is in MB as Slurm counts it (1 MB = 1 MiB), time in minutes,
account names in lower case (``sacctmgr`` writes them so, users do not).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

EMPTY: Mapping[str, int] = MappingProxyType({})

Tres = tuple[tuple[str, float], ...]
"""Amounts of Slurm's trackable resources, by name."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, as ``scontrol show partition`` tells it."""

    name: str
    up: bool
    max_minutes: int | None
    """The longest job; None where the partition has no limit."""
    allow_accounts: frozenset[str] | None = None
    """Accounts that may use it; None where all may."""
    deny_accounts: frozenset[str] = frozenset()
    allow_qos: frozenset[str] | None = None
    """QOS that may be used in it; None where all may."""
    deny_qos: frozenset[str] = frozenset()
    qos: str | None = None
    """Its own QOS (``QoS``), whose limits count for every job in it."""
    max_cores_per_node: int | None = None
    max_memory_mb_per_node: int | None = None
    min_nodes: int = 0
    """The smallest job; 0 where one node will do."""
    reservation_only: bool = False
    """Whether a job needs a reservation (``ReqResv``)."""
    root_only: bool = False
    billing_weights: Tres = ()
    """What the charge of a job counts (``TRESBillingWeights``), memory by the MB; empty where nothing is said."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node and what is taken of it."""

    name: str
    address: str
    """Where its daemons listen (``NodeAddr``): what the hub connects to."""
    partitions: frozenset[str]
    usable: bool
    """False while it is down, drained, not responding or reserved for maintenance."""
    cores: int
    cores_used: int
    memory_mb: int
    memory_used_mb: int
    gpus: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    """GPUs by Slurm's type name, for example ``{"a100": 4}``."""
    gpus_used: Mapping[str, int] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a QOS or an association allows; None, or a resource that is not named, is no limit.

    Resources have Slurm's names (``cpu``, ``mem`` in MB, ``node``, ``gres/gpu``, ``gres/gpu:a100``).
    """

    max_minutes: int | None = None
    job: Tres = ()
    """The most for one job (``MaxTRES``)."""
    least: Tres = ()
    """The least for one job (``MinTRES``)."""
    user: Tres = ()
    """The most for all jobs of one user together (``MaxTRESPerUser``)."""
    account: Tres = ()
    """The most for all jobs of one account together (``MaxTRESPerAccount``)."""
    group: Tres = ()
    """The most for all jobs together (``GrpTRES``); of an association, the least that it and what is above it allow."""
    running: int | None = None
    """How many jobs of a user may run at a time (``MaxJobs``); more wait."""
    submitted: int | None = None
    """How many jobs of a user may run and wait at a time (``MaxSubmitJobs``); more are refused."""
    account_running: int | None = None
    account_submitted: int | None = None
    """The same for all jobs of one account together (``MaxJobsPerAccount``, ``MaxSubmitJobsPerAccount``); a QOS's."""
    group_running: int | None = None
    group_submitted: int | None = None
    """The same for all jobs together (``GrpJobs``, ``GrpSubmitJobs``)."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Association:
    """One user in one account of one cluster."""

    user: str
    account: str
    qos: frozenset[str]
    """The QOS that this user may ask for with this account."""
    default_qos: str | None = None
    partition: str | None = None
    """The only partition that it is for; None: those for which the user has no association of this account."""
    limits: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Qos:
    """One QOS and its limits."""

    name: str
    limits: Limits = NO_LIMITS
    flags: frozenset[str] = frozenset()
    """Slurm's words; ``PartitionTimeLimit`` and ``OverPartQOS`` decide which limit counts."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes that are kept for somebody, or for maintenance, for a time."""

    name: str
    start_epoch: int
    end_epoch: int
    nodes: frozenset[str]
    cores: int
    """How many cores of them; fewer than they have where other jobs may use the rest."""
    users: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    """In lower case."""
    groups: frozenset[str] = frozenset()
    """POSIX groups."""
    flags: frozenset[str] = frozenset()

    @property
    def maintenance(self) -> bool:
        return "MAINT" in self.flags


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """What all jobs of an account together may use of one resource, ever (``GrpTRESMins``), and what they have used."""

    tres: str
    """``billing``, ``cpu`` or ``gres/gpu``."""
    limit_minutes: int
    used_minutes: int
    account: str = field(default="", compare=False)
    """Where the limit is set: the account itself or one above it, in lower case."""


class JobState(StrEnum):
    """Where a job is, in the only distinctions that decide what we do."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"
    """Completing: its processes are being ended; for a session it is gone."""
    ENDED = "ended"
    UNKNOWN = "unknown"
    """A word of Slurm's that we do not know, or no answer; never treated as an end."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the hub, as ``squeue --states=all`` tells it."""

    job_id: str
    user: str
    state: JobState
    slurm_state: str
    """Slurm's own word: ``PENDING``, ``TIMEOUT``, ``NODE_FAIL``…"""
    reason: str
    """Slurm's reason code; an empty string where it gives none."""
    node: str | None
    account: str
    partition: str
    qos: str
    comment: str
    exit_status: int | None = None
    """The exit status of the batch script of an ended job, where it exited by itself."""
    start_epoch: int | None = None
    end_epoch: int | None = None
    """When it ended, or while it runs when its time limit ends it."""
    user_id: int | None = None
    """The user's number; only the accounting tells it, and names who cancelled a job by number."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One job of anybody that waits; the tasks of a job array that wait together are one."""

    job_id: str
    priority: int
    """Slurm's own number; the higher goes first."""
    reason: str
    partitions: frozenset[str]
    start_epoch: int | None = None
    """When the scheduler expects it to start; None where it has not planned it."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A snapshot of one cluster: what it said, and when.

    ``taken_epoch`` is None as long as the cluster has never answered; then everything is empty.
    ``silent_since_epoch`` is set while its controller does not answer now, ``accounting_silent_since_epoch`` while its
    accounting does not: associations and QOS are then those of an earlier answer.
    """

    cluster: str
    taken_epoch: float | None = None
    silent_since_epoch: float | None = None
    accounting_silent_since_epoch: float | None = None
    partitions: Mapping[str, Partition] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    qos: Mapping[str, Qos] = field(default_factory=dict)
    associations: Mapping[str, tuple[Association, ...]] = field(default_factory=dict)
    """By POSIX user name."""
    reservations: tuple[Reservation, ...] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """The hub's own jobs by job id."""
    queue: tuple[QueuedJob, ...] | None = None
    """Everybody's waiting jobs; None while none of the hub's waits and nobody looks, since then nobody asks."""
    queue_epoch: float | None = None
    """When the queue was asked for."""

    def free_gpus(self, partition: str, gpu_type: str) -> int:
        """Count the GPUs of a type that no job holds on the usable nodes of a partition."""
        return sum(
            max(node.gpus.get(gpu_type, 0) - node.gpus_used.get(gpu_type, 0), 0)
            for node in self.nodes
            if node.usable and partition in node.partitions
        )
