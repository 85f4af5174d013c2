"""What Prometheus reads of this hub: the names that the documentation has, and the values of the moment."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from hpchub import metrics
from hpchub.errors import SubmitRefused
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Session
from hpchub.slurm.model import ClusterView, Node
from tests.unit.data.job_request import request

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def value(name: str, **labels: str) -> float:
    """The value of a metric now; 0 where nothing was counted yet."""
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.fixture
def engine() -> Iterator[Any]:
    """An engine that knows two sessions that live and one that is over, and what one cluster says."""
    now = time.time()
    nodes = (
        Node("lrdn0001", "lrdn0001", frozenset({"boost"}), True, 32, 0, 1, 0, {"a100": 4}, {"a100": 3}),
        Node("lrdn0002", "lrdn0002", frozenset({"boost"}), False, 32, 0, 1, 0, {"a100": 4}, {}),
    )
    view = ClusterView("leonardo", taken_epoch=now - 5, accounting_silent_since_epoch=now - 60, nodes=nodes)
    sessions = [Session(request(), token_id=1, begun_epoch=now, phase=phase) for phase in (Phase.READY, Phase.QUEUED)]
    owners = [SimpleNamespace(session=session) for session in sessions]
    metrics.OURS.engine = SimpleNamespace(views={"leonardo": view}, owners_of_sessions=lambda: owners)  # type: ignore[assignment]
    yield metrics.OURS.engine
    metrics.OURS.engine = None


@pytest.mark.usefixtures("engine")
def test_sessions_are_counted_by_cluster_and_phase() -> None:
    assert value("hpchub_sessions", cluster="leonardo", phase="ready") == 1
    assert value("hpchub_sessions", cluster="leonardo", phase="queued") == 1
    assert value("hpchub_sessions", cluster="leonardo", phase="starting") == 0


@pytest.mark.usefixtures("engine")
def test_the_age_of_slurm_s_answers_and_its_silence_are_told() -> None:
    assert 5 <= value("hpchub_slurm_answer_age_seconds", cluster="leonardo") < 60
    assert value("hpchub_slurm_silent_seconds", cluster="leonardo", daemon="slurmctld") == 0
    assert 60 <= value("hpchub_slurm_silent_seconds", cluster="leonardo", daemon="slurmdbd") < 120


@pytest.mark.usefixtures("engine")
def test_gpus_are_those_of_usable_nodes() -> None:
    assert value("hpchub_gpus", cluster="leonardo", type="a100") == 4
    assert value("hpchub_gpus_used", cluster="leonardo", type="a100") == 3


def test_a_start_is_measured_from_the_request_and_from_the_job() -> None:
    session = Session(request(), token_id=1, begun_epoch=time.time() - 50)
    session.runs_since_epoch = time.time() - 4
    before = value("hpchub_session_start_seconds_sum", cluster="leonardo")
    before_job = value("hpchub_session_job_start_seconds_sum", cluster="leonardo")
    metrics.became_ready(session)
    assert 50 <= value("hpchub_session_start_seconds_sum", cluster="leonardo") - before < 60
    assert 4 <= value("hpchub_session_job_start_seconds_sum", cluster="leonardo") - before_job < 14


def test_an_end_is_counted_by_its_reason() -> None:
    session = Session(request(), token_id=1, begun_epoch=0)
    session.end(Ending.TIME_LIMIT)
    labels = {"cluster": "leonardo", "ending": str(Ending.TIME_LIMIT)}
    before = value("hpchub_sessions_ended_total", **labels)
    metrics.ended(session)
    assert value("hpchub_sessions_ended_total", **labels) == before + 1


def test_a_request_to_the_launcher_is_counted_by_how_it_ended() -> None:
    def count(outcome: str) -> float:
        return value("hpchub_launcher_request_seconds_count", cluster="c", verb="submit", outcome=outcome)

    with metrics.asking_the_launcher("c", "submit"):
        pass
    with pytest.raises(SubmitRefused), metrics.asking_the_launcher("c", "submit"):
        raise SubmitRefused("no")
    assert (count("ok"), count("SubmitRefused")) == (1, 1)


def test_the_page_names_each_metric_and_its_labels() -> None:
    rows = re.findall(r"^\| `(hpchub_\w+)` \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    described = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    ours = {family.name: family for family in REGISTRY.collect() if family.name.startswith("hpchub_")}
    names = {name + "_total" if family.type == "counter" else name for name, family in ours.items()}
    assert set(described) == names
    for metric in (metrics.START_SECONDS, metrics.JOB_START_SECONDS, metrics.ENDED, metrics.LAUNCHER_SECONDS):
        (family,) = metric.collect()
        name = family.name + "_total" if family.type == "counter" else family.name
        assert described[name] == set(metric._labelnames)
