"""The hub's side of the door to ``hpchub-launch``, which submits and cancels jobs as their users.

What passes through it is checked again on the other side, in :mod:`hpchub.jobs.hpchub_launch`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from hpchub.errors import HomeUnusable, LauncherError, SubmitRefused, SubmitUnclear, Unreachable
from hpchub.internal_tls import VARIABLE as TLS_VARIABLE
from hpchub.jobs.door import Door, Said, Way, last_word
from hpchub.metrics import asking_the_launcher
from hpchub.ssh import SSH_FAILED, LoginNode, never_sent

LAUNCHER_SECONDS = 60
"""How long the launcher gives a command of Slurm's (its COMMAND_SECONDS): after that nothing can still be submitted."""
_AT_ONCE = 8
"""Requests under way at once on a cluster: each is a process or two, and slurmctld takes one submission at a time."""
_ESTIMATES_AT_ONCE = 2
"""Questions for an expected start under way at once on all clusters: each has slurmctld plan its whole queue."""
_BUDGETS_AT_ONCE = 2
"""Budgets asked for at once on a cluster: their command may hang, and nobody waits for it."""
_LOGS_AT_ONCE = 2
"""Logs read at once on a cluster: anybody can ask for them again and again, and jobs come first."""


class Launcher:
    """Submits and cancels jobs as their users.

    Args:
        door: the command that runs ``hpchub-launch`` as root, or the socket that it answers at.
        login_nodes: where it runs for the clusters that are behind ``ssh``, in place of the door.
        timeout_seconds: how long one request may take; longer than the launcher's own limit for a Slurm command.
    """

    def __init__(
        self, door: Way, timeout_seconds: float = 75, login_nodes: Mapping[str, LoginNode] | None = None
    ) -> None:
        self._way = door
        self._door = Door(last_word(door), timeout_seconds, LauncherError, SubmitUnclear)
        self._login_nodes = login_nodes or {}
        # One set of slots a cluster: a controller that hangs must not keep the others waiting.
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._estimates = asyncio.Semaphore(_ESTIMATES_AT_ONCE)
        self._log_slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_LOGS_AT_ONCE))
        self._budget_slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_BUDGETS_AT_ONCE))

    async def submit(
        self, user: str, cluster: str, session_id: str, script: str, environment: Mapping[str, str]
    ) -> str:
        """Submit a job script as a user; return the job id.

        Raises:
            SubmitRefused: Slurm refused the job; carries Slurm's own words.
            SubmitUnclear: the answer got lost, and the job may exist.
            HomeUnusable: the user's home cannot take the job's log; there is no job.
            LauncherError: the launcher refused; there is no job.
        """
        answer = await self._ask(
            {
                "verb": "submit",
                "user": user,
                "cluster": cluster,
                "session": session_id,
                "script": script,
                "environment": dict(environment),
            }
        )
        job_id = answer.get("job_id")
        if not isinstance(job_id, str):
            raise SubmitUnclear(f"{self._door.program} gave an answer without a job id")
        return job_id

    async def expected_start(self, user: str, cluster: str, session_id: str, script: str) -> int | None:
        """Ask when such a job would start, in seconds since 1970; nothing is submitted.

        None where Slurm does not tell.  It is an estimate for a job submitted now, behind those that wait already.

        Raises:
            SubmitUnclear: there was no answer.
            LauncherError: the launcher refused.
        """
        try:
            return await self.try_out(user, cluster, session_id, script)
        except SubmitRefused:
            return None

    async def try_out(self, user: str, cluster: str, session_id: str, script: str) -> int | None:
        """Have Slurm judge a job script as if it were submitted; give the expected start if it tells one.

        Raises:
            SubmitRefused: Slurm would refuse the job; carries Slurm's own words.
            SubmitUnclear: there was no answer.
            LauncherError: the launcher refused.
        """
        request = {
            "verb": "submit",
            "user": user,
            "cluster": cluster,
            "session": session_id,
            "script": script,
            "environment": {},
            "test_only": True,
        }
        async with self._estimates:
            start_epoch = (await self._ask(request)).get("start_epoch")
        return start_epoch if isinstance(start_epoch, int) else None

    async def cancel(self, user: str, cluster: str, job_id: str) -> None:
        """Cancel a job as its user.

        Raises:
            LauncherError: it was not accepted; the job may still run.
        """
        await self._ask({"verb": "cancel", "user": user, "cluster": cluster, "job_id": job_id})

    async def log(self, user: str, cluster: str, session_id: str) -> str:
        """Read the last 64 KB of a session's log as its user wrote them: see :func:`hpchub.jobs.logs.readable`.

        Raises:
            SubmitUnclear: there was no answer.
            LauncherError: there is no log, or it cannot be read.
        """
        async with self._log_slots[cluster]:
            answer = await self._ask({"verb": "log", "user": user, "cluster": cluster, "session": session_id})
        return str(answer.get("text", ""))

    async def budget(self, user: str, cluster: str) -> str:
        """Give what the policy's command says of a user's budgets, run as the user.

        Raises:
            SubmitUnclear: it hangs, or there was no answer.
            LauncherError: there is no such command, or it failed.
        """
        async with self._budget_slots[cluster]:
            answer = await self._ask({"verb": "budget", "user": user, "cluster": cluster})
        return str(answer.get("text", ""))

    async def probe(self, user: str, cluster: str, path: str) -> Mapping[str, Any]:
        """Look at an environment with its user's rights, for :func:`hpchub.environments.probe.judged`.

        Raises:
            SubmitUnclear: there was no answer.
            LauncherError: the launcher refused.
        """
        # As rare as logs, and as easily asked for again and again.
        async with self._log_slots[cluster]:
            return await self._ask({"verb": "probe", "user": user, "cluster": cluster, "path": path})

    async def wipe(self, user: str, cluster: str) -> None:
        """Empty the home that an account of the pool of seats has on a cluster, and put its skeleton back.

        Raises:
            SubmitRefused: it is not clean; the text says what is in the way, a job for example.
            SubmitUnclear: there was no answer in time; what is removed is gone, and asking again goes on from there.
            LauncherError: the launcher refused.
        """
        # As long as it takes: the home may have a million files.
        async with self._log_slots[cluster]:
            await self._ask({"verb": "wipe", "user": user, "cluster": cluster})

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with asking_the_launcher(request["cluster"], request["verb"]):
            return await self._answer(request)

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._slots[request["cluster"]]:
            status, out, err = await self._through_the_door(request["cluster"], json.dumps(request).encode())
        # What failed may repeat what it was given: no error may hold the session's token or key.
        for secret in _secrets(request.get("environment", {})):
            out, err = out.replace(secret, "…"), err.replace(secret, "…")
        answer = self._door.read((status, out, err))
        if answer["ok"]:
            return answer
        message = str(answer.get("message", ""))
        if answer.get("kind") == "slurm":
            raise SubmitRefused(message)
        if answer.get("kind") == "home":
            raise HomeUnusable(message)
        if answer.get("kind") == "unclear":
            raise SubmitUnclear(message)
        raise LauncherError(message)

    async def _through_the_door(self, cluster: str, request: bytes) -> Said:
        login_node = self._login_nodes.get(cluster)
        if login_node is None:
            return await self._door.send(self._way, request)
        try:
            async with login_node.request() as door:
                status, out, err = await self._door.send(door, request)
                if status == SSH_FAILED:
                    raise Unreachable(err.strip()) if never_sent(err) else _lost(cluster)
                return status, out, err
        except Unreachable as error:
            # Whoever reads this is the user, and the log says why.
            raise LauncherError(
                f"The hub has no connection to {cluster} at the moment; nothing was sent. Try again in some minutes."
            ) from error


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """Give the texts of a job's environment that nobody may read: its tokens, and its key line by line.

    Whoever repeats the key writes its line ends in another way.
    """
    tokens = [value for name, value in environment.items() if "TOKEN" in name and value]
    key = json.loads(environment.get(TLS_VARIABLE) or "{}").get("JUPYTERHUB_SSL_KEYFILE", "")
    return [*tokens, *(line for line in key.splitlines() if line and not line.startswith("-----"))]


def _lost(cluster: str) -> SubmitUnclear:
    """The connection broke while the launcher worked there, and it works on: nobody tells it."""
    return SubmitUnclear(f"the connection to {cluster} broke before the answer", time.time() + LAUNCHER_SECONDS)
