"""The hub's side of the door to ``hpchub-reserve``: one JSON request, one JSON answer.

What passes through it is checked again on the other side, in :mod:`hpchub.jobs.hpchub_reserve`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hpchub.catalogue.doors import ReserverSettings
from hpchub.console.reservation import Wanted
from hpchub.errors import ReservationRefused, ReservationUnclear, ReserverError
from hpchub.jobs.door import Door, Way, last_word

JOBS_A_REQUEST = 50
"""As many as ``hpchub-reserve`` takes."""


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
        self._way: Way = settings.way
        self._door = Door(last_word(self._way), settings.timeout_seconds, ReserverError, ReservationUnclear)
        # Behind the door one request waits for the other, each with its own time limit running.
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

    async def change(self, cluster: str, name: str, changes: Mapping[str, int | None]) -> Made:
        """Give a reservation other ``nodes``, another ``starts_epoch`` or ``ends_epoch``, or several of them."""
        return await self._made({"verb": "change", "cluster": cluster, "name": name, **changes})

    async def prolong(self, cluster: str, name: str, ends_epoch: int, jobs: Iterable[str]) -> list[str]:
        """Let jobs that run in a reservation end at a later time, at most with it; give those that do now."""
        wanted, found = list(jobs), []
        for at in range(0, len(wanted), JOBS_A_REQUEST):
            some = wanted[at : at + JOBS_A_REQUEST]
            request = {"verb": "prolong", "cluster": cluster, "name": name, "ends_epoch": ends_epoch, "jobs": some}
            found += [str(job) for job in (await self._ask(request)).get("jobs", ())]
        return found

    async def delete(self, cluster: str, name: str) -> None:
        """Remove a reservation, if there is one; Slurm refuses as long as jobs run in it."""
        await self._ask({"verb": "delete", "cluster": cluster, "name": name})

    async def _made(self, request: dict[str, Any]) -> Made:
        try:
            return Made(**(await self._ask(request))["reservation"])
        except (KeyError, TypeError) as error:
            raise ReservationUnclear(f"{self._door.program} gave an answer without the reservation") from error

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._one_at_a_time:
            said = await self._door.send(self._way, json.dumps(request).encode())
        answer = self._door.read(said)
        if answer["ok"]:
            return answer
        kinds = {"refused": ReserverError, "slurm": ReservationRefused}
        raise kinds.get(str(answer.get("kind")), ReservationUnclear)(str(answer.get("message", "")))
