"""Whether the nodes of all clusters can be used."""

from __future__ import annotations

import subprocess

from devcluster.fleet import commands_environment
from devcluster.layout import Layout
from devcluster.spec import Cluster, ClustersSpec

USABLE = frozenset({"idle", "mixed", "allocated", "completing", "reserved", "planned"})


def unusable_in(sinfo_lines: str) -> frozenset[str]:
    """Read lines ``lrdn0001 idle``; return the nodes that no job can use now, pure.

    Slurm marks a state: ``*`` is a node that does not answer, ``-`` and others are harmless plans.
    """
    unusable = set()
    for line in sinfo_lines.splitlines():
        name, _, state = line.partition(" ")
        if "*" in state or state.strip("~#!%$@^-") not in USABLE:
            unusable.add(name)
    return frozenset(unusable)


def answering_out_of_use(sinfo_lines: str) -> tuple[str, ...]:
    """Read lines ``lrdn0001 drained``; return the nodes that answer, and are not about to start, pure."""
    unusable = unusable_in(sinfo_lines)
    silent = {line.partition(" ")[0] for line in sinfo_lines.splitlines() if "*" in line or "unknown" in line}
    return tuple(sorted(unusable - silent))


def unusable_nodes(layout: Layout, spec: ClustersSpec) -> frozenset[str]:
    """Ask each cluster for the nodes that no job can use now; all of a cluster where it does not answer."""
    unusable: set[str] = set()
    for cluster in spec.clusters:
        lines = _sinfo(layout, cluster)
        unusable |= unusable_in(lines) if lines else set(cluster.node_names)
    return frozenset(unusable)


def resume_nodes(layout: Layout, spec: ClustersSpec) -> None:
    """Give back the nodes that answer, but which a failure or a person took out of use."""
    for cluster in spec.clusters:
        names = answering_out_of_use(_sinfo(layout, cluster, "--states=drain,down,fail"))
        if names:
            subprocess.run(
                ["scontrol", "update", f"NodeName={','.join(names)}", "State=RESUME"],
                env=commands_environment(layout, cluster.name),
                capture_output=True,
                timeout=10,
            )


def _sinfo(layout: Layout, cluster: Cluster, *options: str) -> str:
    """Lines of a node and its state; nothing where the cluster does not answer."""
    try:
        done = subprocess.run(
            ["sinfo", "--Node", "--noheader", "--format=%N %T", *options],
            env=commands_environment(layout, cluster.name),
            text=True,
            capture_output=True,
            timeout=5,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""
