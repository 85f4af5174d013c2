"""When Slurm is asked for an expected start: seldom, once for all who want to know the same, where it could help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hpchub.catalogue.site import Watching
from hpchub.errors import LauncherError
from hpchub.jobs.estimates import AGAIN_SECONDS, Answer, Estimates
from hpchub.jobs.request import JobRequest
from hpchub.jobs.session import Phase, Session
from hpchub.signal import Signal
from hpchub.slurm.model import ClusterView, JobState
from spawners import estimate
from spawners.estimate import PLAN_SECONDS
from tests.unit.data.job_request import JOB, REQUEST

SOON = int(time.time()) + 3600
WAITING = replace(JOB, state=JobState.PENDING, slurm_state="PENDING", reason="Priority")


class Door:
    """Stands for the launcher: gives one answer, and keeps the questions."""

    def __init__(self, answer: Any = SOON) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []

    async def expected_start(self, *question: str) -> int | None:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: int | None = self.answer
        return answer


class Owner:
    """What an estimate needs of a spawner: a session that has waited long enough, its cluster, and an engine."""

    def __init__(self, door: Door) -> None:
        self.signal = Signal()
        self.session = Session(request=REQUEST, token_id=5, begun_epoch=0, phase=Phase.QUEUED, job_id="17")
        self.session.reason = "Priority"
        self.session.reached = {"queued": time.time() - PLAN_SECONDS}
        self.watcher = SimpleNamespace(view=ClusterView("leonardo", jobs={"17": WAITING}))
        self.engine = SimpleNamespace(
            keep=self.keep,
            estimates=Estimates(door),  # type: ignore[arg-type]
            watching=lambda _: Watching(),
            started_epoch=0.0,
        )
        self.kept: list[asyncio.Task[Any]] = []

    def keep(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self.kept.append(asyncio.get_running_loop().create_task(work, name=name))

    async def consider(self) -> None:
        """Consider twice, as a session that waits does again and again."""
        estimate.consider(self)
        await asyncio.gather(*self.kept)
        estimate.consider(self)


async def test_a_job_without_a_plan_is_asked_about() -> None:
    owner = Owner(door := Door())
    await owner.consider()
    assert owner.session.estimate_epoch == SOON
    (user, cluster, session_id, job_script) = door.asked[0]
    assert (user, cluster, session_id) == ("ada", "leonardo", REQUEST.session_id)
    assert job_script.startswith("#!/bin/bash\n")


async def test_once_a_minute_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(door := Door())
    for _ in range(3):
        await owner.consider()
    assert len(door.asked) == 1
    later = time.time() + AGAIN_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    await owner.consider()
    assert len(door.asked) == 2


@pytest.mark.parametrize("answer", [None, LauncherError("the door is closed")])
async def test_no_answer_takes_the_last_estimate_back(answer: Any) -> None:
    owner = Owner(Door(answer))
    owner.session.estimate_epoch = SOON
    await owner.consider()
    assert owner.session.estimate_epoch == 0


def planned(owner: Owner) -> None:
    owner.watcher.view = ClusterView("leonardo", jobs={"17": replace(WAITING, start_epoch=SOON)})


def silent(owner: Owner) -> None:
    owner.watcher.view = replace(owner.watcher.view, silent_since_epoch=1.0)


def at_its_limit(owner: Owner) -> None:
    owner.session.reason = "QOSMaxJobsPerUserLimit"


def just_queued(owner: Owner) -> None:
    owner.session.reached = {"queued": time.time()}


def just_taken_up(owner: Owner) -> None:
    owner.engine.started_epoch = time.time()


def started(owner: Owner) -> None:
    owner.session.phase = Phase.STARTING


@pytest.mark.parametrize("change", [planned, silent, at_its_limit, just_queued, just_taken_up, started])
async def test_where_it_could_not_help_nothing_is_asked(change: Any) -> None:
    owner = Owner(door := Door())
    change(owner)
    await owner.consider()
    assert door.asked == []


# Many who wait


def request(user: str, **different: Any) -> JobRequest:
    return REQUEST.model_copy(update={"user": user, **different})


async def asked_at(estimates: Estimates, now: float, *waiting: JobRequest, a_minute: int = 60) -> list[JobRequest]:
    """Let everybody who waits want to know at one moment; give what was asked about."""
    due = [each for want in waiting if (each := estimates.due(want, a_minute, now)) is not None]
    for each in due:
        await estimates.ask(each)
    return due


async def test_a_hundred_who_wait_for_the_same_are_one_question() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    room = [request(f"seat{number:02}") for number in range(100)]
    assert await asked_at(estimates, 1000, *room) == room[:1]
    assert await asked_at(estimates, 1000 + AGAIN_SECONDS - 1, *room) == []
    assert {estimates.told(each) for each in room} == {SOON}


@pytest.mark.parametrize("field", ["partition", "account", "qos", "minutes", "cores", "gpus"])
async def test_what_decides_the_start_is_a_question_of_its_own(field: str) -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    other = request("bruno", **{field: 2 if field in ("minutes", "cores", "gpus") else "other"})
    assert await asked_at(estimates, 1000, request("ada")) == [request("ada")]
    assert estimates.told(other) == 0
    assert await asked_at(estimates, 1001, other) == [other]


async def test_a_cluster_is_asked_so_often_and_everybody_in_turn() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    room = [request("ada", minutes=minutes) for minutes in range(1, 11)]
    asked = []
    for second in range(200):
        asked += await asked_at(estimates, 1000 + second, *room, a_minute=3)
    assert [each.minutes for each in asked] == list(range(1, 11))


async def test_nothing_more_is_asked_of_a_cluster_before_it_has_answered() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    assert estimates.due(request("ada"), 60, 1000) is not None
    assert estimates.due(request("ada", minutes=1), 60, 2000) is None
    other = request("ada", cluster="it4lia")
    assert estimates.due(other, 60, 2000) == other


async def test_what_nobody_wants_to_know_any_more_is_forgotten() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    await asked_at(estimates, 1000, request("ada"))
    await asked_at(estimates, 1000 + 24 * 3600, request("ada", minutes=1))
    assert estimates.told(request("ada")) == 0


# Some who wait, and some who only look


async def test_who_waits_comes_before_who_looks() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    await asked_at(estimates, 1000, request("ada"), a_minute=3)
    looks, waits = request("bruno", minutes=1), request("carla", minutes=2)
    assert estimates.due(looks, 3, 1001, looks=True) is None
    assert estimates.due(waits, 3, 1002) is None
    assert await asked_at(estimates, 1030, waits) == [waits]
    assert estimates.due(looks, 3, 1060, looks=True) == looks


async def test_those_who_look_share_the_limit_and_take_turns() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    room = [request("ada", minutes=minutes) for minutes in range(1, 5)]
    asked = []
    for second in range(0, 80, 5):
        due = [estimates.due(each, 3, 1000 + second, looks=True) for each in room]
        for each in filter(None, due):
            await estimates.ask(each)
            asked.append(each.minutes)
    assert asked == [1, 2, 3, 4]


async def test_what_nobody_looks_at_any_more_is_not_asked() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    await asked_at(estimates, 1000, request("ada"), a_minute=3)
    for minutes in range(1, 10):
        estimates.due(request("ada", minutes=minutes), 3, 1001, looks=True)
    last = request("ada", minutes=10)
    assert estimates.due(last, 3, 1060, looks=True) == last


async def test_who_begins_to_wait_for_what_they_looked_at_is_asked_about_once() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    await asked_at(estimates, 1000, request("ada"))
    wanted = request("bruno", minutes=1)
    assert estimates.due(wanted, 60, 1000.5, looks=True) is None
    assert await asked_at(estimates, 1002, wanted) == [wanted]
    assert estimates.due(wanted, 60, 1004, looks=True) is None


async def test_an_answer_keeps_when_it_was_told() -> None:
    estimates = Estimates(Door())  # type: ignore[arg-type]
    assert estimates.answer(request("ada")) is None
    await asked_at(estimates, 1000, request("ada"))
    assert estimates.answer(request("ada")) == Answer(SOON, 1000)
