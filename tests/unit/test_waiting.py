"""What a waiting person is told, and when that is worth an event."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from hpchub.handlers.sessions import public
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Session
from hpchub.jobs.waiting import news, sentence
from hpchub.slurm.model import ClusterView, Job, JobState, QueuedJob
from hpchub.text import translated
from spawners.progress import event, is_news
from tests.unit.data.job_request import JOB, REQUEST

SOON = int(time.time()) + 3600
ITALIAN = partial(translated, language="it")
HUB = "http://127.0.0.1:8081/hub"


def waiting_job(**changes: Any) -> Job:
    return replace(JOB, **{"state": JobState.PENDING, "slurm_state": "PENDING", "reason": "Priority", **changes})


def view_of(job: Job, **changes: Any) -> ClusterView:
    """A snapshot in which this job waits behind one other."""
    boost = frozenset({"boost_usr_prod"})
    queue = (QueuedJob("3", 9, "Resources", boost), QueuedJob(job.job_id, 1, job.reason, boost))
    taken: dict[str, Any] = {"taken_epoch": 1000.0, "jobs": {job.job_id: job}, "queue": queue}
    return ClusterView("leonardo", **{**taken, **changes})


def queued(job: Job) -> Session:
    session = Session(request=REQUEST, token_id=5, begun_epoch=900.0)
    session.observe(job, view_of(job), HUB)
    return session


def test_a_waiting_session_tells_why_and_where_it_stands() -> None:
    job = waiting_job(start_epoch=SOON)
    assert news(queued(job), view_of(job))["waiting"] == {
        "code": "Priority",
        "kind": "wait",
        "sentence": "Jobs with a higher priority are before it.",
        "position": 2,
        "of": 2,
        "expected_start_epoch": SOON,
        "expected_start_source": "scheduler",
    }


def test_what_nobody_knows_is_null() -> None:
    job = waiting_job(reason="")
    waiting = news(queued(job), view_of(job, queue=None))["waiting"]
    names = ("code", "position", "of", "expected_start_epoch", "expected_start_source")
    assert [waiting[name] for name in names] == [None] * 5
    assert waiting["sentence"] == "The scheduler has not looked at it yet."


def test_an_estimate_stands_in_for_a_plan() -> None:
    job = waiting_job()
    session = queued(job)
    session.estimate_epoch = SOON
    waiting = news(session, view_of(job))["waiting"]
    assert (waiting["expected_start_epoch"], waiting["expected_start_source"]) == (SOON, "estimate")


@pytest.mark.parametrize("passed", [1, 1000])
def test_a_time_that_has_passed_is_not_expected(passed: int) -> None:
    job = waiting_job(start_epoch=passed)
    session = queued(job)
    session.estimate_epoch = passed
    assert news(session, view_of(job))["waiting"]["expected_start_epoch"] is None


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.QUEUED])
def test_who_is_not_in_the_queue_does_not_wait(phase: Phase) -> None:
    session = Session(request=REQUEST, token_id=5, begun_epoch=900.0, phase=phase, says="It is over.")
    assert news(session, view_of(waiting_job()))["waiting"] is None


def test_the_timeline_has_the_phases_that_were_reached() -> None:
    session = queued(waiting_job())
    session.observe(replace(JOB, start_epoch=None), view_of(JOB), HUB)
    session.become_ready()
    line = news(session, view_of(JOB))["timeline"]
    assert [each["phase"] for each in line] == ["submitted", "queued", "starting", "ready"]
    assert line[0]["epoch"] == 900.0
    assert line[1]["epoch"] <= line[2]["epoch"] <= line[3]["epoch"] <= time.time()


def test_a_session_of_an_older_version_has_a_timeline_too() -> None:
    stored = Session(request=REQUEST, token_id=5, begun_epoch=900.0, phase=Phase.READY).as_dict()
    del stored["reached"], stored["estimate_epoch"]
    assert news(Session.from_dict(stored), None)["timeline"] == [{"phase": "submitted", "epoch": 900.0}]


def test_the_timeline_outlives_the_hub() -> None:
    session = queued(waiting_job())
    again = Session.from_dict(json.loads(json.dumps(session.as_dict())))
    assert news(again, None)["timeline"] == news(session, None)["timeline"]


def test_the_sentence_is_whole() -> None:
    job = waiting_job()
    told = news(queued(job), view_of(job))
    assert told["sentence"] == "Job 17 waits on leonardo. Jobs with a higher priority are before it. Place 2 of 2."


def test_the_sentence_is_in_the_reader_s_language() -> None:
    job = waiting_job()
    told = news(queued(job), view_of(job, silent_since_epoch=1001.0), ITALIAN)
    assert told["sentence"] == (
        "Il job 17 aspetta su leonardo. Prima ci sono job con una priorità più alta. Posto 2 di 2. "
        "Slurm su leonardo al momento non risponde; non si perde nulla."
    )


def test_the_end_is_told_in_the_reader_s_language() -> None:
    session = queued(waiting_job())
    session.end(Ending.TIME_LIMIT)
    assert public(session, language="it")["message"] == ITALIAN(
        "The time that was asked for ({minutes} min) is over. Start again, with more time if needed."
    ).format(minutes=REQUEST.minutes)
    assert public(session)["message"] == session.says == sentence(session, None, None)


def test_the_end_that_an_older_version_stored_stays_as_it_was_said() -> None:
    session = Session(
        request=REQUEST, token_id=0, begun_epoch=1.0, phase=Phase.ENDED, ending=Ending.STOPPED, says="It was stopped."
    )
    assert public(session, language="it")["message"] == "It was stopped."


def test_the_age_of_the_news_is_told() -> None:
    job = waiting_job()
    told = news(queued(job), view_of(job, silent_since_epoch=1001.0))
    assert told["cluster_says"] == {"taken_epoch": 1000.0, "silent_since_epoch": 1001.0}
    assert news(queued(job), None)["cluster_says"] == {"taken_epoch": None, "silent_since_epoch": None}


def test_an_event_has_all_of_it_and_can_be_sent() -> None:
    job = waiting_job(start_epoch=SOON)
    session, view = queued(job), view_of(job)
    told = event(session, {"leonardo": view})
    common = news(session, view)
    assert told["message"] == common.pop("sentence")
    assert {key: told[key] for key in common} == common
    assert json.loads(json.dumps(told))["phase"] == "queued"


def test_before_there_is_a_session_there_is_an_event() -> None:
    assert event(None, {}) == {"progress": 5, "message": "The choice is being checked."}


@pytest.mark.parametrize(
    ("changes", "worth_it"),
    [
        ({"taken_epoch": 1001.0}, False),
        ({"silent_since_epoch": 1001.0}, True),
        ({"queue": ()}, True),
        ({"jobs": {"17": waiting_job(start_epoch=SOON)}}, True),
    ],
)
def test_an_event_is_sent_when_something_has_changed(changes: dict[str, Any], worth_it: bool) -> None:
    job = waiting_job()
    session = queued(job)
    before = event(session, {"leonardo": view_of(job)})
    assert is_news(before, None)
    assert is_news(event(session, {"leonardo": view_of(job, **changes)}), before) == worth_it
