"""A large site for a while: thousands of nodes in leonardo's controller, and hundreds of profiles in our catalogue.

The nodes are those of a cloud that are switched off: for the controller, ``sinfo`` and everybody who asks they are idle
and can be had, and no ``slurmd`` runs for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.engine import slurm
from benchmarks.engine.place import OurSite
from devcluster import daemons
from devcluster.fleet import fleet_of
from devcluster.layout import Layout
from devcluster.spec import load_clusters
from tests.support.wait import until

NODES = 5000
PROFILES = 200
TEMPLATE = Path("general") / "pytorch.yaml"
NODE = "CPUs=32 Boards=1 SocketsPerBoard=1 CoresPerSocket=32 ThreadsPerCore=1 RealMemory=494000 Gres=gpu:a100:4"
"""As a node of Leonardo's Booster."""


@contextmanager
def large(site: OurSite) -> Iterator[None]:
    """Let a site be large as long as this lasts; no hub may run when it begins and when it ends."""
    with _more_nodes(site), _more_profiles(site.place.site.parent / "profiles"):
        yield


def with_nodes(conf: str, count: int) -> str:
    """Add nodes to a cluster's ``slurm.conf``, in the partition that offers GPUs; pure."""
    names = f"far[0001-{count:04d}]"
    text, changed = re.subn(r"^(PartitionName=boost_usr_prod Nodes=\S+)", rf"\1,{names}", conf, flags=re.M)
    if changed != 1:
        raise RuntimeError("slurm.conf has no partition boost_usr_prod any more")
    # Without "cloud", nodes that are switched off are shown to nobody.
    nodes = f"PrivateData=cloud\nNodeName={names} {NODE} State=CLOUD\n"
    return text.replace("\nPartitionName=", f"\n{nodes}\nPartitionName=", 1)


@contextmanager
def _more_nodes(site: OurSite) -> Iterator[None]:
    conf = Path(site.place.slurm_conf())
    before = conf.read_text()
    there = _nodes()
    conf.write_text(with_nodes(before, NODES))
    try:
        _restart_controller(site)
        until(lambda: _nodes() == there + NODES, f"{NODES} nodes more", 60, 1)
        yield
    finally:
        conf.write_text(before)
        _restart_controller(site)
        until(lambda: _nodes() == there, "the nodes to be gone", 60, 1)


def _nodes() -> int:
    """Count leonardo's nodes; those that a new controller has not heard of yet are left out."""
    states = slurm.run("sinfo", "-h", "-N", "-o", "%T").split()
    return len(states) - states.count("unknown")


def _restart_controller(site: OurSite) -> None:
    """Nodes come and go with a new controller only (slurm.conf(5)); what runs goes on."""
    layout = Layout(site.place.folder)
    clusters = load_clusters(Path(__file__).with_name("clusters.toml"))
    daemon = next(each for each in fleet_of(layout, clusters).slurmctlds if each.name.endswith("leonardo"))
    pid = daemons.living_pid(layout, daemon.name)
    daemons.end([pid] if pid else [], patience_seconds=30)
    child = daemons.start(daemon, layout)
    daemons.wait_for_start({daemon.name: child}, lambda: slurm.answers("leonardo"), layout)


@contextmanager
def _more_profiles(folder: Path) -> Iterator[None]:
    text = (folder / TEMPLATE).read_text()
    made = [folder / TEMPLATE.with_name(f"copy-{number:03d}.yaml") for number in range(PROFILES)]
    try:
        for number, path in enumerate(made):
            path.write_text(text.replace('PyTorch"', f'PyTorch, {number}"'))
        yield
    finally:
        for path in made:
            path.unlink(missing_ok=True)
