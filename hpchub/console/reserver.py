"""The hub's side of the door to ``hpchub-reserve``: one JSON request, one JSON answer.

What passes through it is checked again on the other side, in :mod:`hpchub.jobs.hpchub_reserve`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from hpchub.catalogue.site import ReserverSettings
from hpchub.console.reservation import Wanted
from hpchub.errors import ReservationRefused, ReservationUnclear, ReserverError


@dataclass(frozen=True, slots=True)
class Made:
    """A reservation as Slurm has it."""

    name: str
    nodes: int
    starts_epoch: int
    ends_epoch: int


class Reserver:
    """Makes, changes and removes reservations whose names begin with the site's prefix.

    Every method raises:
        ReservationRefused: Slurm refused; carries Slurm's own words.
        ReservationUnclear: the answer got lost, and it may have been carried out.
        ReserverError: ``hpchub-reserve`` refused by its policy, or cannot be reached.
    """

    def __init__(self, settings: ReserverSettings) -> None:
        self._door = settings.door
        self._timeout_seconds = settings.timeout_seconds
        # Its limits are on all reservations together: two requests at a time would not see each other.
        self._one_at_a_time = asyncio.Lock()

    async def create(self, wanted: Wanted) -> Made:
        """Make a reservation."""
        return await self._made(
            {
                "verb": "create",
                "cluster": wanted.cluster,
                "name": wanted.name,
                "partition": wanted.partition,
                "nodes": wanted.nodes,
                "account": wanted.account,
                "starts_epoch": wanted.starts_epoch,
                "ends_epoch": wanted.ends_epoch,
            }
        )

    async def extend(self, cluster: str, name: str, ends_epoch: int) -> Made:
        """Let a reservation end at another time, in seconds since 1970."""
        return await self._made({"verb": "change", "cluster": cluster, "name": name, "ends_epoch": ends_epoch})

    async def resize(self, cluster: str, name: str, nodes: int) -> Made:
        """Give a reservation another number of nodes."""
        return await self._made({"verb": "change", "cluster": cluster, "name": name, "nodes": nodes})

    async def delete(self, cluster: str, name: str) -> None:
        """Remove a reservation, if there is one; Slurm refuses as long as jobs run in it."""
        await self._ask({"verb": "delete", "cluster": cluster, "name": name})

    async def _made(self, request: dict[str, Any]) -> Made:
        try:
            return Made(**(await self._ask(request))["reservation"])
        except (KeyError, TypeError) as error:
            raise ReservationUnclear(f"{self._door[-1]} gave an answer without the reservation") from error

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._one_at_a_time:
            status, out, err = await self._through_the_door(json.dumps(request).encode())
        try:
            answer = json.loads(out)
        except ValueError:
            words = f"{self._door[-1]} gave no answer: {err.strip()[-400:]}"
            # A door that refuses says so with 1 (sudo); the program itself always answers, unless it is killed.
            raise (ReserverError if status == 1 and not out else ReservationUnclear)(words) from None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise ReservationUnclear(f"{self._door[-1]} gave an answer of another form")
        if answer["ok"]:
            return answer
        kinds = {"refused": ReserverError, "slurm": ReservationRefused}
        raise kinds.get(str(answer.get("kind")), ReservationUnclear)(str(answer.get("message", "")))

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
            raise ReserverError(f"{self._door[0]} cannot be started: {error.strerror}") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(request), self._timeout_seconds)
        except TimeoutError:
            # Behind sudo the process belongs to somebody else and cannot be killed; it has a time limit of its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                process.kill()
                await process.wait()
            raise ReservationUnclear(f"{self._door[-1]} gave no answer in {self._timeout_seconds} s") from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
