"""When Slurm is asked for an expected start: seldom, and only where the answer could help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hpchub.errors import LauncherError
from hpchub.jobs.session import Phase, Session
from hpchub.slurm.model import ClusterView, JobState
from spawners.estimate import AGAIN_SECONDS, PLAN_SECONDS, Estimate
from spawners.signal import Signal
from tests.unit.data.job_request import JOB, REQUEST

SOON = int(time.time()) + 3600
WAITING = replace(JOB, state=JobState.PENDING, slurm_state="PENDING", reason="Priority")


class Owner:
    """What an estimate needs of a spawner: a session that has waited long enough, its cluster, and a launcher."""

    def __init__(self, answer: Any = SOON) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []
        self.signal = Signal()
        self.session = Session(request=REQUEST, token_id=5, begun_epoch=0, phase=Phase.QUEUED, job_id="17")
        self.session.reason = "Priority"
        self.session.reached = {"queued": time.time() - PLAN_SECONDS}
        self.watcher = SimpleNamespace(view=ClusterView("leonardo", jobs={"17": WAITING}))
        self.engine = SimpleNamespace(keep=self.keep, launcher=self, started_epoch=0.0)
        self.kept: list[asyncio.Task[Any]] = []

    def keep(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self.kept.append(asyncio.get_running_loop().create_task(work, name=name))

    async def expected_start(self, *question: str) -> int | None:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: int | None = self.answer
        return answer

    async def consider(self, estimate: Estimate) -> None:
        estimate.consider()
        await asyncio.gather(*self.kept)


async def test_a_job_without_a_plan_is_asked_about() -> None:
    owner = Owner()
    await owner.consider(Estimate(owner))
    assert owner.session.estimate_epoch == SOON
    (user, cluster, session_id, job_script) = owner.asked[0]
    assert (user, cluster, session_id) == ("ada", "leonardo", REQUEST.session_id)
    assert job_script.startswith("#!/bin/bash\n")


async def test_once_a_minute_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner()
    estimate = Estimate(owner)
    for _ in range(3):
        await owner.consider(estimate)
    assert len(owner.asked) == 1
    later = time.time() + AGAIN_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    await owner.consider(estimate)
    assert len(owner.asked) == 2


async def test_nothing_more_is_asked_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner()
    estimate = Estimate(owner)
    estimate.consider()
    later = time.time() + AGAIN_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    estimate.consider()
    await asyncio.gather(*owner.kept)
    assert len(owner.asked) == 1


@pytest.mark.parametrize("answer", [None, LauncherError("the door is closed")])
async def test_no_answer_takes_the_last_estimate_back(answer: Any) -> None:
    owner = Owner(answer)
    owner.session.estimate_epoch = SOON
    await owner.consider(Estimate(owner))
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
    owner = Owner()
    change(owner)
    await owner.consider(Estimate(owner))
    assert owner.asked == []
