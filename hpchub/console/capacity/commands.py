"""The commands of Slurm's that mend what the checks find, for an administrator of Slurm, as argument lists.  Pure.

``tests/slurm/test_capacity.py`` runs each of them on every version of Slurm that we test with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hpchub.slurm.units import slurm_time

Argv = tuple[str, ...]

QOS_LIMITS = {
    "job": "MaxTRESPerJob",
    "user": "MaxTRESPerUser",
    "account": "MaxTRESPerAccount",
    "group": "GrpTRES",
    "least": "MinTRESPerJob",
    "running": "MaxJobsPerUser",
    "submitted": "MaxSubmitJobsPerUser",
    "account_running": "MaxJobsPerAccount",
    "account_submitted": "MaxSubmitJobsPerAccount",
    "group_running": "GrpJobs",
    "group_submitted": "GrpSubmitJobs",
    "max_minutes": "MaxWall",
}
"""sacctmgr's names for the limits of a QOS, by the fields of :class:`hpchub.slurm.model.Limits`."""

USER_LIMITS = {"job": "MaxTRESPerJob", "running": "MaxJobs", "submitted": "MaxSubmitJobs", "max_minutes": "MaxWall"}
"""Those that an association has for each of its users."""

ACCOUNT_LIMITS = {"group": "GrpTRES", "group_running": "GrpJobs", "group_submitted": "GrpSubmitJobs"}
"""Those that an association has for all users of an account together."""


def tres(name: str, amount: float) -> str:
    """Write an amount of a resource as sacctmgr reads it, memory in MB."""
    return f"{name}={int(amount)}{'M' if name == 'mem' else ''}"


def limit_value(limit: str, value: str | int) -> str:
    """Write a value of a limit: a time for ``max_minutes``, else as it is."""
    return slurm_time(int(value)) if limit == "max_minutes" else str(value)


def set_qos(qos: str, limit: str, value: str | int) -> Argv:
    """Change a limit of a QOS."""
    return _modify("qos", {"name": qos}, f"{QOS_LIMITS[limit]}={limit_value(limit, value)}")


def set_association(cluster: str, account: str, users: Iterable[str], limit: str, value: str | int) -> Argv:
    """Change a limit of an account on a cluster, or of its users where that is where the limit lies."""
    if limit in ACCOUNT_LIMITS:
        return _modify("account", {"name": account, "cluster": cluster}, f"{ACCOUNT_LIMITS[limit]}={value}")
    return _modify("user", _users(cluster, account, users), f"{USER_LIMITS[limit]}={limit_value(limit, value)}")


def set_budget(cluster: str, account: str, tres_name: str, minutes: int) -> Argv:
    """Change what all jobs of an account may ever use of a resource, in minutes."""
    return _modify("account", {"name": account, "cluster": cluster}, f"GrpTRESMins={tres_name}={minutes}")


def associate(cluster: str, account: str, users: Iterable[str]) -> Argv:
    """Let people use an account on a cluster."""
    return ("sacctmgr", "-i", "add", "user", f"name={','.join(users)}", f"cluster={cluster}", f"account={account}")


def allow_qos(cluster: str, account: str, users: Iterable[str], qos: str) -> Argv:
    """Let people use a QOS with an account."""
    return _modify("user", _users(cluster, account, users), f"QosLevel+={qos}")


def update_partition(cluster: str, partition: str, setting: str, value: str) -> Argv:
    """Change a setting of a partition until slurmctld reads its file again."""
    return ("scontrol", f"--cluster={cluster}", "update", f"PartitionName={partition}", f"{setting}={value}")


def _users(cluster: str, account: str, users: Iterable[str]) -> Mapping[str, str]:
    return {"name": ",".join(users), "account": account, "cluster": cluster}


def _modify(entity: str, where: Mapping[str, str], change: str) -> Argv:
    conditions = (f"{name}={value}" for name, value in where.items())
    return ("sacctmgr", "-i", "modify", entity, "where", *conditions, "set", change)
