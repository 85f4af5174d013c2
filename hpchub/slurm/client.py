"""The one place that starts Slurm's query commands.

Argument lists, never a shell; an environment of our own; a time limit; a circuit breaker for each daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Mapping

from hpchub.errors import SlurmError, SlurmSilent, Unreachable
from hpchub.jobs.hpchub_launch import NO_ANSWER
from hpchub.slurm import commands, parse, parse_accounts
from hpchub.slurm.breaker import Breaker
from hpchub.slurm.model import Association, GroupLimit, Job, Node, Partition, Qos, QueuedJob, Reservation
from hpchub.ssh import LOCAL_ENVIRONMENT, NO_ANSWER_STATUSES, LoginNode

_OUTPUT_LIMIT = 64 * 1024 * 1024

_OF_THE_ACCOUNTING = frozenset({"sacct", "sacctmgr"})
"""The commands that slurmdbd answers; the others ask slurmctld."""


class SlurmClient:
    """Asks one cluster.

    Args:
        cluster: the name that ``sacctmgr`` knows.
        timeout_seconds: how long one command may take.  Slurm's own message time-out is 10 s by default, and a command
            tries more than once; after this we stop waiting and kill it.
        environment: added to the commands' small environment, for example ``SLURM_CONF``.
        login_node: where the commands run; None: on this machine.
        slurm_conf: the cluster's own file there; without it the commands find the controller through slurmdbd.

    ``controller`` and ``accounting_daemon`` tell since when slurmctld and slurmdbd are silent.
    """

    def __init__(
        self,
        cluster: str,
        timeout_seconds: float = 15,
        environment: Mapping[str, str] | None = None,
        longest_pause_seconds: float = 10,
        login_node: LoginNode | None = None,
        slurm_conf: str | None = None,
    ) -> None:
        self.cluster = cluster
        self.timeout_seconds = timeout_seconds
        self.controller = Breaker(longest_pause_seconds=longest_pause_seconds)
        self.accounting_daemon = Breaker(longest_pause_seconds=longest_pause_seconds)
        self._environment = {**commands.ENVIRONMENT, **(environment or {})}
        self._login_node = login_node
        if login_node is not None:
            self._environment.update(login_node.environment)
        elif "SLURM_CONF" in os.environ:
            self._environment.setdefault("SLURM_CONF", os.environ["SLURM_CONF"])
        self._direct = slurm_conf is not None
        if slurm_conf is not None:
            self._environment["SLURM_CONF"] = slurm_conf

    async def _ask(self, argv: list[str]) -> str:
        """Run one command when the daemon that it asks lets it, and return its output.

        Raises:
            SlurmSilent: there was no answer.
            SlurmError: it could not be started or said that it failed.
        """
        if argv[0] in _OF_THE_ACCOUNTING:
            return await self.accounting_daemon.ask(lambda: self._run(argv))
        asked = commands.of_its_own_controller(argv) if self._direct else argv
        return await self.controller.ask(lambda: self._run(asked))

    async def _run(self, argv: list[str]) -> str:
        if self._login_node is None:
            return await self._start(argv[0], argv, self._environment)
        try:
            async with self._login_node.query(argv, self._environment, self.timeout_seconds) as there:
                return await self._start(argv[0], there, LOCAL_ENVIRONMENT)
        except Unreachable as error:
            raise SlurmSilent(f"{argv[0]} for {self.cluster} was not asked: no connection to its login node") from error

    async def _start(self, name: str, argv: list[str], environment: Mapping[str, str]) -> str:
        started = time.monotonic()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_OUTPUT_LIMIT,
            )
        except OSError as error:
            raise SlurmError(f"{name} cannot be started: {error}") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(), self.timeout_seconds)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                waited = time.monotonic() - started
                raise SlurmSilent(f"{name} for {self.cluster} gave no answer in {waited:.0f} s") from error
            raise
        if process.returncode != 0:
            words = err.decode(errors="replace").strip()[-400:]
            silent = NO_ANSWER.search(words) or process.returncode in NO_ANSWER_STATUSES
            kind = SlurmSilent if silent else SlurmError
            raise kind(f"{name} for {self.cluster} ended with {process.returncode}: {words}")
        # Bytes that are not UTF-8 (a comment's) must keep their number: jobs are told apart by width.
        return out.decode(errors="surrogateescape")

    async def jobs(self, name: str = commands.JOB_NAME) -> Mapping[str, Job]:
        """All jobs of a name, by default the hubs' sessions, that the controller remembers."""
        return parse.jobs(await self._ask(commands.jobs(self.cluster, name)))

    async def queue(self) -> tuple[QueuedJob, ...]:
        """All waiting jobs of everybody, as far as the hub's user may see them."""
        answer = await self._ask(commands.queue(self.cluster))
        # Everybody's jobs can be tens of thousands, and nobody's page shall wait for them.
        return await asyncio.to_thread(parse.queue, answer)

    async def nodes(self) -> tuple[Node, ...]:
        """All nodes with what is taken of them."""
        return parse.nodes(await self._ask(commands.nodes(self.cluster)))

    async def partitions(self) -> Mapping[str, Partition]:
        """All partitions."""
        return parse.partitions(await self._ask(commands.partitions(self.cluster)))

    async def reservations(self) -> tuple[Reservation, ...]:
        """All reservations, those of the future included."""
        return parse.reservations(await self._ask(commands.reservations(self.cluster)))

    async def associations(self) -> Mapping[str, tuple[Association, ...]]:
        """Everyone's accounts and QOS."""
        answer = await self._ask(commands.associations(self.cluster))
        # A large site has tens of thousands, and nobody's page shall wait for them.
        return await asyncio.to_thread(parse_accounts.associations, answer)

    async def qos(self) -> Mapping[str, Qos]:
        """All QOS."""
        return parse_accounts.qos(await self._ask(commands.qos()))

    async def answer(self, argv: list[str]) -> str:
        """What Slurm says to another question, one of :mod:`hpchub.slurm.settings`."""
        return await self._ask(argv)

    async def budgets(self) -> Mapping[str, tuple[GroupLimit, ...]]:
        """The limits of every account on all that its jobs may ever use, and what they have used."""
        return parse_accounts.budgets(await self._ask(commands.budgets(self.cluster)))

    async def command(self, argv: list[str]) -> str:
        """Run a command of the site's own where Slurm's commands run, and give its output.

        Raises:
            SlurmError: it could not be started, failed, or was not done in time.
        """
        return await self._run(argv)

    async def accounting(self, job_ids: Iterable[str]) -> Mapping[str, Job]:
        """The second opinion: what the accounting knows of these jobs."""
        return parse.accounting(await self._ask(commands.accounting(self.cluster, job_ids)))
