"""Who uses a build: jobs of the hub, as Slurm lists them, and processes of this machine.

A job says in its comment which build it runs (:attr:`hpchub.jobs.request.JobRequest.build`), so no hub is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hpchub.environments.make import CURRENT
from hpchub.jobs.request import read_comment
from hpchub.slurm.model import ClusterView, Job, JobState


def jobs_with(build: str, views: Iterable[ClusterView]) -> list[tuple[str, Job]]:
    """Give the jobs, with their clusters, that use a build or will when they start.

    Args:
        build: ``<name>/<target>/<id>``.
        views: what the clusters say.

    A job that was submitted by a hub that cannot see the builds takes whatever is current when it starts: it counts
    for every build of its environment and target.
    """
    current = f"{build.rpartition('/')[0]}/{CURRENT}"
    return [
        (view.cluster, job)
        for view in views
        for job in view.jobs.values()
        if job.state is not JobState.ENDED and (read_comment(job.comment) or {}).get("build") in (build, current)
    ]


def silent(views: Mapping[str, ClusterView], clusters: Iterable[str]) -> list[str]:
    """Name those of the clusters of which nobody knows what runs there."""
    return [name for name in clusters if name not in views or views[name].taken_epoch is None]


def processes_in(folder: Path) -> list[int]:
    """Give the ids of this machine's processes that were started from a folder or have a file of it in memory.

    Only root sees those of everybody.
    """
    inside = os.fsencode(folder) + b"/"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            for name in ("cmdline", "maps"):
                try:
                    # The first words only: what else it was given may name any path.
                    text = (entry / name).read_bytes()
                except OSError:
                    continue
                words = text.split(b"\0")[:2] if name == "cmdline" else [text]
                if any(word.startswith(inside) or (name == "maps" and inside in word) for word in words):
                    found.append(int(entry.name))
                    break
    return sorted(found)
