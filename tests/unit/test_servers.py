"""What the pages say about a server and its session."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Session
from hpchub.pages.servers import Card, card, waiting
from hpchub.slurm.model import ClusterView, Job, JobState, QueuedJob
from hpchub.text import Speech
from tests.unit.data.job_request import REQUEST
from tests.unit.data.world import VIEWS, demo_catalogue

ON_LEONARDO = REQUEST.model_copy(update={"cluster": "leonardo", "partition": "boost_usr_prod"})


def session(phase: Phase = Phase.READY, **fields: object) -> Session:
    made = Session(request=ON_LEONARDO, token_id=1, begun_epoch=1000.0, phase=phase, job_id="7", node="lrdn0001")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def drawn(
    of: Session | None = None,
    views: Mapping[str, ClusterView] = VIEWS,
    language: str = "en",
    name: str = "",
    display_name: str = "",
    active: bool = True,
    pending: str | None = None,
) -> Card:
    spawner = SimpleNamespace(session=of, name=name, display_name=display_name, active=active, pending=pending)
    return card(spawner, demo_catalogue(), views, Speech(language))


def running_until(epoch: float) -> dict[str, ClusterView]:
    job = Job("7", "ada", JobState.RUNNING, "RUNNING", "", "lrdn0001", "a", "p", "q", "", end_epoch=int(epoch))
    return {**VIEWS, "leonardo": replace(VIEWS["leonardo"], jobs={"7": job})}


def test_a_running_server_says_what_it_is_where_and_how_long() -> None:
    shown = drawn(session(), running_until(time.time() + 7230))
    assert (shown.state, shown.word) == ("running", "Running")
    assert shown.what == "Remote sensing, 1 × NVIDIA A100 64 GB"
    assert shown.where == "Leonardo (demo), lrdn0001"
    assert shown.minutes_left == 120


def test_time_that_is_over_is_none_left() -> None:
    assert drawn(session(), running_until(time.time() - 30)).minutes_left == 0


@pytest.mark.parametrize(
    ("phase", "word"),
    [(Phase.SUBMITTED, "Inviata"), (Phase.QUEUED, "In coda"), (Phase.STARTING, "In avvio")],
)
def test_a_waiting_server_says_its_step(phase: Phase, word: str) -> None:
    shown = drawn(session(phase), language="it")
    assert (shown.state, shown.word) == ("waiting", word)
    assert shown.minutes_left is None


@pytest.mark.parametrize(
    ("of", "active", "pending", "state"),
    [
        (None, False, None, "stopped"),
        (None, True, "spawn", "waiting"),
        (session(), True, "stop", "stopping"),
        (session(Phase.ENDING), True, None, "stopping"),
        (session(Phase.ENDED), False, None, "stopped"),
    ],
)
def test_the_state_of_a_server(of: Session | None, active: bool, pending: str | None, state: str) -> None:
    assert drawn(of, active=active, pending=pending).state == state


def test_a_stopped_server_says_why_its_last_session_ended() -> None:
    ended = session()
    ended.end(Ending.STOPPED)
    assert drawn(ended, active=False).says == "The session was stopped."
    assert drawn(ended, active=False, language="it").says == "La sessione è stata fermata."


@pytest.mark.parametrize(
    ("name", "display_name", "title"),
    [("", "", "Notebook"), ("", "Mine", "Mine"), ("second", "", "second"), ("second", "The second", "The second")],
)
def test_a_server_is_called_what_its_person_calls_it(name: str, display_name: str, title: str) -> None:
    assert drawn(name=name, display_name=display_name, active=False).title == title


def test_a_profile_that_is_gone_is_called_by_its_slug() -> None:
    gone = session(request=ON_LEONARDO.model_copy(update={"profile": "gone/gone", "cluster": "gone", "gpu_type": "h9"}))
    assert (drawn(gone).what, drawn(gone).where) == ("gone/gone, 1 × h9", "gone, lrdn0001")


def test_before_there_is_a_session_the_choice_is_being_checked() -> None:
    told = waiting(None, VIEWS, "en")
    assert told.sentence == "The choice is being checked."
    assert [step.state for step in told.steps] == ["now", "todo", "todo", "todo"]


def test_a_queued_session_has_a_reason_a_place_and_an_expected_start() -> None:
    soon = int(time.time()) + 600
    job = Job("7", "ada", JobState.PENDING, "PENDING", "Resources", None, "a", "p", "q", "", start_epoch=soon)
    queue = tuple(QueuedJob(job_id, 10, "Resources", frozenset({"boost_usr_prod"})) for job_id in ("6", "7", "8"))
    view = replace(VIEWS["leonardo"], jobs={"7": job}, queue=queue, queue_epoch=123.0)
    waits = session(Phase.QUEUED, reason="Resources", reached={"queued": 1005.0})
    told = waiting(waits, {"leonardo": view}, "it")
    assert told.heading == "Il tuo notebook è in coda"
    assert told.sentence == "È tra le prossime; quello che le serve al momento è occupato."
    assert (told.position, told.of, told.code) == (2, 3, "Resources")
    assert (told.expected_epoch, told.told_epoch) == (soon, 123.0)
    assert [(step.title, step.state, step.epoch) for step in told.steps] == [
        ("Inviata", "done", 1000.0),
        ("In coda", "now", 1005.0),
        ("In avvio", "todo", None),
        ("In apertura", "todo", None),
    ]


def test_a_session_that_ends_before_it_is_ready_is_not_called_on_its_way() -> None:
    ended = session(Phase.STARTING, reached={"queued": 1005.0, "starting": 1010.0})
    ended.end(Ending.SERVER_EXITED)
    told = waiting(ended, VIEWS, "en")
    assert (told.heading, told.title) == ("Your notebook has ended", "Your notebook has ended")
    assert [step.state for step in told.steps] == ["done", "done", "done", "todo"]


def test_slurms_silence_is_told_by_itself() -> None:
    view = replace(VIEWS["leonardo"], silent_since_epoch=5.0)
    for phase in (Phase.QUEUED, Phase.STARTING):
        told = waiting(session(phase), {"leonardo": view}, "en")
        assert told.silent_since_epoch == 5.0
        assert "not answer" not in told.sentence  # it is said once
