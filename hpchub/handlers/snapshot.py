"""``/hub/api/hpchub/snapshot``: what the clusters said last, for the console, the metrics and scripts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope

from hpchub.engine import WithEngine
from hpchub.slurm.model import ClusterView


def figures(view: ClusterView) -> dict[str, Any]:
    """Give the figures of one cluster; ages are for the reader to compute from the epochs."""
    return {
        "taken_epoch": view.taken_epoch,
        "silent_since_epoch": view.silent_since_epoch,
        "accounting_silent_since_epoch": view.accounting_silent_since_epoch,
        "nodes": len(view.nodes),
        "usable_nodes": sum(node.usable for node in view.nodes),
        "jobs": dict(Counter(job.state for job in view.jobs.values())),
        "partitions": {
            name: {
                "up": partition.up,
                "free_gpus": {gpu: view.free_gpus(name, gpu) for gpu in _gpu_types(view, name)},
            }
            for name, partition in view.partitions.items()
        },
    }


def _gpu_types(view: ClusterView, partition: str) -> list[str]:
    return sorted({gpu for node in view.nodes if partition in node.partitions for gpu in node.gpus if gpu})


class SnapshotHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """All clusters; nothing is asked of them for it."""

    @needs_scope("read:hub")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        self.finish(json.dumps({name: figures(view) for name, view in self.engine.views.items()}))
