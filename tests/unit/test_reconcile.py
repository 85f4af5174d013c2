"""Which jobs are cancelled because no session owns them, and which never are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpchub.jobs.request import job_comment
from hpchub.reconcile import SECONDS_APART, Reconciler, orphans
from hpchub.slurm.model import Job, JobState
from tests.unit.data.job_request import SESSION_ID

ORPHAN = Job(
    job_id="17",
    user="ada",
    state=JobState.RUNNING,
    slurm_state="RUNNING",
    reason="",
    node="lrdn0001",
    account="aifac_agri01",
    partition="boost_usr_prod",
    qos="normal",
    comment=job_comment("demo", "ada", "", SESSION_ID),
)


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
    job = replace(ORPHAN, **changes)
    assert orphans([job], "demo", live=()) == ([job] if orphan else [])


def test_the_job_of_a_live_session_is_none() -> None:
    assert orphans([ORPHAN], "demo", live={SESSION_ID}) == []
    assert orphans([ORPHAN], "demo", live={"f" * 32}) == [ORPHAN]


def test_an_orphan_is_due_after_some_time_and_until_it_is_gone() -> None:
    reconciler = Reconciler("demo")
    assert reconciler.due([ORPHAN], (), now=100) == []
    assert reconciler.due([ORPHAN], (), now=100 + SECONDS_APART - 1) == []
    assert reconciler.due([ORPHAN], (), now=100 + SECONDS_APART) == [ORPHAN]
    assert reconciler.due([ORPHAN], (), now=100 + SECONDS_APART + 1) == [ORPHAN]
    assert reconciler.due([], (), now=100 + SECONDS_APART + 2) == []


def test_a_job_whose_session_appears_in_time_starts_from_the_beginning() -> None:
    reconciler = Reconciler("demo")
    reconciler.due([ORPHAN], (), now=100)
    assert reconciler.due([ORPHAN], {SESSION_ID}, now=110) == []
    assert reconciler.due([ORPHAN], (), now=100 + SECONDS_APART) == []
    assert reconciler.due([ORPHAN], (), now=100 + 2 * SECONDS_APART) == [ORPHAN]
