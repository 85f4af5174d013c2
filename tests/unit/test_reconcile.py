"""Which jobs are cancelled because no session owns them, and which never are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from hpchub.jobs.request import job_comment
from hpchub.reconcile import AT_ONCE, LONGEST_PAUSE, SECONDS_APART, Reconciler, orphans
from hpchub.slurm.model import Job, JobState
from tests.unit.data.job_request import JOB, SESSION_ID


@pytest.mark.parametrize(
    ("changes", "orphan"),
    [
        pytest.param({}, True, id="running, nobody's"),
        pytest.param({"state": JobState.PENDING}, True, id="waiting, nobody's"),
        pytest.param({"comment": job_comment("demo", "ada", "a & b", SESSION_ID)}, True, id="of a named server"),
        pytest.param({"state": JobState.ENDING}, False, id="ending already"),
        pytest.param({"state": JobState.ENDED}, False, id="ended"),
        pytest.param({"state": JobState.UNKNOWN}, False, id="in a state that nobody knows"),
        pytest.param({"comment": job_comment("other", "ada", "", SESSION_ID)}, False, id="of another hub"),
        pytest.param({"comment": job_comment("demo", "bruno", "", SESSION_ID)}, False, id="comment names another user"),
        pytest.param({"user": "bruno"}, False, id="another user wrote ada's comment"),
        pytest.param({"comment": job_comment("demo", "ada", "", "0123")}, False, id="malformed session id"),
        pytest.param({"comment": job_comment("demo", "ada", "", SESSION_ID + "0")}, False, id="session id too long"),
        pytest.param({"comment": job_comment("demo", "ada", "", SESSION_ID.upper())}, False, id="capital letters"),
        pytest.param({"comment": "my own job"}, False, id="another comment"),
        pytest.param({"comment": ""}, False, id="no comment"),
    ],
)
def test_what_an_orphan_is(changes: dict[str, Any], orphan: bool) -> None:
    job = replace(JOB, **changes)
    assert orphans([job], "demo", live=()) == ([job] if orphan else [])


def test_the_job_of_a_live_session_is_none() -> None:
    assert orphans([JOB], "demo", live={SESSION_ID}) == []
    assert orphans([JOB], "demo", live={"f" * 32}) == [JOB]


def due(reconciler: Reconciler, now: float, *jobs: Job, live: tuple[str, ...] = ()) -> list[Job]:
    return reconciler.due("leonardo", jobs, live, now)


def test_an_orphan_is_due_after_some_time() -> None:
    reconciler = Reconciler("demo")
    assert due(reconciler, 100, JOB) == []
    assert due(reconciler, 100 + SECONDS_APART - 1, JOB) == []
    assert due(reconciler, 100 + SECONDS_APART, JOB) == [JOB]


def test_an_orphan_that_stays_is_due_again_after_pauses_that_double() -> None:
    reconciler = Reconciler("demo")
    tries = [second for second in range(2000) if due(reconciler, float(second), JOB)]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == [40, 80, 160, 320, LONGEST_PAUSE, LONGEST_PAUSE][: len(pauses)]
    assert len(pauses) >= 4


def test_a_thousand_orphans_are_cancelled_a_few_at_a_time() -> None:
    reconciler = Reconciler("demo")
    many = [replace(JOB, job_id=str(number)) for number in range(1000)]
    due(reconciler, 100, *many)
    first, second = (due(reconciler, 130 + tick, *many) for tick in range(2))
    assert len(first) == len(second) == AT_ONCE
    assert not {job.job_id for job in first} & {job.job_id for job in second}


def test_the_same_job_id_on_two_clusters_is_two_jobs() -> None:
    reconciler = Reconciler("demo")
    reconciler.due("leonardo", [JOB], (), 100)
    assert reconciler.due("it4lia", [JOB], (), 100 + SECONDS_APART) == []


def test_a_job_whose_session_appears_in_time_starts_from_the_beginning() -> None:
    reconciler = Reconciler("demo")
    due(reconciler, 100, JOB)
    assert due(reconciler, 110, JOB, live=(SESSION_ID,)) == []
    assert due(reconciler, 100 + SECONDS_APART, JOB) == []
    assert due(reconciler, 100 + 2 * SECONDS_APART, JOB) == [JOB]
