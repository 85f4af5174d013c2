"""What this hub tells Prometheus beside JupyterHub's own metrics, at the same address: ``/hub/metrics``.

What is known at any moment (sessions, how old Slurm's answers are) is read when somebody asks; what happens is counted
when it happens.  No name of a person, a session or an allocation is a label: labels are clusters and words of ours.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hpchub.errors import HpchubError

if TYPE_CHECKING:
    from hpchub.engine import Engine
    from hpchub.jobs.session import Session

_START_BUCKETS = (2, 5, 10, 15, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600)
_JOB_BUCKETS = (1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 300)
_DOOR_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 75)

START_SECONDS = Histogram(
    "hpchub_session_start_seconds",
    "From the request to a notebook that answers, the queue included, by cluster.",
    ["cluster"],
    buckets=_START_BUCKETS,
)
JOB_START_SECONDS = Histogram(
    "hpchub_session_job_start_seconds",
    "From the start of the job to a notebook that answers, by cluster.",
    ["cluster"],
    buckets=_JOB_BUCKETS,
)
ENDED = Counter("hpchub_sessions_ended", "Sessions that are over, by cluster and ending.", ["cluster", "ending"])
LAUNCHER_SECONDS = Histogram(
    "hpchub_launcher_request_seconds",
    "Requests to the launcher, by cluster, verb and outcome: ok, or the kind of failure.",
    ["cluster", "verb", "outcome"],
    buckets=_DOOR_BUCKETS,
)


def became_ready(session: Session) -> None:
    """Note that a notebook answers."""
    now, cluster = time.time(), session.request.cluster
    START_SECONDS.labels(cluster).observe(max(now - session.begun_epoch, 0))
    if session.runs_since_epoch:
        JOB_START_SECONDS.labels(cluster).observe(max(now - session.runs_since_epoch, 0))


def ended(session: Session) -> None:
    """Note that a session is over."""
    ENDED.labels(session.request.cluster, session.ending or "unknown").inc()


@contextmanager
def asking_the_launcher(cluster: str, verb: str) -> Iterator[None]:
    """Measure one request; how it ends is how the block ends."""
    began, outcome = time.monotonic(), "ok"
    try:
        yield
    except HpchubError as error:
        outcome = type(error).__name__
        raise
    except BaseException:
        outcome = "interrupted"
        raise
    finally:
        LAUNCHER_SECONDS.labels(cluster, verb, outcome).observe(time.monotonic() - began)


class OfTheEngine(Collector):
    """What the engine of this process knows at the moment of a scrape; nothing before there is one."""

    engine: Engine | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the engine."""
        sessions = GaugeMetricFamily(
            "hpchub_sessions", "Sessions that are not over, by cluster and phase.", labels=["cluster", "phase"]
        )
        age = GaugeMetricFamily(
            "hpchub_slurm_answer_age_seconds", "Since the last answer of a cluster's controller.", labels=["cluster"]
        )
        silent = GaugeMetricFamily(
            "hpchub_slurm_silent_seconds",
            "For how long a daemon of a cluster's does not answer; 0 while it does.",
            labels=["cluster", "daemon"],
        )
        gpus = GaugeMetricFamily(
            "hpchub_gpus", "GPUs on usable nodes, by cluster and type.", labels=["cluster", "type"]
        )
        used = GaugeMetricFamily("hpchub_gpus_used", "Those of them that a job holds.", labels=["cluster", "type"])
        if self.engine is not None:
            _fill(self.engine, sessions, age, silent, gpus, used)
        yield from (sessions, age, silent, gpus, used)


def _fill(engine: Engine, *families: GaugeMetricFamily) -> None:
    sessions, age, silent, gpus, used = families
    now = time.time()
    live = [owner.session for owner in engine.owners_of_sessions() if owner.session]
    for labels, number in sorted(Tally((each.request.cluster, each.phase.value) for each in live).items()):
        sessions.add_metric(labels, number)
    for name, view in sorted(engine.views.items()):
        if view.taken_epoch is not None:
            age.add_metric([name], max(now - view.taken_epoch, 0))
        daemons = {"slurmctld": view.silent_since_epoch, "slurmdbd": view.accounting_silent_since_epoch}
        for daemon, since in daemons.items():
            silent.add_metric([name, daemon], max(now - since, 0) if since else 0)
        usable = [node for node in view.nodes if node.usable]
        for kind in sorted({kind for node in usable for kind in node.gpus}):
            gpus.add_metric([name, kind], sum(node.gpus.get(kind, 0) for node in usable))
            used.add_metric([name, kind], sum(node.gpus_used.get(kind, 0) for node in usable))


OURS = OfTheEngine()
REGISTRY.register(OURS)
