"""From the site's words to the clients that ask its clusters: the same for the hub and for the command line."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hpchub.catalogue.site import Site, Watching
from hpchub.jobs.launcher import Launcher
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView
from hpchub.slurm.watch import Watcher
from hpchub.ssh import LoginNode


def login_nodes(site: Site, sockets: Path | None = None) -> Mapping[str, LoginNode]:
    """Give the login nodes of the clusters that are reached by ``ssh``, by cluster.

    Their connections listen in the hub's state folder, or in ``sockets``: a command beside a running hub needs
    connections of its own, since a new one takes the place of what listens there.
    """
    return {
        name: LoginNode(name, cluster.ssh, sockets / name if sockets else site.ssh_socket(name))
        for name, cluster in site.clusters.items()
        if cluster.ssh is not None
    }


def watching_of(site: Site, cluster: str) -> Watching:
    """Give how often a cluster is asked, also one that the site does not name any more and still runs a session."""
    known = site.clusters.get(cluster)
    return known.watching if known else Watching()


def client_of(site: Site, cluster: str, nodes: Mapping[str, LoginNode]) -> SlurmClient:
    """Give the client of a cluster, also of one that the site does not name any more and still runs a session."""
    known = site.clusters.get(cluster)
    watching = watching_of(site, cluster)
    return SlurmClient(
        cluster,
        timeout_seconds=watching.command_seconds,
        longest_pause_seconds=watching.longest_pause_seconds,
        login_node=nodes.get(cluster),
        slurm_conf=str(known.slurm_conf) if known and known.slurm_conf else None,
    )


def open_clusters(site: Site) -> list[str]:
    """Name the clusters that can be asked."""
    return [name for name, cluster in site.clusters.items() if cluster.state == "open" and cluster.backend == "slurm"]


def look_once(site: Site) -> Mapping[str, ClusterView]:
    """Ask every open cluster once and give what they say, for commands that run without a hub.

    A cluster that does not answer has a view whose ``taken_epoch`` is None.
    """

    async def look(sockets: Path) -> Mapping[str, ClusterView]:
        nodes = login_nodes(site, sockets)
        watchers = {name: Watcher(client_of(site, name, nodes)) for name in open_clusters(site)}
        tasks = [asyncio.create_task(watcher.run()) for watcher in watchers.values()]
        longest = max((site.clusters[name].watching.command_seconds for name in watchers), default=0)
        await asyncio.gather(*(watcher.first_view(longest) for watcher in watchers.values()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {name: watcher.view for name, watcher in watchers.items()}

    with tempfile.TemporaryDirectory(prefix="hpchub-") as sockets:
        return asyncio.run(look(Path(sockets)))


@contextmanager
def apart(site: Site) -> Iterator[tuple[Launcher, Mapping[str, SlurmClient]]]:
    """Give the door and the clients of the open clusters to a command that runs beside the hub, in one event loop."""
    with tempfile.TemporaryDirectory(prefix="hpchub-") as sockets:
        nodes = login_nodes(site, Path(sockets))
        launcher = Launcher(site.launcher.way, site.launcher.timeout_seconds, nodes)
        yield launcher, {name: client_of(site, name, nodes) for name in open_clusters(site)}
