"""up, down and clean: the order of the steps."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devcluster import accounting, config, daemons, database, people
from devcluster.daemons import Daemon, living_pid, wait_for_start
from devcluster.errors import DevclusterError
from devcluster.fleet import (
    Fleet,
    commands_environment,
    fleet_of,
    listens,
    make_devices,
    require_free_ports,
    slurm_version,
    user_exists,
)
from devcluster.isolate import is_isolated
from devcluster.jobs import cancel_all_jobs, end_everything
from devcluster.layout import Layout, require_no_mounts, require_ours, require_ours_or_new, write_file, write_marker
from devcluster.nodes import resume_nodes, unusable_nodes
from devcluster.spec import ClustersSpec, PeopleSpec, require_known_allocations

COMMANDS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacctmgr", "useradd", "userdel")
DEADLINE_SECONDS = 120


def up(layout: Layout, clusters: ClustersSpec, wanted: PeopleSpec) -> None:
    """Make everything that is missing and start everything that does not run, until every node is idle.

    :raises DevclusterError: before anything is changed, where a user, a port, a package or the folder forbids it;
        later, where a daemon failed.
    """
    require_known_allocations(clusters, wanted)
    _require_programs()
    ours = require_ours_or_new(layout)
    homes = people.homes_of(layout, wanted)
    plan = people.plan_people(
        homes, wanted.group, people.existing_homes(), people.existing_groups(), ours, is_isolated()
    )
    fleet = fleet_of(layout, clusters)
    require_free_ports(layout, fleet, clusters.base_port)

    layout.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_marker(layout, {*ours.users, *homes}, {*ours.groups, wanted.group})
    _make_folders(layout, clusters)
    make_devices(layout.devices, clusters.clusters)
    if not database.is_prepared(layout):
        with _step("preparing the database"):
            database.prepare(layout)
    if plan.add:
        with _step(f"making {len(plan.add)} users"):
            people.carry_out(plan, layout, wanted)
    people.make_homes(layout, wanted)
    if _write_configuration(layout, clusters):
        # Only a changed file gets here with daemons that run; a session's step daemon outlives this.
        _end_daemons(layout, fleet.slurm)
    _start_all(layout, clusters, wanted, fleet)


def down(layout: Layout) -> None:
    """End all jobs and daemons.

    :raises DevclusterError: the folder is not ours.
    """
    require_ours(layout)
    with _step("ending jobs and daemons"):
        cancel_all_jobs(layout)
        end_everything(layout)


def clean(layout: Layout) -> None:
    """End everything, then remove users, groups and the folder.

    :raises DevclusterError: the folder is not ours, or a user could not be removed.
    """
    ours = require_ours(layout)
    require_no_mounts(layout, Path("/proc/self/mounts").read_text(encoding="utf-8"))
    down(layout)
    with _step("removing users and files"):
        left = people.remove(layout, ours)
        # The marker goes last: a clean that is killed on the way can be repeated.
        for path in layout.root.iterdir():
            if path != layout.marker:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        layout.marker.unlink()
        layout.root.rmdir()
    if left:
        print(f"left alone, because their homes lie elsewhere now: {', '.join(left)}", file=sys.stderr)


@contextmanager
def _step(text: str) -> Iterator[None]:
    """Print one line about a step that takes time."""
    print(f"{text} …", end="", flush=True)
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - begin:.1f} s", flush=True)


def _require_programs() -> None:
    if os.geteuid() != 0:
        raise DevclusterError("only root can start daemons that run jobs as other users; run this through sudo")
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    missing += [f"user {name}" for name in ("slurm", "munge") if not user_exists(name)]
    try:
        socket.getaddrinfo("127.0.0.1", None, socket.AF_INET, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        # Slurm asks like this; see isolate._bring_up_lo.
        raise DevclusterError(
            "Slurm finds no address on a machine that has only 127.0.0.1; connect it to a network, "
            "or give lo a second address: ip address add 127.0.0.2/8 dev lo"
        ) from error
    if missing:
        raise DevclusterError(
            f"missing on this machine: {', '.join(missing)}; "
            "install what devcluster/packages.txt lists by devcluster/install-packages"
        )


def _make_folders(layout: Layout, clusters: ClustersSpec) -> None:
    folders = [(layout.slurmdbd_conf.parent, "root", 0o755), (layout.root / "log", "root", 0o755)]
    folders += [(layout.homes, "root", 0o755), (layout.devices, "root", 0o755)]
    folders += [(layout.munge, "munge", 0o700), (layout.munge_socket.parent, "munge", 0o755)]
    for cluster in clusters.clusters:
        folders.append((layout.slurm_conf(cluster.name).parent, "root", 0o755))
        folders.append((layout.state(cluster.name), "slurm", 0o700))
        folders += [(layout.spool(cluster.name) / node, "root", 0o755) for node in cluster.node_names]
    for path, owner, mode in folders:
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, owner, owner)
        path.chmod(mode)


def _write_configuration(layout: Layout, clusters: ClustersSpec) -> bool:
    """Write all files; return whether one of them changed."""
    key = layout.munge / "munge.key"
    if not key.exists():
        write_file(key, secrets.token_hex(64), mode=0o400, owner="munge")
    # slurmdbd insists on a file that only its user can read, although there is no password in ours.
    changed = [
        write_file(layout.slurmdbd_conf, config.render_slurmdbd_conf(clusters, layout), mode=0o600, owner="slurm")
    ]
    for cluster in clusters.clusters:
        conf = layout.slurm_conf(cluster.name)
        files = {
            "gres.conf": config.render_gres_conf(cluster, layout),
            "cgroup.conf": config.render_cgroup_conf(slurm_version()),
            "slurm.conf": config.render_slurm_conf(cluster, clusters, layout),
        }
        changed += [write_file(conf.with_name(name), text, mode=0o644) for name, text in files.items()]
    write_file(layout.env, config.render_env(clusters, layout), mode=0o644)
    return any(changed)


def _start_all(layout: Layout, clusters: ClustersSpec, wanted: PeopleSpec, fleet: Fleet) -> None:
    ports = config.assign_ports(clusters)
    first = clusters.clusters[0].name
    with _step("starting munge, MariaDB and slurmdbd"):
        base = _start_missing(layout, fleet.base)
        sockets = (layout.munge_socket, layout.mysql_socket)
        wait_for_start(base, lambda: all(map(_answers, sockets)), layout, DEADLINE_SECONDS)
        slurmdbd = _start_missing(layout, [fleet.slurmdbd])
        wait_for_start(slurmdbd, lambda: listens(ports.slurmdbd), layout, DEADLINE_SECONDS)
    with _step("accounts and associations"):
        accounting.bring_up_to_date(layout, clusters, wanted, commands_environment(layout, first))
    names = ", ".join(cluster.name for cluster in clusters.clusters)
    with _step(f"starting {names} with {len(fleet.slurmds)} nodes"):
        started = _start_missing(layout, [*fleet.slurmctlds, *fleet.slurmds])
        wait_for_start(started, lambda: _all_usable(layout, clusters), layout, DEADLINE_SECONDS)


def _all_usable(layout: Layout, clusters: ClustersSpec) -> bool:
    if not unusable_nodes(layout, clusters):
        return True
    resume_nodes(layout, clusters)
    return False


def _start_missing(layout: Layout, wanted: Sequence[Daemon]) -> dict[str, subprocess.Popen[bytes]]:
    return {daemon.name: daemons.start(daemon, layout) for daemon in wanted if living_pid(layout, daemon.name) is None}


def _end_daemons(layout: Layout, wanted: Sequence[Daemon]) -> None:
    pids = [living_pid(layout, daemon.name) for daemon in wanted]
    daemons.end([pid for pid in pids if pid is not None], patience_seconds=10)


def _answers(path: Path) -> bool:
    """Tell whether a daemon accepts connections on a Unix socket; its file alone may be a dead one's."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
