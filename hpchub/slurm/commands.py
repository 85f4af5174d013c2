"""The Slurm commands that we run, as argument lists.  Pure.

Fields are asked for by name, with an explicit size and a separator: the default size of ``squeue -O`` cuts at 20
characters, and ``--json`` changes its shape between versions and ignores filters in 22.05.
"""

from __future__ import annotations

from collections.abc import Iterable

JOB_NAME = "hpchub"
"""The name of every job of the hub."""

SEPARATOR = "|"

ENVIRONMENT = {
    # Times as seconds since the epoch: no zone, no locale, no parsing.
    "SLURM_TIME_FORMAT": "%s",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin:/usr/local/bin",
}

JOB_FIELDS = (
    ("JobID", 20),
    ("UserName", 64),
    ("State", 20),
    # Slurm's own sentence of 91 characters about nodes that are out of service, or a list of such nodes, cut
    ("Reason", 128),
    ("BatchHost", 128),
    ("Account", 64),
    ("Partition", 64),
    ("QOS", 64),
    ("exit_code", 12),
    ("StartTime", 20),
    ("EndTime", 20),
    # last: anybody can write anything into a comment, separators and line breaks included
    ("Comment", 1024),
)

QUEUE_FIELDS = (
    ("JobID", 20),
    # by which Slurm orders; "Priority" is the same, rounded to a fraction of 1
    ("PriorityLong", 20),
    ("Reason", 64),
    ("StartTime", 20),
    # last: a job may name many, and a list that is cut has its end elsewhere
    ("Partition", 256),
)

NODE_FIELDS = (
    ("NodeList", 128),
    ("NodeAddr", 128),
    ("PartitionName", 64),
    ("StateComplete", 64),
    ("CPUsState", 40),
    ("Memory", 16),
    ("AllocMem", 16),
    ("Gres", 256),
    ("GresUsed", 256),
)

ASSOCIATION_FIELDS = (
    "user",
    "account",
    # of an account's own line, without a user: the account above it
    "parentname",
    "partition",
    "qos",
    "defaultqos",
    "maxwall",
    "maxtres",
    "grptres",
    "maxjobs",
    "maxsubmitjobs",
    "grpjobs",
    "grpsubmitjobs",
)
QOS_FIELDS = (
    "name",
    "flags",
    "maxwall",
    "maxtres",
    "mintres",
    "maxtresperuser",
    "maxtresperaccount",
    "grptres",
    "maxjobsperuser",
    "maxsubmitjobsperuser",
    "maxjobsperaccount",
    "maxsubmitjobsperaccount",
    "grpjobs",
    "grpsubmitjobs",
)
BUDGET_FIELDS = ("Account", "User", "GrpTRESMins", "GrpTRESRaw")
ACCOUNTING_FIELDS = (
    "JobIDRaw",
    "User",
    "State",
    "ExitCode",
    "NodeList",
    "Account",
    "Partition",
    "QOS",
    "Start",
    "End",
    # sacct writes "CANCELLED by 1001": whether that is the user
    "UID",
)


def _sized(fields: Iterable[tuple[str, int]]) -> str:
    return ",".join(f"{name}:{size}{SEPARATOR}" for name, size in fields)


def _squeue(cluster: str, fields: Iterable[tuple[str, int]], *options: str) -> list[str]:
    return ["squeue", f"--clusters={cluster}", "--noheader", *options, f"--Format={_sized(fields)}"]


def jobs(cluster: str, name: str = JOB_NAME) -> list[str]:
    """All jobs of this and other hubs that the controller still remembers, ended ones included."""
    return _squeue(cluster, JOB_FIELDS, "--states=all", f"--name={name}")


def of_its_own_controller(argv: list[str]) -> list[str]:
    """The same question to the controller of ``SLURM_CONF``.

    ``--clusters`` asks slurmdbd each time where a cluster's controller is, even the local one's (tried with 22.05): a
    slurmdbd that hangs would take every cluster away.
    """
    return [word for word in argv if not word.startswith(("--clusters=", "--cluster="))]


def queue(cluster: str) -> list[str]:
    """All jobs of everybody that wait, the tasks of a job array that wait together as one."""
    return _squeue(cluster, QUEUE_FIELDS, "--states=pending")


def nodes(cluster: str) -> list[str]:
    """Every node in each of its partitions, a line each."""
    return ["sinfo", f"--clusters={cluster}", "--noheader", "--all", "--Node", f"--Format={_sized(NODE_FIELDS)}"]


def partitions(cluster: str) -> list[str]:
    """All partitions, hidden ones too, a line each."""
    return ["scontrol", f"--cluster={cluster}", "--all", "--oneliner", "show", "partition"]


def reservations(cluster: str) -> list[str]:
    """All reservations, a line each."""
    return ["scontrol", f"--cluster={cluster}", "--all", "--oneliner", "show", "reservation"]


def associations(cluster: str) -> list[str]:
    """Who may use which account with which QOS and within which limits, for everyone at once.

    A user's line has the limits for one job that were set for an account above; those for all jobs together (``Grp…``)
    stand only where they were set.
    """
    return [
        "sacctmgr",
        "--noheader",
        "--parsable2",
        "--readonly",
        "show",
        "associations",
        f"clusters={cluster}",
        f"format={','.join(ASSOCIATION_FIELDS)}",
    ]


def qos() -> list[str]:
    """All QOS and their limits."""
    return ["sacctmgr", "--noheader", "--parsable2", "--readonly", "show", "qos", f"format={','.join(QOS_FIELDS)}"]


def budgets(cluster: str) -> list[str]:
    """The limits of accounts on all that their jobs may ever use, and what they have used.

    Without ``--all`` it leaves out users (but the one who asks), who can be tens of thousands.
    """
    return [
        "sshare",
        f"--clusters={cluster}",
        "--noheader",
        "--parsable2",
        f"--format={','.join(BUDGET_FIELDS)}",
    ]


def accounting(cluster: str, job_ids: Iterable[str]) -> list[str]:
    """What the accounting says of jobs that the controller has forgotten."""
    return [
        "sacct",
        f"--clusters={cluster}",
        "--noheader",
        "--parsable2",
        "--allocations",
        "--duplicates",
        f"--jobs={','.join(job_ids)}",
        f"--format={','.join(ACCOUNTING_FIELDS)}",
    ]
