"""The one place that starts Slurm's query commands.

Argument lists, never a shell; an environment of our own; a time limit.  The pauses between tries are the watcher's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Mapping

from hpchub.errors import SlurmError, SlurmSilent
from hpchub.slurm import commands, parse
from hpchub.slurm.model import Association, Job, Node, Partition, Qos

_OUTPUT_LIMIT = 64 * 1024 * 1024


class SlurmClient:
    """Asks one cluster.

    Args:
        cluster: the name that ``sacctmgr`` knows.
        timeout_seconds: how long one command may take.  Slurm's own message time-out is 10 s by default, and a command
            tries more than once; after this we stop waiting and kill it.
        environment: added to the commands' small environment, for example ``SLURM_CONF``.
    """

    def __init__(self, cluster: str, timeout_seconds: float = 15, environment: Mapping[str, str] | None = None) -> None:
        self.cluster = cluster
        self.timeout_seconds = timeout_seconds
        self._environment = {**commands.ENVIRONMENT, **(environment or {})}
        if "SLURM_CONF" in os.environ:
            self._environment.setdefault("SLURM_CONF", os.environ["SLURM_CONF"])

    async def _ask(self, argv: list[str]) -> str:
        """Run one command and return its output.

        Raises:
            SlurmSilent: it did not answer in time.
            SlurmError: it could not be started or said that it failed.
        """
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_OUTPUT_LIMIT,
            )
        except OSError as error:
            raise SlurmError(f"{argv[0]} cannot be started: {error}") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(), self.timeout_seconds)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                waited = time.monotonic() - started
                raise SlurmSilent(f"{argv[0]} for {self.cluster} gave no answer in {waited:.0f} s") from error
            raise
        if process.returncode != 0:
            words = err.decode(errors="replace").strip()[-400:]
            raise SlurmError(f"{argv[0]} for {self.cluster} ended with {process.returncode}: {words}")
        # Bytes that are not UTF-8 (a comment's) must keep their number: jobs are told apart by width.
        return out.decode(errors="surrogateescape")

    async def jobs(self) -> Mapping[str, Job]:
        """All jobs named ``hpchub`` that the controller remembers."""
        return parse.jobs(await self._ask(commands.jobs(self.cluster)))

    async def nodes(self) -> tuple[Node, ...]:
        """All nodes with what is taken of them."""
        return parse.nodes(await self._ask(commands.nodes(self.cluster)))

    async def partitions(self) -> Mapping[str, Partition]:
        """All partitions."""
        return parse.partitions(await self._ask(commands.partitions(self.cluster)))

    async def associations(self) -> Mapping[str, tuple[Association, ...]]:
        """Everyone's accounts and QOS."""
        return parse.associations(await self._ask(commands.associations(self.cluster)))

    async def qos(self) -> Mapping[str, Qos]:
        """All QOS."""
        return parse.qos(await self._ask(commands.qos()))

    async def accounting(self, job_ids: Iterable[str]) -> Mapping[str, Job]:
        """The second opinion: what the accounting knows of these jobs."""
        return parse.accounting(await self._ask(commands.accounting(self.cluster, job_ids)))
