"""Accounts, QOS and associations: one batch of sacctmgr commands, read by one process from its standard input."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from devcluster.errors import DevclusterError
from devcluster.layout import Layout, write_file
from devcluster.spec import Account, ClustersSpec, PeopleSpec


def render_accounting(clusters: ClustersSpec, people: PeopleSpec) -> str:
    """Render the sacctmgr commands that make everything in an empty accounting database.

    Each takes sacctmgr 0.2 to 0.4 s, so accounts get their limits as they are added, and users inherit the clusters'
    QOS.
    """
    names = _cluster_names(clusters)
    commands = [f"add qos {name} {limits}" for name, limits in _qos_limits(clusters).items()]
    commands.append(f"add cluster {names} {_allowed_qos(clusters)}")
    for account in clusters.accounts:
        commands.append(
            f'add account {account.name} cluster={names} description="{account.description}"'
            f' organization="{account.organization}" {_budget(account)}'
        )
    for allocations, users in _users_by_allocations(people).items():
        commands.append(f"add user {','.join(users)} cluster={names} account={','.join(allocations)}")
    return "\n".join(commands) + "\n"


def render_changes(clusters: ClustersSpec) -> str:
    """Render the commands that bring the limits of what exists already up to date; ``add`` leaves them alone."""
    names = _cluster_names(clusters)
    commands = [f"modify qos {name} set {limits}" for name, limits in _qos_limits(clusters).items()]
    commands.append(f"modify account root where cluster={names} set {_allowed_qos(clusters)}")
    commands += [
        f"modify account {account.name} where cluster={names} set {_budget(account)}" for account in clusters.accounts
    ]
    return "\n".join(commands) + "\n"


def _cluster_names(clusters: ClustersSpec) -> str:
    return ",".join(cluster.name for cluster in clusters.clusters)


def _qos_limits(clusters: ClustersSpec) -> dict[str, str]:
    """The limits of each QOS, those of partitions included; -1 is sacctmgr's word for none."""
    limits = {
        qos.name: f"priority={qos.priority} maxwall={qos.max_minutes or -1}"
        f" maxtresperjob=node={qos.max_nodes_per_job or -1} maxtresperuser=node={qos.max_nodes_per_user or -1}"
        for qos in clusters.qos
    }
    for partition in (each for cluster in clusters.clusters for each in cluster.partitions):
        if partition.limits_jobs:
            # DenyOnLimit: refused at submission, not left waiting for ever.
            limits[partition.name] = (
                f"flags=DenyOnLimit maxtresperjob=cpu={partition.max_cores_per_job or -1}"
                f",mem={partition.max_memory_mb_per_job or -1}"
            )
    return limits


def _allowed_qos(clusters: ClustersSpec) -> str:
    return f"qos={','.join(qos.name for qos in clusters.qos)} defaultqos={clusters.qos[0].name}"


def _budget(account: Account) -> str:
    return f"grptresmins=billing={account.core_hours * 60}"


def _users_by_allocations(people: PeopleSpec) -> dict[tuple[str, ...], list[str]]:
    users: dict[tuple[str, ...], list[str]] = {}
    for person in people.people:
        if person.allocations:
            users.setdefault(person.allocations, []).append(person.name)
    return users


def bring_up_to_date(
    layout: Layout, clusters: ClustersSpec, people: PeopleSpec, environment: Mapping[str, str]
) -> None:
    """Carry out the commands, unless the same were carried out last time.

    :raises DevclusterError: sacctmgr refused some; its words are in the text.
    """
    script = render_accounting(clusters, people)
    last = layout.accounting.read_text(encoding="utf-8") if layout.accounting.is_file() else ""
    if script == last:
        return
    try:
        done = subprocess.run(
            ["sacctmgr", "--immediate", "--quiet"],
            input=script + render_changes(clusters) if last else script,
            text=True,
            env=dict(environment),
            capture_output=True,
            timeout=60,
        )
    except subprocess.TimeoutExpired as error:
        raise DevclusterError("sacctmgr did not carry out the accounting commands within 60 s") from error
    # The exit status says nothing: it is 1 where something exists already.
    if problems := problems_in(done.stdout + done.stderr):
        raise DevclusterError(f"sacctmgr did not take the accounting commands: {problems}")
    write_file(layout.accounting, script, mode=0o644)


def problems_in(output: str) -> str:
    """Pick from sacctmgr's output what went wrong; that something exists already is as wished."""
    return " ".join(line.strip() for line in output.splitlines() if "error" in line.lower() or "Unknown" in line)
