"""The hub's side of the narrow door: one JSON request to ``hpchub-launch``, one JSON answer.

The door is a command from the site's data (in the demo ``sudo -n …/hpchub-launch``); what passes through it is checked
again on the other side, in :mod:`hpchub.jobs.hpchub_launch`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from hpchub.errors import LauncherError, SubmitRefused, SubmitUnclear

LAUNCHER_SECONDS = 60
"""How long the launcher gives a command of Slurm's (its COMMAND_SECONDS): after that nothing can still be submitted."""
_AT_ONCE = 8
"""Requests under way at once on a cluster: each is a process or two, and slurmctld takes one submission at a time."""


class Launcher:
    """Submits and cancels jobs as their users.

    Args:
        door: the command that runs ``hpchub-launch`` as root.
        timeout_seconds: how long one request may take; longer than the launcher's own limit for a Slurm command.
    """

    def __init__(self, door: Sequence[str], timeout_seconds: float = 75) -> None:
        self._door = tuple(door)
        self._timeout_seconds = timeout_seconds
        # One set of slots a cluster: a controller that hangs must not keep the others waiting.
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    async def submit(
        self, user: str, cluster: str, session_id: str, script: str, environment: Mapping[str, str]
    ) -> str:
        """Submit a job script as a user; return the job id.

        Raises:
            SubmitRefused: Slurm refused the job; carries Slurm's own words.
            SubmitUnclear: the answer got lost, and the job may exist.
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
            raise SubmitUnclear(f"{self._door[-1]} gave an answer without a job id")
        return job_id

    async def cancel(self, user: str, cluster: str, job_id: str) -> None:
        """Cancel a job as its user.

        Raises:
            LauncherError: it was not accepted; the job may still run.
        """
        await self._ask({"verb": "cancel", "user": user, "cluster": cluster, "job_id": job_id})

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._slots[request["cluster"]]:
            status, out, err = await self._through_the_door(json.dumps(request).encode())
        # What failed may repeat what it was given: no error may hold the session's token.
        for name, value in request.get("environment", {}).items():
            if "TOKEN" in name and value:
                out, err = out.replace(value, "…"), err.replace(value, "…")
        try:
            answer = json.loads(out)
        except ValueError:
            words = f"{self._door[-1]} gave no answer: {err.strip()[-400:]}"
            # A door that refuses says so with 1 (sudo); the launcher itself always answers, unless it is killed.
            raise (LauncherError if status == 1 and not out else SubmitUnclear)(words) from None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise SubmitUnclear(f"{self._door[-1]} gave an answer of another form")
        if answer["ok"]:
            return answer
        message = str(answer.get("message", ""))
        if answer.get("kind") == "slurm":
            raise SubmitRefused(message)
        if answer.get("kind") == "unclear":
            raise SubmitUnclear(message)
        raise LauncherError(message)

    async def _through_the_door(self, request: bytes) -> tuple[int | None, str, str]:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._door,
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise LauncherError(f"{self._door[0]} cannot be started: {error.strerror}") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(request), self._timeout_seconds)
        except TimeoutError:
            # Behind sudo the process belongs to root and cannot be killed; it has a time limit of its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                process.kill()
            raise SubmitUnclear(f"{self._door[-1]} gave no answer in {self._timeout_seconds:.0f} s") from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
