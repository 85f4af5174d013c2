"""Expected starts, asked of Slurm for jobs that its scheduler has not planned: one answer for all who ask for the same.

Each question is a process, and has slurmctld try the whole queue.  So they are asked one after the other, so many a
minute on a cluster, and in turn.
"""

from __future__ import annotations

import logging
from collections import defaultdict

from hpchub.errors import LauncherError
from hpchub.jobs import script
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.request import JobRequest

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60
"""Between two questions for the same: a queue changes slowly."""

_KEPT_SECONDS = 3600
"""How long an answer is kept that nobody has asked for again."""
_DECIDES = frozenset(
    ("cluster", "partition", "account", "qos", "reservation", "gpus", "gpu_type", "cores", "memory_mb", "minutes")
)
"""What decides when a job can start; whose it is changes its priority a little, and that no estimate is worth."""

Kind = frozenset[tuple[str, object]]


def kind_of(request: JobRequest) -> Kind:
    """Give what two jobs have in common that start at about the same time."""
    return frozenset(request.model_dump(include=set(_DECIDES)).items())


class Estimates:
    """The expected starts that Slurm has told, on all clusters."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._told: dict[Kind, int] = {}
        self._asked_epoch: dict[Kind, float] = {}
        self._lines: dict[str, dict[Kind, JobRequest]] = defaultdict(dict)
        self._next_epoch: dict[str, float] = defaultdict(float)
        self._asking: set[str] = set()

    def told(self, request: JobRequest) -> int:
        """Give the last expected start of such a job, in seconds since 1970; 0 where Slurm told none."""
        return self._told.get(kind_of(request), 0)

    def due(self, request: JobRequest, a_minute: int, now: float) -> JobRequest | None:
        """Note that somebody wants to know; return a request to :meth:`ask` about, if it is time for one.

        Args:
            request: what they wait for; it waits for its turn.
            a_minute: how often its cluster may be asked.
            now: in seconds since 1970.
        """
        cluster, kind = request.cluster, kind_of(request)
        line = self._lines[cluster]
        if now >= self._asked_epoch.get(kind, 0) + AGAIN_SECONDS:
            line.setdefault(kind, request)
        if not line or cluster in self._asking or now < self._next_epoch[cluster]:
            return None
        for old in [kind for kind, epoch in self._asked_epoch.items() if epoch < now - _KEPT_SECONDS]:
            del self._asked_epoch[old]
            self._told.pop(old, None)
        first = next(iter(line))
        self._next_epoch[cluster] = now + 60 / a_minute
        self._asked_epoch[first] = now
        self._asking.add(cluster)
        return line.pop(first)

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
        self._told[kind_of(request)] = start_epoch or 0
