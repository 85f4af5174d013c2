"""When a choice would start: never more than is known, and in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpchub.jobs.estimates import Estimates
from hpchub.jobs.expected import TRUSTED_SECONDS, Expected, expected, slurm_could_tell
from hpchub.jobs.request import JobRequest
from hpchub.pages.expected import in_words
from hpchub.slurm.model import ClusterView, Limits, Qos, QueuedJob, Reservation
from hpchub.text import Speech
from tests.unit.data.job_request import JOB, request
from tests.unit.data.world import BOOST_NODE, LEONARDO

NOW = 1_800_000_000
HOUR = 3600
IDLE = replace(LEONARDO, taken_epoch=NOW - 5.0)
FULL = replace(IDLE, nodes=(replace(BOOST_NODE, gpus_used={"a100": 4}),))
WANTED = request(minutes=60)


class Door:
    """Stands for the launcher, which lets Slurm tell one expected start."""

    def __init__(self, start_epoch: int | None) -> None:
        self.start_epoch = start_epoch

    async def expected_start(self, *question: str) -> int | None:
        return self.start_epoch


async def told(start_epoch: int | None, at: int = NOW - 10) -> Estimates:
    """What is known after Slurm was asked about the choice."""
    estimates = Estimates(Door(start_epoch))  # type: ignore[arg-type]
    due = estimates.due(WANTED, 3, at, looks=True)
    assert due is not None
    await estimates.ask(due)
    return estimates


NOTHING_TOLD = Estimates(Door(None))  # type: ignore[arg-type]


def looked_at(view: ClusterView, estimates: Estimates = NOTHING_TOLD, wanted: JobRequest = WANTED) -> Expected:
    return expected(wanted, view, estimates, NOW)


def waiting(*reasons: str, partition: str = "boost_usr_prod") -> tuple[QueuedJob, ...]:
    return tuple(QueuedJob(str(number), 1, each, frozenset({partition})) for number, each in enumerate(reasons))


def taken(begins: int, *flags: str, name: str = "r") -> Reservation:
    return Reservation(name, begins, begins + 2 * HOUR, frozenset({"n1"}), 32, flags=frozenset(flags))


def test_where_there_is_room_it_starts_now() -> None:
    assert looked_at(IDLE) == Expected("now", told_epoch=NOW - 5)


@pytest.mark.parametrize("view", [ClusterView("leonardo"), replace(IDLE, silent_since_epoch=NOW - 60.0)])
def test_of_a_silent_cluster_nothing_is_known(view: ClusterView) -> None:
    assert looked_at(view) == Expected("unknown", told_epoch=view.taken_epoch)


def test_where_all_is_in_use_it_waits() -> None:
    assert looked_at(FULL) == Expected("queue", told_epoch=NOW - 5)


def test_who_waits_for_the_same_is_counted() -> None:
    queue = waiting("Resources", "Priority", "JobHeldUser", "QOSMaxJobsPerUserLimit")
    assert looked_at(replace(FULL, queue=queue)).ahead == 2


def test_room_that_others_wait_for_is_no_promise() -> None:
    assert looked_at(replace(IDLE, queue=waiting("Resources"))).kind == "queue"
    assert looked_at(replace(IDLE, queue=waiting("Resources", partition="lrd_all_serial"))).kind == "now"


async def test_room_that_others_wait_for_is_one_once_slurm_has_said_so() -> None:
    contested = replace(IDLE, queue=waiting("Resources"))
    assert looked_at(contested, await told(NOW - 8)) == Expected("now", told_epoch=NOW - 10)


async def test_slurm_s_word_for_a_start_at_once_is_none_where_no_room_is_left() -> None:
    assert looked_at(FULL, await told(NOW - 8)).kind == "queue"


async def test_a_start_that_slurm_has_told_is_told_on() -> None:
    assert looked_at(FULL, await told(NOW + HOUR)) == Expected("at", NOW + HOUR, told_epoch=NOW - 10)


@pytest.mark.parametrize("at", [NOW - TRUSTED_SECONDS - 1, NOW - HOUR])
async def test_an_old_answer_is_not_repeated(at: int) -> None:
    assert looked_at(FULL, await told(NOW + HOUR, at)).kind == "queue"


async def test_a_start_that_has_passed_is_no_news() -> None:
    assert looked_at(FULL, await told(NOW - 10, NOW - 200)).kind == "queue"


async def test_no_answer_is_none() -> None:
    assert looked_at(FULL, await told(None)).kind == "queue"


async def test_an_answer_is_for_the_same_choice_alone() -> None:
    assert looked_at(FULL, await told(NOW + HOUR), request(minutes=61)).kind == "queue"


def test_a_maintenance_that_it_would_run_into_comes_first() -> None:
    soon = replace(IDLE, reservations=(taken(NOW + HOUR - 60, "MAINT"),))
    after = NOW + 3 * HOUR - 60
    assert looked_at(soon) == Expected("not_before", after, told_epoch=NOW - 5, because="maintenance")
    assert looked_at(soon, wanted=request(minutes=30)).kind == "now"


def test_so_does_a_reservation_for_others() -> None:
    assert looked_at(replace(IDLE, reservations=(taken(NOW),))).because == "reservation"


def test_a_session_of_an_event_starts_with_the_event_s_reservation() -> None:
    mine = request(minutes=60, reservation="course")
    before = replace(IDLE, reservations=(taken(NOW + HOUR, name="course"),))
    assert looked_at(before, wanted=mine) == Expected(
        "not_before", NOW + HOUR, told_epoch=NOW - 5, because="reservation"
    )
    meanwhile = replace(IDLE, reservations=(taken(NOW, name="course"),), queue=waiting("Resources"))
    assert looked_at(meanwhile, wanted=mine).kind == "now"


def test_who_may_run_one_job_waits_for_their_own() -> None:
    one = {**LEONARDO.qos, "normal": Qos("normal", Limits(running=1))}
    view = replace(IDLE, qos=one, jobs={"17": JOB})
    assert looked_at(view) == Expected("queue", told_epoch=NOW - 5, because="own jobs")
    assert looked_at(replace(view, jobs={"17": replace(JOB, user="bruno")})).kind == "now"
    assert looked_at(view, wanted=request(minutes=30, qos="boost_qos_dbg")).kind == "now"


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (Expected("now"), False),
        (Expected("unknown"), False),
        (Expected("not_before", NOW, because="maintenance"), False),
        (Expected("queue", because="own jobs"), False),
        (Expected("queue", ahead=2), True),
        (Expected("at", NOW), True),
    ],
)
def test_slurm_is_asked_where_it_could_tell_more(found: Expected, asked: bool) -> None:
    assert slurm_could_tell(found) == asked


def clock(epoch: float) -> str:
    return f"{int(epoch - NOW) // HOUR}:00"


@pytest.mark.parametrize(
    ("found", "english", "italian"),
    [
        (Expected("now"), "starts now", "parte subito"),
        (Expected("at", NOW + 1), "about 1 min", "tra circa 1 min"),
        (Expected("at", NOW + 12 * 60 - 5), "about 12 min", "tra circa 12 min"),
        (Expected("at", NOW + 83 * 60), "about 1 h 30 min", "tra circa 1 h 30 min"),
        (Expected("at", NOW + 7 * HOUR + 60), "about 8 h", "tra circa 8 h"),
        (Expected("at", NOW + 71 * HOUR), "about 3 days", "tra circa 3 giorni"),
        (
            Expected("not_before", NOW + 18 * HOUR, because="maintenance"),
            "not before 18:00, maintenance",
            "non prima delle 18:00, per manutenzione",
        ),
        (
            Expected("not_before", NOW + 18 * HOUR, because="reservation"),
            "not before 18:00, because of a reservation",
            "non prima delle 18:00, per una prenotazione",
        ),
        (
            Expected("queue", ahead=1),
            "1 waits for the same; Slurm has not said when",
            "1 job in attesa delle stesse risorse; Slurm non ha detto fino a quando",
        ),
        (
            Expected("queue", ahead=3),
            "3 wait for the same; Slurm has not said when",
            "3 job in attesa delle stesse risorse; Slurm non ha detto fino a quando",
        ),
        (
            Expected("queue"),
            "nothing is free; Slurm has not said when",
            "è tutto occupato; Slurm non ha detto fino a quando",
        ),
        (
            Expected("queue", because="own jobs"),
            "as soon as one of your sessions has ended",
            "appena termina una delle tue sessioni",
        ),
        (Expected("unknown"), "not known: Slurm does not answer", "non si sa: Slurm non risponde"),
    ],
)
def test_it_is_said_in_words(found: Any, english: str, italian: str) -> None:
    assert in_words(found, Speech("en"), clock, NOW) == english
    assert in_words(found, Speech("it"), clock, NOW) == italian
