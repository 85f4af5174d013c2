"""Expected starts, asked of Slurm for jobs that its scheduler has not planned: one answer for all who ask for the same.

Each question is a process, and has slurmctld try the whole queue.  So they are asked one after the other, so many a
minute on a cluster, and in turn: first those who wait, then those who only look at what they might start.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import dataclass

from hpchub.errors import LauncherError
from hpchub.jobs import script
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.request import JobRequest

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60
"""Between two questions for the same: a queue changes slowly."""

_KEPT_SECONDS = 3600
"""How long an answer is kept that nobody has asked for again."""
_LOOKED_SECONDS = 40
"""How long somebody who looks stays in line: a page that is still open asks again sooner, and a slider that was moved
on leaves choices behind that nobody looks at any more."""
_DECIDES = frozenset(
    ("cluster", "partition", "account", "qos", "reservation", "gpus", "gpu_type", "cores", "memory_mb", "minutes")
)
"""What decides when a job can start; whose it is changes its priority a little, and that no estimate is worth."""

Kind = frozenset[tuple[str, object]]


def kind_of(request: JobRequest) -> Kind:
    """Give what two jobs have in common that start at about the same time."""
    return frozenset(request.model_dump(include=set(_DECIDES)).items())


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slurm has told of a job like one that was asked about."""

    start_epoch: int
    told_epoch: float


@dataclass(frozen=True, slots=True)
class _Look:
    """What somebody looks at, and when they did so last."""

    request: JobRequest
    epoch: float


class Estimates:
    """The expected starts that Slurm has told, on all clusters."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._told: dict[Kind, Answer] = {}
        self._asked_epoch: dict[Kind, float] = {}
        self._lines: dict[str, dict[Kind, JobRequest]] = defaultdict(dict)
        self._looks: dict[str, dict[Kind, _Look]] = defaultdict(dict)
        self._next_epoch: dict[str, float] = defaultdict(float)
        self._asking: set[str] = set()

    def told(self, request: JobRequest) -> int:
        """Give the last expected start of such a job, in seconds since 1970; 0 where Slurm told none."""
        answer = self.answer(request)
        return answer.start_epoch if answer else 0

    def answer(self, request: JobRequest) -> Answer | None:
        """Give the last expected start of such a job and when Slurm told it; None where it told none."""
        return self._told.get(kind_of(request))

    def due(self, request: JobRequest, a_minute: int, now: float, *, looks: bool = False) -> JobRequest | None:
        """Note that somebody wants to know; return a request to :meth:`ask` about, if it is time for one.

        Args:
            request: what they wait for; it waits for its turn.
            a_minute: how often its cluster may be asked.
            now: in seconds since 1970.
            looks: nothing waits yet: they would start it, and come after all who wait.
        """
        cluster = request.cluster
        self._note(request, now, looks)
        if cluster in self._asking or now < self._next_epoch[cluster]:
            return None
        for old in [kind for kind, epoch in self._asked_epoch.items() if epoch < now - _KEPT_SECONDS]:
            del self._asked_epoch[old]
            self._told.pop(old, None)
        first = self._first(cluster)
        if first is None:
            return None
        self._next_epoch[cluster] = now + 60 / a_minute
        self._asked_epoch[kind_of(first)] = now
        self._asking.add(cluster)
        return first

    def _note(self, request: JobRequest, now: float, looks: bool) -> None:
        kind, line, seen = kind_of(request), self._lines[request.cluster], self._looks[request.cluster]
        for old in [each for each, look in seen.items() if look.epoch < now - _LOOKED_SECONDS]:
            del seen[old]
        if now < self._asked_epoch.get(kind, 0) + AGAIN_SECONDS:
            return
        if not looks:
            seen.pop(kind, None)
            line.setdefault(kind, request)
        elif kind not in line:
            # A key that is there already keeps its place in line.
            seen[kind] = _Look(request, now)

    def _first(self, cluster: str) -> JobRequest | None:
        """Take who is next out of the line."""
        line, seen = self._lines[cluster], self._looks[cluster]
        if line:
            return line.pop(next(iter(line)))
        return seen.pop(next(iter(seen))).request if seen else None

    async def ask(self, request: JobRequest) -> None:
        """Ask, and keep the answer for all who want to know the same."""
        try:
            start_epoch = await self._launcher.expected_start(
                request.user, request.cluster, request.session_id, script.render(request)
            )
        except LauncherError as error:
            log.info("%s: no expected start: %s", request.session_id, error)
            start_epoch = None
        finally:
            self._asking.discard(request.cluster)
        kind = kind_of(request)
        if start_epoch:
            self._told[kind] = Answer(start_epoch, self._asked_epoch.get(kind, time.time()))
        else:
            self._told.pop(kind, None)
