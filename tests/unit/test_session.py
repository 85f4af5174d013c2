"""A session goes forward only, by what Slurm says and by what its job reports."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hpchub.jobs import exits
from hpchub.jobs.endings import Ending
from hpchub.jobs.request import job_comment
from hpchub.jobs.session import ORDER, Phase, Report, ReportConflict, Session
from hpchub.slurm.model import ClusterView, Job, JobState, Node
from tests.unit.data.job_request import FIELDS, JOB, REQUEST, SESSION_ID, request

HUB = "http://127.0.0.1:8081/hub"
NODE = Node("lrdn0001", "10.0.0.1", frozenset({"boost_usr_prod"}), True, 32, 8, 494_000, 0)
VIEW = ClusterView("leonardo", nodes=(NODE,))
WORDS = {
    JobState.PENDING: "PENDING",
    JobState.RUNNING: "RUNNING",
    JobState.ENDING: "COMPLETING",
    JobState.ENDED: "TIMEOUT",
    JobState.UNKNOWN: "NEW_WORD",
}


def session(phase: Phase = Phase.SUBMITTED, **values: Any) -> Session:
    return Session(request=REQUEST, token_id=5, begun_epoch=1000.0, phase=phase, **values)


def job(state: JobState, **changes: Any) -> Job:
    node = JOB.node if state is not JobState.PENDING else None
    return replace(JOB, **{"state": state, "slurm_state": WORDS[state], "node": node, **changes})


S, Q, T, R, N, E = Phase
SEEN = {
    # phase: after PENDING, RUNNING, ENDING, ENDED, UNKNOWN
    S: (Q, T, N, E, S),
    Q: (Q, T, N, E, Q),
    T: (T, T, N, E, T),
    R: (R, R, N, E, R),
    N: (N, N, N, E, N),
    E: (E, E, E, E, E),
}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("phase", Phase)
def test_a_phase_only_goes_forward_whatever_slurm_says(phase: Phase, state: JobState) -> None:
    mine = session(phase)
    mine.observe(job(state), VIEW, HUB)
    assert mine.phase is SEEN[phase][list(JobState).index(state)]
    assert ORDER[mine.phase] >= ORDER[phase]


@pytest.mark.parametrize("state", JobState)
def test_the_same_news_twice_is_no_news(state: JobState) -> None:
    mine = session()
    assert mine.observe(job(state, reason="Priority"), VIEW, HUB)  # at least the job id is new
    assert not mine.observe(job(state, reason="Priority"), VIEW, HUB)


def test_a_waiting_job_tells_its_reason_and_a_running_one_has_none() -> None:
    mine = session()
    mine.observe(job(JobState.PENDING, reason="Priority"), VIEW, HUB)
    assert (mine.phase, mine.reason, mine.job_id) == (Phase.QUEUED, "Priority", "17")
    assert mine.observe(job(JobState.PENDING, reason="Resources"), VIEW, HUB)
    assert mine.reason == "Resources"
    mine.observe(JOB, VIEW, HUB)
    assert mine.reason == ""


def test_a_running_job_has_the_address_that_slurm_gives_its_node() -> None:
    mine = session()
    assert mine.observe(JOB, VIEW, HUB)
    assert (mine.node, mine.address) == ("lrdn0001", "10.0.0.1")
    assert mine.runs_since_epoch > mine.begun_epoch


def test_an_unlisted_node_is_reached_by_its_name() -> None:
    mine = session()
    mine.observe(replace(JOB, node="lrdn0099"), VIEW, HUB)
    assert mine.address == "lrdn0099"


def test_a_ready_server_keeps_its_address() -> None:
    mine = session(Phase.READY, node="lrdn0001", address="10.0.0.1")
    mine.observe(replace(JOB, node="lrdn0002"), VIEW, HUB)
    assert (mine.node, mine.address) == ("lrdn0001", "10.0.0.1")


def test_the_end_that_slurm_tells_is_said_with_what_is_known() -> None:
    mine = session(Phase.STARTING, job_id="17", node="lrdn0001")
    assert mine.observe(job(JobState.ENDED, slurm_state="NODE_FAIL", node=None), VIEW, HUB)
    assert (mine.phase, mine.ending) == (Phase.ENDED, Ending.NODE_FAILURE)
    assert mine.says.startswith("The compute node lrdn0001 failed.")
    assert mine.ended_epoch > mine.begun_epoch


@pytest.mark.parametrize("later", Ending)
def test_the_first_reason_of_an_end_stays(later: Ending) -> None:
    mine = session()
    mine.end(Ending.TIME_LIMIT)
    before = mine.as_dict()
    mine.end(later, detail="later")
    assert not mine.observe(job(JobState.ENDED, slurm_state="NODE_FAIL"), VIEW, HUB)
    assert mine.as_dict() == before


@pytest.mark.parametrize(
    ("told", "ending"),
    [
        (Ending.CANCELLED, Ending.STOPPED),
        (Ending.JOB_FAILED, Ending.STOPPED),
        (Ending.STOP_OWED, Ending.STOP_OWED),
    ],
)
def test_after_a_stop_what_slurm_says_is_our_own_doing(told: Ending, ending: Ending) -> None:
    mine = session(Phase.READY, stop_asked=True)
    mine.end(told)
    assert mine.ending is ending


def test_a_first_report_may_be_repeated() -> None:
    # a hub that was killed may have taken it in before its answer
    mine = session(Phase.STARTING)
    assert mine.accept(Report(phase="starting"))
    assert not mine.accept(Report(phase="starting"))
    assert mine.phase is Phase.STARTING


def test_the_time_of_completing_is_that_of_its_first_sight() -> None:
    mine = session(Phase.READY)
    mine.observe(job(JobState.ENDING), VIEW, HUB)
    first = mine.ending_since_epoch
    mine.observe(job(JobState.ENDING), VIEW, HUB)
    assert first > 0 and mine.ending_since_epoch == first


STARTING, READY = Report(phase="starting"), Report(phase="ready", port=40_001)
FAILED, OVER = Report(phase="failed", message="Traceback: disk full"), Report(phase="ended")
TOLD = {
    # phase: after starting, ready (the hub has yet to reach it), failed, ended (Slurm has yet to say why)
    S: (T, S, N, N),
    Q: (T, Q, N, N),
    T: (T, T, N, N),
    R: (R, R, N, N),
    N: (N, N, N, N),
}
REPORTS = [STARTING, READY, FAILED, OVER]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.phase)
@pytest.mark.parametrize("phase", TOLD)
def test_what_a_report_does_in_each_phase(phase: Phase, report: Report) -> None:
    mine = session(phase)
    assert mine.accept(report)
    assert mine.phase is TOLD[phase][REPORTS.index(report)]
    assert mine.contacted
    assert mine.port == (report.port or 0)


@pytest.mark.parametrize("report", [STARTING, READY, FAILED], ids=lambda report: report.phase)
def test_a_report_after_the_end_conflicts(report: Report) -> None:
    mine = session()
    mine.end(Ending.STOPPED)
    before = mine.as_dict()
    with pytest.raises(ReportConflict, match="this session is over"):
        mine.accept(report)
    assert mine.as_dict() == before


def test_a_port_is_told_once() -> None:
    mine = session(Phase.STARTING)
    mine.accept(READY)
    assert not mine.accept(READY)  # the same report again, because its answer was lost
    with pytest.raises(ReportConflict, match="another port already"):
        mine.accept(Report(phase="ready", port=40_002))
    assert mine.port == 40_001


def test_a_failure_keeps_the_end_of_the_log() -> None:
    mine = session(Phase.STARTING)
    mine.accept(FAILED)
    assert mine.log_tail == "Traceback: disk full"


@pytest.mark.parametrize(
    ("report", "state", "exit_status", "ending"),
    [
        pytest.param(FAILED, "FAILED", exits.SERVER_EXITED, Ending.SERVER_EXITED, id="an error of the server"),
        pytest.param(FAILED, "OUT_OF_MEMORY", None, Ending.OUT_OF_MEMORY, id="killed for its memory"),
        pytest.param(OVER, "COMPLETED", 0, Ending.FINISHED, id="shut down from inside"),
        pytest.param(OVER, "CANCELLED", None, Ending.CANCELLED, id="cancelled by hand"),
        pytest.param(OVER, "TIMEOUT", None, Ending.TIME_LIMIT, id="time over"),
    ],
)
def test_the_job_tells_the_end_and_slurm_the_reason(
    report: Report, state: str, exit_status: int | None, ending: Ending
) -> None:
    mine = session(Phase.READY)
    mine.accept(report)
    mine.observe(job(JobState.ENDED, slurm_state=state, exit_status=exit_status), VIEW, HUB)
    assert mine.ending is ending


@pytest.mark.parametrize(("report", "ending"), [(FAILED, Ending.SERVER_EXITED), (OVER, Ending.JOB_FAILED)])
def test_without_a_word_of_slurm_the_job_s_own_counts(report: Report, ending: Ending) -> None:
    mine = session(Phase.READY)
    mine.accept(report)
    mine.end_without_a_reason()
    assert mine.ending is ending


def test_the_end_that_an_ended_session_reports_is_no_news() -> None:
    mine = session()
    mine.end(Ending.STOPPED)
    assert not mine.accept(OVER)


def test_a_field_of_another_version_is_left_out() -> None:
    stored = session(Phase.READY).as_dict()
    newer = {**stored, "colour": "blue", "request": {**stored["request"], "flavour": "mint"}}
    assert Session.from_dict(newer).as_dict() == stored


def after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: now)


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("AssocGrpBillingMinutes", Ending.BUDGET_SPENT),
        ("AssocGrpCPUMinutesLimit", Ending.BUDGET_SPENT),
        ("QOSMaxWallDurationPerJobLimit", Ending.QOS_LIMIT),
        ("PartitionTimeLimit", Ending.QOS_LIMIT),
    ],
)
def test_a_job_that_can_never_start_ends_the_session(
    reason: str, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = session()
    assert mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
    after(2, monkeypatch)
    assert not mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
    assert mine.phase is Phase.QUEUED
    after(2, monkeypatch)
    assert mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
    assert mine.ending is ending


def test_a_reason_that_flickers_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = session()
    for reason in ("AssocGrpBillingMinutes", "Priority", "AssocGrpBillingMinutes", "Resources"):
        mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
        after(60, monkeypatch)
    assert mine.phase is Phase.QUEUED


@pytest.mark.parametrize("reason", ["AssocMaxJobsLimit", "QOSMaxGRESPerUser", "BadConstraints", "NewCode", ""])
def test_what_ends_by_itself_or_by_somebody_s_help_is_waited_for(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = session()
    mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
    after(3600, monkeypatch)
    mine.observe(job(JobState.PENDING, reason=reason), VIEW, HUB)
    assert mine.phase is Phase.QUEUED


def test_a_job_that_has_run_and_waits_again_was_requeued() -> None:
    mine = session()
    mine.observe(JOB, VIEW, HUB)
    mine.accept(Report(phase="ready", port=40_001))
    mine.become_ready()
    assert mine.observe(job(JobState.PENDING, reason="BeginTime"), VIEW, HUB)
    assert mine.ending is Ending.REQUEUED


def test_a_job_that_has_started_anew_was_requeued() -> None:
    mine = session()
    mine.observe(replace(JOB, start_epoch=1000), VIEW, HUB)
    assert not mine.observe(replace(JOB, start_epoch=1000), VIEW, HUB)
    assert mine.observe(replace(JOB, start_epoch=1060), VIEW, HUB)
    assert mine.ending is Ending.REQUEUED


def test_a_job_whose_second_run_has_ended_already_was_requeued() -> None:
    mine = session()
    mine.observe(replace(JOB, start_epoch=1000), VIEW, HUB)
    # the second run heard from the hub that nobody wants it
    second = job(JobState.ENDED, slurm_state="FAILED", exit_status=exits.NOT_WANTED, start_epoch=1060)
    assert mine.observe(second, VIEW, HUB)
    assert mine.ending is Ending.REQUEUED


def test_news_of_a_waiting_job_that_are_older_than_its_own_end_nothing() -> None:
    mine = session()
    mine.accept(Report(phase="starting"))
    mine.observe(job(JobState.PENDING, reason="Priority"), VIEW, HUB)
    assert mine.phase is Phase.STARTING


def test_who_cancelled_is_learned_later_and_told_once() -> None:
    mine = session()
    mine.observe(job(JobState.ENDED, slurm_state="CANCELLED"), VIEW, HUB)
    record = job(JobState.ENDED, slurm_state="CANCELLED by 0", user_id=1001)
    assert not mine.learn_who_cancelled(replace(record, slurm_state="CANCELLED"))
    assert mine.learn_who_cancelled(record)
    assert (mine.ending, "by an administrator" in mine.says) == (Ending.CANCELLED, True)
    assert not mine.learn_who_cancelled(record)
    stopped = session()
    stopped.end(Ending.STOPPED)
    assert not stopped.learn_who_cancelled(record)


def test_a_log_explains_an_end_that_slurm_does_not() -> None:
    mine = session()
    mine.observe(job(JobState.ENDED, slurm_state="FAILED"), VIEW, HUB)
    mine.take_log("hello\nslurmstepd-serial0001: error: StepId=1.batch exceeded memory limit (2 > 1), being killed\n")
    assert (mine.ending, mine.log_tail[:5]) == (Ending.OUT_OF_MEMORY, "hello")
    assert "memory" in mine.says
    other = session()
    other.end(Ending.SERVER_EXITED)
    other.take_log("exceeded memory limit (")
    assert (other.ending, other.log_tail) == (Ending.SERVER_EXITED, "exceeded memory limit (")


@pytest.mark.parametrize("phase", Phase)
def test_becoming_ready_does_not_revive(phase: Phase) -> None:
    mine = session(phase)
    mine.become_ready()
    assert mine.phase is (phase if phase in (Phase.ENDING, Phase.ENDED) else Phase.READY)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"phase": "ready"}', "port belongs to the phase ready"),
        ('{"phase": "ready", "port": 1023}', "greater than or equal to 1024"),
        ('{"phase": "ready", "port": 65536}', "less than or equal to 65535"),
        ('{"phase": "ready", "port": "40001"}', "valid integer"),
        ('{"phase": "ready", "port": 40001.0}', "valid integer"),
        ('{"phase": "ready", "port": true}', "valid integer"),
        ('{"phase": "ready", "port": 40001, "message": "x"}', "message belongs to the phase failed"),
        ('{"phase": "starting", "port": 40001}', "port belongs to the phase ready"),
        ('{"phase": "failed", "port": 40001}', "port belongs to the phase ready"),
        ('{"phase": "queued"}', "'starting', 'ready', 'failed' or 'ended'"),
        ('{"phase": "starting", "node": "lrdn0001"}', "Extra inputs"),
        ('{"phase": "starting", "cmd": ["sh"]}', "Extra inputs"),
        ('{"phase": "failed", "message": "%s"}' % ("x" * 8001), "at most 8000 characters"),
        ('{"phase": "failed", "message": ["x"]}', "valid string"),
        ("{}", "Field required"),
        ("[]", "should be an object"),
        ("null", "should be an object"),
        ("", "EOF"),
        ("\x00", "expected value"),
    ],
)
def test_a_report_has_these_fields_and_no_others(body: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Report.model_validate_json(body)


def test_a_job_is_found_by_its_id_and_by_nothing_else_once_it_has_one() -> None:
    other = replace(JOB, job_id="18")
    assert session(job_id="17").mine_among(replace(VIEW, jobs={"17": JOB, "18": other})) is JOB
    assert session(job_id="17").mine_among(replace(VIEW, jobs={"18": other})) is None


@pytest.mark.parametrize(
    ("changes", "mine"),
    [
        pytest.param({}, True, id="the session's own comment and user"),
        pytest.param({"user": "bruno"}, False, id="another user's job with the same comment"),
        pytest.param({"comment": ""}, False, id="no comment"),
        pytest.param({"comment": "hpchub=1"}, False, id="half a comment"),
        pytest.param({"comment": job_comment("demo", "ada", "", "f" * 32)}, False, id="another session"),
    ],
)
def test_a_lost_job_is_found_by_its_comment(changes: dict[str, Any], mine: bool) -> None:
    found = session().mine_among(replace(VIEW, jobs={"17": replace(JOB, **changes)}))
    assert (found is not None) is mine


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EPOCHS = st.floats(0, 4e9)
SESSIONS = st.builds(
    Session,
    request=st.builds(request, server_name=TEXTS, profile=TEXTS, minutes=st.integers(1, 1440)),
    token_id=st.integers(0, 2**31),
    begun_epoch=EPOCHS,
    begun_by=TEXTS,
    phase=st.sampled_from(Phase),
    job_id=st.from_regex(r"[0-9]{0,9}", fullmatch=True),
    reason=TEXTS,
    node=TEXTS,
    address=TEXTS,
    port=st.integers(0, 65_535),
    runs_since_epoch=EPOCHS,
    contacted=st.booleans(),
    ending_since_epoch=EPOCHS,
    ending=st.none() | st.sampled_from(Ending),
    says=TEXTS,
    log_tail=TEXTS,
    ended_epoch=EPOCHS,
)


@settings(derandomize=True, database=None, max_examples=300)
@given(SESSIONS)
def test_what_is_stored_is_taken_up_again_unchanged(stored: Session) -> None:
    text = json.dumps(stored.as_dict())
    again = Session.from_dict(json.loads(text))
    assert again == stored
    assert isinstance(again.phase, Phase) and (again.ending is None or isinstance(again.ending, Ending))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"request": None},
        {"request": FIELDS, "phase": "ready"},
        {"request": FIELDS, "token_id": 1, "begun_epoch": 1, "phase": "no phase"},
        {"request": FIELDS, "token_id": 1, "begun_epoch": 1, "phase": "ready", "ending": "no ending"},
        {"request": {**FIELDS, "user": "-x"}, "token_id": 1, "begun_epoch": 1, "phase": "ready"},
        {"child_conf": {}, "job_id": "12"},
    ],
    ids=str,
)
def test_what_something_else_has_stored_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Session.from_dict(values)


def test_a_session_has_the_id_of_its_request() -> None:
    assert session().id == SESSION_ID
