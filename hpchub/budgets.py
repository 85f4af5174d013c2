"""What is known of people's budgets: asked for in the background, read at once by pages.

A source may be slow or hang (``saldo`` does): nothing that answers a person waits for it.  A failed question keeps the
last answer and its age.  Slurm tells all budgets of a cluster at once, and so does a command without ``{user}``; the
others are asked for each person who is around: who has a page open, asks the API, or has a session.

What a command says that ran as a person counts for that person alone: their own files may change what it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hpchub.catalogue import saldo
from hpchub.catalogue.budget import Budget, from_slurm
from hpchub.catalogue.site import Budgets, Site
from hpchub.clusters import open_clusters
from hpchub.errors import HpchubError
from hpchub.jobs.hpchub_launch import WORD
from hpchub.slurm.model import GroupLimit

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at what is due; a person who was not around is asked about at once."""
AROUND_SECONDS = 900.0
"""How long after a person's last page or question their budgets are kept fresh."""
RETRY_SECONDS = 60.0
"""After a failed question, unless the source is asked more often anyway."""
AT_ONCE = 2
"""Questions under way at once on a cluster: a source that hangs must not become a crowd of processes."""
EVERYBODY = ""
"""Stands for a person's name where one answer is for all."""

ByCluster = Mapping[str, Mapping[str, Budget]]


class Client(Protocol):
    """Asks a cluster for the hub's user: :class:`hpchub.slurm.client.SlurmClient`."""

    async def budgets(self) -> Mapping[str, tuple[GroupLimit, ...]]: ...

    async def command(self, argv: list[str]) -> str: ...


class Door(Protocol):
    """Asks as a person: :class:`hpchub.jobs.launcher.Launcher`."""

    async def budget(self, user: str, cluster: str) -> str: ...


@dataclass(slots=True)
class _Answer:
    """What one source said last."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    asked: float | None = None
    """When the last question was over, by the monotonic clock; None before the first."""
    asking: bool = False
    failing: bool = False
    strange: tuple[str, ...] = ()


class BudgetKeeper:
    """Keeps the last answer of every source.

    Args:
        site: gives the site that is in service.
        client: gives the client of a cluster.
        door: runs a command as a person.
        with_sessions: names the people who have a session.
    """

    def __init__(
        self,
        site: Callable[[], Site],
        client: Callable[[str], Client],
        door: Door,
        with_sessions: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._site = site
        self._client = client
        self._door = door
        self._with_sessions = with_sessions
        self._answers: dict[tuple[str, str], _Answer] = defaultdict(_Answer)
        self._seen: dict[str, float] = {}
        self._somebody_new = asyncio.Event()
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    def of(self, user: str) -> ByCluster:
        """Give what is known of a person's budgets, by cluster and account, and have it kept fresh from now on."""
        if time.monotonic() - self._seen.get(user, -AROUND_SECONDS) >= AROUND_SECONDS:
            self._somebody_new.set()
        self._seen[user] = time.monotonic()
        found = {}
        for cluster, source in self._sources():
            answer = self._answers.get((cluster, user if _is_personal(source) else EVERYBODY))
            if answer is not None and answer.budgets:
                found[cluster] = answer.budgets
        return found

    async def once(self, user: str) -> ByCluster:
        """Ask every source now and wait for all, as commands beside the hub do; one that fails is missing."""
        asked = [(name, source, user if _is_personal(source) else EVERYBODY) for name, source in self._sources()]
        await asyncio.gather(
            *(self._ask(name, source, whose, self._answers[name, whose]) for name, source, whose in asked)
        )
        return self.of(user)

    async def run(self) -> None:
        """Ask what is due, until cancelled."""
        async with asyncio.TaskGroup() as questions:
            while True:
                self._somebody_new.clear()
                for cluster, source in self._sources():
                    for whose in self._around() if _is_personal(source) else (EVERYBODY,):
                        answer = self._answers[cluster, whose]
                        if not answer.asking and _is_due(source, answer):
                            answer.asking = True
                            questions.create_task(self._ask(cluster, source, whose, answer))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._somebody_new.wait()

    def _sources(self) -> list[tuple[str, Budgets]]:
        site = self._site()
        sources = [(name, site.clusters[name].budget) for name in open_clusters(site)]
        return [(name, source) for name, source in sources if source.source != "none"]

    def _around(self) -> set[str]:
        now = time.monotonic()
        self._seen = {user: seen for user, seen in self._seen.items() if now - seen < AROUND_SECONDS}
        # A name becomes a word of a command: what cannot be a user of the cluster's is not asked about.
        return {name for name in (*self._seen, *self._with_sessions()) if WORD.fullmatch(name)}

    async def _ask(self, cluster: str, source: Budgets, whose: str, answer: _Answer) -> None:
        name = f"the budgets of {whose or 'everybody'} on {cluster}"
        try:
            async with self._slots[cluster]:
                answer.budgets, strange = await self._told(cluster, source, whose)
            if answer.failing:
                log.info("%s are told again", name)
            if strange != answer.strange:
                log.warning("%s: %d lines cannot be read, such as %.120r", name, len(strange), "".join(strange[:1]))
            answer.failing, answer.strange = False, strange
        except HpchubError as error:
            if not answer.failing:
                log.warning("%s: no new answer, and the last one stays: %s", name, error)
            answer.failing = True
        finally:
            answer.asked = time.monotonic()
            answer.asking = False

    async def _told(self, cluster: str, source: Budgets, whose: str) -> tuple[Mapping[str, Budget], tuple[str, ...]]:
        taken_epoch = time.time()
        client = self._client(cluster)
        if source.source == "slurm":
            return from_slurm(await client.budgets(), source.core_hours_a_gpu_hour, taken_epoch), ()
        if source.command:
            text = await client.command([word.replace("{user}", whose) for word in source.command])
        else:
            text = await self._door.budget(whose, cluster)
        return saldo.budgets(text, taken_epoch)


def _is_due(source: Budgets, answer: _Answer) -> bool:
    pause = min(source.refresh_seconds, RETRY_SECONDS) if answer.failing else source.refresh_seconds
    return answer.asked is None or time.monotonic() >= answer.asked + pause


def _is_personal(source: Budgets) -> bool:
    """Tell whether each person is asked about."""
    return source.source == "command" and (not source.command or any("{user}" in word for word in source.command))
