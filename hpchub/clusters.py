"""From the site's words to the clients that ask its clusters: the same for the hub and for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hpchub.catalogue.site import Site, Watching
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView
from hpchub.slurm.watch import Watcher
from hpchub.ssh import LoginNode


def login_nodes(site: Site) -> Mapping[str, LoginNode]:
    """Give the login nodes of the clusters that are reached by ``ssh``, by cluster."""
    return {
        name: LoginNode(name, cluster.ssh, site.ssh_socket(name))
        for name, cluster in site.clusters.items()
        if cluster.ssh is not None
    }


def client_of(site: Site, cluster: str, nodes: Mapping[str, LoginNode]) -> SlurmClient:
    """Give the client of a cluster, also of one that the site does not name any more and still runs a session."""
    known = site.clusters.get(cluster)
    watching = known.watching if known else Watching()
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

    async def look() -> Mapping[str, ClusterView]:
        nodes = login_nodes(site)
        watchers = {name: Watcher(client_of(site, name, nodes)) for name in open_clusters(site)}
        tasks = [asyncio.create_task(watcher.run()) for watcher in watchers.values()]
        longest = max((site.clusters[name].watching.command_seconds for name in watchers), default=0)
        await asyncio.gather(*(watcher.first_view(longest) for watcher in watchers.values()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {name: watcher.view for name, watcher in watchers.items()}

    return asyncio.run(look())
