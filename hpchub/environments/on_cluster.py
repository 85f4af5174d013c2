"""Builds that only a cluster can make: :mod:`hpchub.environments.make` sent there in a job.

The job runs as the user whom the site file names for it; nothing but the launcher and Slurm's queue is used to follow
it, so the hub's machine need not see the builds.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from hpchub.catalogue.site import Builds, Site
from hpchub.clusters import client_of, login_nodes
from hpchub.environments import make
from hpchub.environments.build import BuildError, Tell
from hpchub.errors import LauncherError, SlurmError
from hpchub.jobs.launcher import Launcher
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import JobState
from hpchub.slurm.units import slurm_time

JOB_NAME = "hpchub-build"
"""Not the hub's own: it would take the job for a session that it has forgotten."""
LOOK_SECONDS = 2.0
LAST_LINES = 20
PROGRAM, ORDER = "HPCHUB_PROGRAM", "HPCHUB_ORDER"


def builds_of(site: Site, cluster: str) -> Builds:
    """Give who builds on a cluster; raise :class:`BuildError` where the site file does not say it."""
    possible = [name for name, each in site.clusters.items() if each.state == "open" and each.builds]
    if cluster not in possible:
        raise BuildError(
            f"{site.file}: nobody builds on cluster {cluster!r}: it has no `builds`; "
            f"possible: {', '.join(possible) or 'none'}"
        )
    builds = site.clusters[cluster].builds
    assert builds is not None  # noqa: S101 - one of the possible
    return builds


def cluster_for(site: Site, target: str) -> str | None:
    """Name the first cluster of a software target that builds by a job."""
    for name, cluster in site.clusters.items():
        if cluster.state == "open" and cluster.builds and cluster.software_target == target:
            return name
    return None


def render(builds: Builds, order: Mapping[str, Any]) -> str:
    """Write the job script: the program and its order, each a here-document that no shell looks into."""
    program = Path(make.__file__).read_text(encoding="utf-8").rstrip("\n")
    if PROGRAM in program.splitlines():
        raise ValueError(f"make.py must not contain a line {PROGRAM}: it ends the here-document")
    directives = [
        f"--job-name={JOB_NAME}",
        f"--account={builds.account}",
        f"--partition={builds.partition}",
        *([f"--qos={builds.qos}"] if builds.qos else []),
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={builds.cores}",
        f"--mem={builds.memory_mb}M",
        f"--time={slurm_time(builds.minutes)}",
        "--no-requeue",
    ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {each}" for each in directives),
        "",
        f"exec {shlex.quote(str(builds.python))} -I /dev/fd/3 3<<'{PROGRAM}' <<'{ORDER}'",
        program,
        PROGRAM,
        # One line, ASCII: it cannot be the one that ends it.
        json.dumps(dict(order)),
        ORDER,
    ]
    return "\n".join(lines) + "\n"


def build_on(site: Site, cluster: str, order: Mapping[str, Any], tell: Tell = lambda step: None) -> None:
    """Make a build by a job on a cluster and switch to it there; wait for the job's end.

    The job is cancelled if somebody interrupts.  Raises :class:`BuildError` with the end of the job's log if it fails.
    """
    builds = builds_of(site, cluster)
    told = {**order, "python": str(builds.python), "uv": str(builds.uv)}
    asyncio.run(_Run(site, cluster, builds, tell).run(told))


class _Run:
    def __init__(self, site: Site, cluster: str, builds: Builds, tell: Tell) -> None:
        nodes = login_nodes(site)
        self._launcher = Launcher(site.launcher.way, site.launcher.timeout_seconds, nodes)
        self._client: SlurmClient = client_of(site, cluster, nodes)
        self._cluster, self._builds, self._tell = cluster, builds, tell
        self._session = token_hex(16)

    async def run(self, order: Mapping[str, Any]) -> None:
        user, script = self._builds.user, render(self._builds, order)
        try:
            job_id = await self._launcher.submit(
                user, self._cluster, self._session, script, dict(self._builds.variables)
            )
        except LauncherError as error:
            raise BuildError(f"the build of {order['name']} was not submitted on {self._cluster}: {error}") from error
        try:
            how = await self._end_of(job_id)
        except asyncio.CancelledError:
            await self._launcher.cancel(user, self._cluster, job_id)
            raise
        lines = (await self._log()).strip().splitlines()
        result = _result(lines[-1] if lines else "")
        if "built" not in result:
            why = str(result.get("failed") or "\n".join(lines[-LAST_LINES:]))
            raise BuildError(f"job {job_id} of {user} on {self._cluster} ended with {how} and built nothing:\n{why}")

    async def _end_of(self, job_id: str) -> str:
        """Wait for the end of the job; return Slurm's word for it."""
        while True:
            try:
                job = (await self._client.jobs(JOB_NAME)).get(job_id)
            except SlurmError:
                # Silence is no end.
                self._tell(f"job {job_id}: Slurm on {self._cluster} does not answer")
            else:
                if job is None or job.state is JobState.ENDED:
                    return job.slurm_state if job else "an end that Slurm has forgotten"
                self._tell(f"job {job_id} on {self._cluster}: {await self._step(job.state)}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _step(self, state: JobState) -> str:
        if state is JobState.RUNNING:
            steps = [line for line in (await self._log()).splitlines() if line.startswith("hpchub: ")]
            return steps[-1].removeprefix("hpchub: ") if steps else "running"
        return str(state)

    async def _log(self) -> str:
        try:
            return await self._launcher.log(self._builds.user, self._cluster, self._session)
        except LauncherError as error:
            return f"Its log cannot be read: {error}"


def _result(line: str) -> Mapping[str, Any]:
    try:
        result = json.loads(line)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}
