"""The watcher: what its view holds when a cluster answers, fails, and answers again.

A scripted client stands for Slurm here, because time and failures must be controlled; the real one is watched in the
ring ``slurm``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hpchub.catalogue.site import Watching
from hpchub.errors import SlurmError, SlurmSilent
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView, Job, JobState, Node, Partition, Qos, QueuedJob, Reservation
from hpchub.slurm.watch import Watcher
from tests.unit.data.job_request import JOB

BEATS = ("busy", "waiting", "idle", "queue", "nodes", "accounts", "retry")
FAST = Watching.model_construct(None, **{f"{beat}_seconds": 0.01 for beat in BEATS})
"""Faster than a site may set it."""
FAR = 3600.0
"""Longer than any test: what happens in spite of it was not the beat."""
NODE = Node("lrdn0001", "127.0.0.1", frozenset({"boost_usr_prod"}), True, 32, 0, 494_000, 0)
QUEUED = QueuedJob("17", 1, "Priority", frozenset({"boost_usr_prod"}))
WAITING = replace(JOB, state=JobState.PENDING, slurm_state="PENDING", reason="Priority")
ENDED = replace(JOB, state=JobState.ENDED, slurm_state="TIMEOUT")


class Script(SlurmClient):
    """Answers what a test says, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__("leonardo")
        self.answers: dict[str, Any] = {
            "jobs": {"17": JOB},
            "nodes": (NODE,),
            "partitions": {"boost_usr_prod": Partition("boost_usr_prod", True, 1440)},
            "associations": {},
            "qos": {"normal": Qos("normal")},
            "reservations": (),
            "accounting": {},
            "queue": (QUEUED,),
        }
        self.asked: dict[str, int] = dict.fromkeys(self.answers, 0)
        self.accounting_asked: list[tuple[str, ...]] = []

    def given(self, what: str) -> Any:
        self.asked[what] += 1
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def jobs(self, name: str = "") -> Mapping[str, Job]:
        answer: Mapping[str, Job] = self.given("jobs")
        return answer

    async def queue(self) -> tuple[QueuedJob, ...]:
        answer: tuple[QueuedJob, ...] = self.given("queue")
        return answer

    async def nodes(self) -> tuple[Node, ...]:
        answer: tuple[Node, ...] = self.given("nodes")
        return answer

    async def partitions(self) -> Mapping[str, Partition]:
        answer: Mapping[str, Partition] = self.given("partitions")
        return answer

    async def associations(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.given("associations")
        return answer

    async def qos(self) -> Mapping[str, Qos]:
        answer: Mapping[str, Qos] = self.given("qos")
        return answer

    async def reservations(self) -> tuple[Reservation, ...]:
        answer: tuple[Reservation, ...] = self.given("reservations")
        return answer

    async def accounting(self, job_ids: Iterable[str]) -> Mapping[str, Job]:
        asked = tuple(job_ids)
        self.accounting_asked.append(asked)
        return {job_id: job for job_id, job in self.given("accounting").items() if job_id in asked}


@contextlib.asynccontextmanager
async def watching(client: Script, beat: Watching = FAST) -> AsyncIterator[Watcher]:
    """Run a watcher as long as this lasts."""
    watcher = Watcher(client, beat)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition, not only an event
            await asyncio.sleep(0.005)


async def more(client: Script, what: str, times: int = 3) -> None:
    """Wait until something was asked so many times more."""
    wanted = client.asked[what] + times
    await until(lambda: client.asked[what] >= wanted)


async def test_before_any_answer_the_view_is_empty_and_says_so() -> None:
    assert Watcher(Script()).view == ClusterView("leonardo")
    assert Watcher(Script()).view.taken_epoch is None


async def test_the_view_holds_what_the_cluster_said() -> None:
    client = Script()
    async with watching(client) as watcher:
        await watcher.first_view(20)
        view = watcher.view
        assert (view.jobs, view.nodes) == ({"17": JOB}, (NODE,))
        assert (set(view.partitions), set(view.qos)) == ({"boost_usr_prod"}, {"normal"})
        assert view.taken_epoch is not None and view.silent_since_epoch is None


@pytest.mark.parametrize("part", ["jobs", "nodes", "partitions", "associations", "qos"])
async def test_the_first_view_is_complete_only_when_all_parts_came(part: str) -> None:
    client = Script()
    answer, client.answers[part] = client.answers[part], SlurmError("not yet")
    async with watching(client) as watcher:
        await watcher.first_view(0.2)
        await more(client, part)
        assert watcher.view.taken_epoch is None
        client.answers[part] = answer
        await watcher.first_view(20)
        assert watcher.view.taken_epoch is not None


async def test_a_failure_keeps_the_last_view_and_its_age_and_says_since_when() -> None:
    client = Script()
    async with watching(client) as watcher:
        await watcher.first_view(20)
        client.answers["jobs"] = SlurmSilent("squeue gave no answer")
        await until(lambda: watcher.view.silent_since_epoch)
        silent = watcher.view
        await more(client, "jobs")
        assert watcher.view.jobs == {"17": JOB}
        assert watcher.view.taken_epoch == silent.taken_epoch
        assert watcher.view.silent_since_epoch == silent.silent_since_epoch
        client.answers["jobs"] = {}
        await until(lambda: watcher.view.silent_since_epoch is None)
        assert watcher.view.jobs == {}
        assert (watcher.view.taken_epoch or 0) > (silent.taken_epoch or 0)


async def test_nodes_and_accounts_outlive_a_failure_too() -> None:
    client = Script()
    async with watching(client) as watcher:
        await watcher.first_view(20)
        client.answers |= dict.fromkeys(("nodes", "partitions", "qos"), SlurmError("slurmdbd is down"))
        await more(client, "nodes")
        await more(client, "partitions")
        assert watcher.view.nodes == (NODE,)
        assert set(watcher.view.partitions) == {"boost_usr_prod"} and set(watcher.view.qos) == {"normal"}
        assert watcher.view.silent_since_epoch is None  # the controller speaks of jobs


async def test_somebody_who_begins_to_wait_is_not_kept_until_the_next_beat() -> None:
    client = Script()
    async with watching(client, FAST.model_copy(update={"idle_seconds": FAR})) as watcher:
        await watcher.first_view(20)
        await until(lambda: client.asked["jobs"] == 1)
        client.answers["jobs"] = {}
        with watcher.somebody_waits():
            await until(lambda: watcher.view.jobs == {})
            await more(client, "jobs")


async def test_who_only_waits_in_the_queue_is_not_asked_about_all_the_time_until_somebody_is_in_a_hurry() -> None:
    client = Script()
    async with watching(client, FAST.model_copy(update={"waiting_seconds": FAR})) as watcher:
        await watcher.first_view(20)
        with watcher.somebody_waits():
            await more(client, "nodes", 20)
            asked = client.asked["jobs"]
            await more(client, "nodes", 20)
            assert client.asked["jobs"] <= asked + 1
            watcher.hurry()
            await more(client, "jobs", 1)


async def test_a_hurry_during_a_question_gets_an_answer_of_its_own() -> None:
    client = Script()
    async with watching(client, FAST.model_copy(update={"idle_seconds": FAR})) as watcher:
        await watcher.first_view(20)
        for _ in range(5):
            asked = client.asked["jobs"]
            watcher.hurry()
            await until(lambda asked=asked: client.asked["jobs"] > asked)  # type: ignore[misc]


async def test_nobody_who_waits_any_more_means_the_slow_beat_again() -> None:
    client = Script()
    async with watching(client, FAST.model_copy(update={"idle_seconds": FAR})) as watcher:
        with watcher.somebody_waits(), watcher.somebody_waits():
            await more(client, "jobs")
        asked = client.asked["jobs"]
        await more(client, "nodes", 20)
        assert client.asked["jobs"] <= asked + 1


async def test_a_followed_job_that_is_not_listed_is_looked_up_and_its_end_is_seen() -> None:
    client = Script()
    client.answers |= {"jobs": {}, "accounting": {"17": ENDED}}
    async with watching(client) as watcher:
        watcher.follow("17")
        await until(lambda: watcher.view.jobs.get("17") == ENDED)
        await more(client, "jobs")
        assert client.accounting_asked == [("17",)]
        assert watcher.view.jobs == {"17": ENDED}


async def test_many_missing_jobs_are_few_questions() -> None:
    client = Script()
    ended = {str(number): replace(ENDED, job_id=str(number)) for number in range(700)}
    client.answers |= {"jobs": {}, "accounting": ended}
    async with watching(client) as watcher:
        for job_id in ended:
            watcher.follow(job_id)
        await until(lambda: len(watcher.view.jobs) == 700)
    assert [len(asked) for asked in client.accounting_asked] == [500, 200]


async def test_a_listed_or_unfollowed_job_is_not_looked_up() -> None:
    client = Script()
    client.answers["jobs"] = {"17": JOB}
    async with watching(client) as watcher:
        watcher.follow("17")
        watcher.follow("18")
        watcher.unfollow("18")
        await more(client, "jobs", 5)
        assert client.accounting_asked == []


async def test_the_accounting_makes_no_job_run_and_its_failure_ends_none() -> None:
    client = Script()
    client.answers |= {"jobs": {}, "accounting": {"17": JOB}}
    async with watching(client) as watcher:
        watcher.follow("17")
        await more(client, "accounting")
        assert watcher.view.jobs == {}
        client.answers["accounting"] = SlurmError("slurmdbd is down")
        await more(client, "accounting")
        assert watcher.view.jobs == {} and watcher.view.silent_since_epoch is None
        client.answers["accounting"] = {"17": ENDED}
        await until(lambda: watcher.view.jobs == {"17": ENDED})
        watcher.unfollow("17")
        await until(lambda: watcher.view.jobs == {})


async def test_a_listener_hears_every_view_until_it_leaves() -> None:
    client, heard = Script(), list[ClusterView]()
    async with watching(client) as watcher:
        leave = watcher.listen(heard.append)
        await until(lambda: heard and heard[-1].jobs)
        leave()
        count = len(heard)
        await more(client, "jobs")
        assert len(heard) == count


async def test_a_listener_that_fails_does_not_blind_the_others(caplog: pytest.LogCaptureFixture) -> None:
    client, heard = Script(), list[ClusterView]()

    def broken(view: ClusterView) -> None:
        raise ValueError("a mistake of one session")

    async with watching(client) as watcher:
        watcher.listen(broken)
        watcher.listen(heard.append)
        watcher.listen(broken)
        await watcher.first_view(20)
        count = len(heard)
        await until(lambda: len(heard) > count + 3)
    assert "a mistake of one session" in caplog.text


async def test_the_view_knows_when_its_question_was_asked() -> None:
    client = Script()
    async with watching(client) as watcher:
        await watcher.first_view(20)
        assert 0 < watcher.asked_epoch <= (watcher.view.taken_epoch or 0)
        before = watcher.asked_epoch
        client.answers["jobs"] = SlurmError("no")
        await until(lambda: watcher.view.silent_since_epoch)
        stopped = watcher.asked_epoch
        await more(client, "jobs")
        assert before <= stopped == watcher.asked_epoch


async def test_the_queue_is_asked_for_only_while_a_session_of_this_hub_waits() -> None:
    client = Script()
    async with watching(client) as watcher:
        client.answers["jobs"] = {"17": WAITING}
        await until(lambda: watcher.view.jobs == {"17": WAITING})
        # another hub's, as far as this one knows
        assert (client.asked["queue"], watcher.view.queue) == (0, None)
        watcher.follow("17")
        await until(lambda: watcher.view.queue == (QUEUED,))
        assert watcher.view.queue_epoch is not None
        client.answers["jobs"] = {"17": JOB}
        await until(lambda: watcher.view.queue is None)
        assert watcher.view.queue_epoch is None


async def test_the_queue_is_asked_for_while_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Script()
    async with watching(client) as watcher:
        watcher.somebody_looks()
        await until(lambda: watcher.view.queue == (QUEUED,))
        await more(client, "jobs", 3)
        assert watcher.view.queue == (QUEUED,)
        later = time.time() + 3600
        monkeypatch.setattr(time, "time", lambda: later)
        await until(lambda: watcher.view.queue is None)


async def test_whoever_comes_into_the_queue_is_not_left_without_a_place_for_a_whole_beat() -> None:
    client = Script()
    client.answers["jobs"] = {"17": WAITING}
    async with watching(client, FAST.model_copy(update={"queue_seconds": FAR})) as watcher:
        watcher.follow("17")
        await until(lambda: watcher.view.queue == (QUEUED,))
        later = replace(QUEUED, job_id="18")
        client.answers |= {"jobs": {"17": WAITING, "18": replace(WAITING, job_id="18")}, "queue": (QUEUED, later)}
        watcher.follow("18")
        await until(lambda: watcher.view.queue == (QUEUED, later))


async def test_an_outage_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    client = Script()
    caplog.set_level(logging.INFO)
    async with watching(client) as watcher:
        await watcher.first_view(20)
        client.answers["nodes"] = SlurmError("no connection to its login node")
        await more(client, "nodes", 5)
        client.answers["nodes"] = (NODE,)
        await until(lambda: "nodes are told again" in caplog.text)
    assert [each.getMessage() for each in caplog.records if "no new nodes" in each.getMessage()] == [
        "leonardo: no new nodes: no connection to its login node"
    ]


async def test_a_queue_that_cannot_be_read_leaves_the_last_one() -> None:
    client = Script()
    client.answers["jobs"] = {"17": WAITING}
    async with watching(client) as watcher:
        watcher.follow("17")
        await until(lambda: watcher.view.queue == (QUEUED,))
        client.answers["queue"] = SlurmError("half a line")
        await more(client, "queue")
        assert watcher.view.queue == (QUEUED,)


async def test_the_accounting_is_asked_once_for_all_who_want_to_know_more_of_an_end() -> None:
    client = Script()
    cancelled = replace(ENDED, slurm_state="CANCELLED by 0", user_id=1001)
    ends = {number: replace(cancelled, job_id=number) for number in ("18", "19")}
    client.answers["accounting"] = ends
    async with watching(client) as watcher:
        told = await asyncio.gather(*(watcher.verdict(number, 20) for number in ends))
        assert told == list(ends.values())
        assert client.accounting_asked == [("18", "19")]
        # it is news for whoever asked, and not for the view
        assert watcher.view.jobs.keys() <= {"17"}


async def test_the_accounting_is_asked_again_until_it_knows_of_the_end_or_the_time_is_over() -> None:
    client = Script()
    client.answers["accounting"] = {"17": JOB}
    async with watching(client) as watcher:
        asking = asyncio.create_task(watcher.verdict("17", 20))
        await more(client, "accounting")
        client.answers["accounting"] = SlurmError("slurmdbd is down")
        await more(client, "accounting")
        client.answers["accounting"] = {"17": ENDED}
        await more(client, "accounting")
        assert not asking.done(), "nobody knows yet whose job it was"
        known = replace(ENDED, user_id=1001)
        client.answers["accounting"] = {"17": known}
        assert await asking == known
        client.answers["accounting"] = {}
        assert await watcher.verdict("17", 0.1) is None
