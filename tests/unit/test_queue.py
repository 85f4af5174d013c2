"""The place in the queue: who is in line with a job, and in which order."""

from __future__ import annotations

import time

import pytest

from hpchub.slurm.model import ClusterView, QueuedJob
from hpchub.slurm.queue import Place, in_line, place_of

BOOST = frozenset({"boost_usr_prod"})


def queued(job_id: str, priority: int = 1, reason: str = "Priority", partitions: frozenset[str] = BOOST) -> QueuedJob:
    return QueuedJob(job_id, priority, reason, partitions)


def view(*jobs: QueuedJob) -> ClusterView:
    return ClusterView("leonardo", queue=jobs)


def test_the_higher_priority_goes_first() -> None:
    assert place_of(view(queued("7", 10), queued("8", 20), queued("9", 5)), "7") == Place(2, 3)


def test_among_equals_the_older_job_goes_first() -> None:
    # as numbers: 9 is older than 10
    jobs = view(queued("10"), queued("9"), queued("100"))
    assert [place_of(jobs, job_id) for job_id in ("9", "10", "100")] == [Place(1, 3), Place(2, 3), Place(3, 3)]


@pytest.mark.parametrize("reason", ["JobHeldUser", "Dependency", "BeginTime", "AssocGrpGRES", "BadConstraints"])
def test_who_cannot_start_holds_up_nobody(reason: str) -> None:
    assert place_of(view(queued("1", 99, reason), queued("2")), "2") == Place(1, 1)


def test_who_cannot_start_has_no_place() -> None:
    assert place_of(view(queued("1", 99, "QOSMaxGRESPerUser"), queued("2")), "1") is None


def test_a_job_of_another_partition_does_not_count() -> None:
    assert place_of(view(queued("1", partitions=frozenset({"serial"})), queued("2")), "2") == Place(1, 1)


def test_a_job_that_names_two_partitions_counts_once_in_both() -> None:
    both = queued("1", partitions=frozenset({"serial", "boost_usr_prod"}))
    jobs = view(both, queued("2"), queued("3", partitions=frozenset({"serial"})))
    assert [place_of(jobs, job_id) for job_id in ("1", "2", "3")] == [Place(1, 3), Place(2, 2), Place(2, 2)]


def test_a_queue_that_hides_the_job_tells_no_place() -> None:
    assert place_of(view(queued("1")), "2") is None
    assert place_of(view(), "2") is None


def test_a_queue_that_nobody_asked_for_tells_no_place() -> None:
    assert place_of(ClusterView("leonardo"), "1") is None


def test_a_new_queue_is_another_line() -> None:
    assert place_of(view(queued("1"), queued("2")), "2") == Place(2, 2)
    assert place_of(view(queued("2")), "2") == Place(1, 1)


def test_clusters_have_lines_of_their_own() -> None:
    there = ClusterView("it4lia", queue=(queued("2"),))
    assert place_of(view(queued("1"), queued("2")), "2") == Place(2, 2)
    assert place_of(there, "2") == Place(1, 1)


def test_a_long_queue_is_sorted_once_and_not_for_everyone() -> None:
    jobs = view(*(queued(str(number), priority=number % 1000) for number in range(20_000)))
    place_of(jobs, "0")
    began = time.process_time()
    places = [place_of(jobs, str(number)) for number in range(1000)]
    assert time.process_time() - began < 0.5
    assert places[999] == Place(1, 20_000)


def test_the_line_of_a_partition_is_counted() -> None:
    both = queued("1", partitions=frozenset({"serial", "boost_usr_prod"}))
    jobs = view(both, queued("2"), queued("3", reason="JobHeldUser"))
    assert (in_line(jobs, "boost_usr_prod"), in_line(jobs, "serial"), in_line(jobs, "other")) == (2, 1, 0)


def test_a_queue_that_nobody_asked_for_has_no_line() -> None:
    assert in_line(ClusterView("leonardo"), "boost_usr_prod") == 0
