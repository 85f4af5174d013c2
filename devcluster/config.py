"""Render the configuration of Slurm's daemons; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from devcluster.layout import Layout
from devcluster.spec import Cluster, ClustersSpec, NodeGroup, Partition

FIRST_NODE_PORT = 10
"""Nodes' ports are counted from here, so that a further cluster moves none."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Who listens where on 127.0.0.1."""

    slurmdbd: int
    slurmctld: Mapping[str, int]
    """By cluster."""
    slurmd: Mapping[str, int]
    """By node."""


def assign_ports(spec: ClustersSpec) -> Ports:
    """Count the ports of all daemons from the base port on."""
    nodes = [name for cluster in spec.clusters for name in cluster.node_names]
    return Ports(
        slurmdbd=spec.base_port,
        slurmctld={cluster.name: spec.base_port + number for number, cluster in enumerate(spec.clusters, start=1)},
        slurmd={name: spec.base_port + number for number, name in enumerate(nodes, start=FIRST_NODE_PORT)},
    )


def render_slurm_conf(cluster: Cluster, spec: ClustersSpec, layout: Layout) -> str:
    """Render slurm.conf of one cluster from the template beside this file."""
    ports = assign_ports(spec)
    template = Template((Path(__file__).parent / "slurm.conf.template").read_text(encoding="utf-8"))
    gpu_types = sorted({f"gres/gpu:{group.gpu_type}" for group in cluster.node_groups if group.gpus})
    return template.substitute(
        cluster=cluster.name,
        slurmctld_port=ports.slurmctld[cluster.name],
        slurmdbd_port=ports.slurmdbd,
        state=layout.state(cluster.name),
        spool=layout.spool(cluster.name),
        munge_socket=layout.munge_socket,
        tres=",".join(["gres/gpu", *gpu_types]),
        nodes="\n".join(_node_line(group, ports) for group in cluster.node_groups),
        partitions="\n".join(_partition_line(partition) for partition in cluster.partitions),
    )


def render_gres_conf(cluster: Cluster, layout: Layout) -> str:
    """Render gres.conf: every node of a machine has the same device files."""
    lines = [
        f"NodeName={group.hostlist} Name=gpu Type={group.gpu_type} File={layout.devices}/gpu{_range(group.gpus)}"
        for group in cluster.node_groups
        if group.gpus
    ]
    return "\n".join(["# Device files without a GPU behind them.", "AutoDetect=off", *lines, ""])


def render_cgroup_conf(slurm_version: tuple[int, int]) -> str:
    """Render cgroup.conf such that no cgroup is made or needed.

    Slurm knows "disabled" since 23.02; before, cgroup/v1 is the plugin that does nothing as long as nothing asks it.
    """
    return f"CgroupPlugin={'disabled' if slurm_version >= (23, 2) else 'cgroup/v1'}\n"


def render_slurmdbd_conf(spec: ClustersSpec, layout: Layout) -> str:
    """Render slurmdbd.conf; it has no password, since MariaDB knows the user slurm by its socket."""
    return "\n".join(
        [
            "# Written by devcluster; `up` writes it again.",
            "AuthType=auth/munge",
            f"AuthInfo=socket={layout.munge_socket}",
            "DbdHost=localhost",
            "DbdAddr=127.0.0.1",
            f"DbdPort={spec.base_port}",
            "# Listen on the address of the host's name only, which is localhost where it runs.",
            "CommunicationParameters=NoInAddrAny",
            "SlurmUser=slurm",
            f"PidFile={layout.mysql}/slurmdbd.pid",
            "StorageType=accounting_storage/mysql",
            "StorageHost=localhost",
            "StorageUser=slurm",
            "StorageLoc=slurm_acct_db",
            "DebugLevel=info",
            "",
        ]
    )


def render_env(spec: ClustersSpec, layout: Layout) -> str:
    """Render the shell file that makes Slurm's commands talk to these clusters."""
    names = ",".join(cluster.name for cluster in spec.clusters)
    return (
        f"# Source this file; squeue and its family then talk to {spec.clusters[0].name}, or with -M {names} to all.\n"
        f"export SLURM_CONF={layout.slurm_conf(spec.clusters[0].name)}\n"
    )


def _node_line(group: NodeGroup, ports: Ports) -> str:
    names = group.node_names
    # localhost, because all nodes of one machine have one host name and slurmd is told by -N which node it is.
    line = (
        f"NodeName={group.hostlist} NodeHostname=localhost NodeAddr=127.0.0.1"
        f" Port=[{ports.slurmd[names[0]]}-{ports.slurmd[names[-1]]}]"
        f" CPUs={group.cores} Boards=1 SocketsPerBoard=1 CoresPerSocket={group.cores} ThreadsPerCore=1"
        f" RealMemory={group.memory_mb} State=UNKNOWN"
    )
    return f"{line} Gres=gpu:{group.gpu_type}:{group.gpus}" if group.gpus else line


def _partition_line(partition: Partition) -> str:
    line = (
        f"PartitionName={partition.name} Nodes={partition.nodes.hostlist} State=UP"
        f" Default={'YES' if partition.default else 'NO'}"
        f" DefaultTime={partition.default_minutes} MaxTime={partition.max_minutes}"
        f" DefMemPerCPU={_default_memory_mb_per_core(partition)}"
        f' TRESBillingWeights="{render_billing_weights(partition)}"'
    )
    return f"{line} QOS={partition.name}" if partition.limits_jobs else line


def render_billing_weights(partition: Partition) -> str:
    """Render the price of a core, of 1 GB of memory and of a GPU, in core-hours an hour.

    All of a node's cores, all of its memory or all of its GPUs cost the same: the price of the node.
    """
    price, nodes = partition.node_core_hours, partition.nodes
    weights = [f"CPU={price / nodes.cores:g}", f"Mem={price / (nodes.memory_mb / 1024):.6g}G"]
    if nodes.gpus:
        weights.append(f"GRES/gpu={price / nodes.gpus:g}")
    return ",".join(weights)


def _default_memory_mb_per_core(partition: Partition) -> int:
    if partition.max_memory_mb_per_job and partition.max_cores_per_job:
        return partition.max_memory_mb_per_job // partition.max_cores_per_job
    return partition.nodes.memory_mb // partition.nodes.cores


def _range(count: int) -> str:
    return f"[0-{count - 1}]"
