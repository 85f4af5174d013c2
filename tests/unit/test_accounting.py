"""What Slurm's accounting says of jobs that have ended, and what they were charged."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from hpchub.catalogue.charged import core_hours
from hpchub.catalogue.rules import Shape
from hpchub.errors import SlurmError
from hpchub.slurm.accounted import Accounted, command, read
from hpchub.slurm.model import Partition
from tests.unit.data.world import demo_catalogue

HELD = "billing=8,cpu=8,gres/gpu:a100=1,gres/gpu=1,mem=123200M,node=1"
LEONARDO = demo_catalogue().site.clusters["leonardo"]
SHAPES = MappingProxyType({"boost_usr_prod": frozenset({Shape(32, 480_000, frozenset({("a100", 4)}))})})


def row(
    job: int = 17, state: str = "COMPLETED", end: str = "1900000600", seconds: str = "600", held: str = HELD
) -> str:
    return f"{job}|{state}|{end}|{seconds}|boost_usr_prod|{held}\n"


def test_one_question_asks_for_many_jobs_and_only_for_the_hub_s() -> None:
    argv = command("leonardo", ["17", "18"])
    assert argv[0] == "sacct" and {"--clusters=leonardo", "--jobs=17,18", "--name=hpchub"} <= set(argv)


def test_a_job_that_has_ended_is_read_with_its_gpus() -> None:
    (job,) = read(row(state="CANCELLED by 1001")).values()
    assert (job.job_id, job.seconds, job.gpus, job.partition) == ("17", 600, 1, "boost_usr_prod")


@pytest.mark.parametrize(
    ("line", "gpus"),
    [
        (row(held="billing=8,cpu=8,gres/gpu:a100=2,node=1"), 2),
        (row(held="billing=8,cpu=8,node=1"), None),
        (row(state="CANCELLED by 1001", seconds="0", held=""), None),
    ],
    ids=["only the type is counted", "GPUs are not counted", "it never ran"],
)
def test_gpus_that_are_not_counted_are_not_known(line: str, gpus: int | None) -> None:
    assert read(line)["17"].gpus == gpus


@pytest.mark.parametrize(
    "line", [row(state="RUNNING", end="Unknown"), row(state="COMPLETED", end="Unknown"), row(seconds="")]
)
def test_what_has_not_ended_for_the_accounting_is_left_out(line: str) -> None:
    assert read(line) == {}


@pytest.mark.parametrize("answer", ["17|COMPLETED\n", "17|COMPLETED|1", row(held="cpu=many")])
def test_an_answer_that_cannot_be_read_is_an_error(answer: str) -> None:
    with pytest.raises(SlurmError):
        read(answer)


WEIGHED = Partition("boost_usr_prod", up=True, max_minutes=None, billing_weights=(("cpu", 1.0),))
PLAIN = Partition("boost_usr_prod", up=True, max_minutes=None)


@pytest.mark.parametrize(
    ("partition", "held", "seconds", "charged"),
    [
        (WEIGHED, "billing=8,cpu=8,gres/gpu=1,mem=1000M", 1800, 4.0),
        (PLAIN, "billing=8,cpu=4,gres/gpu=2,mem=1000M", 3600, 16.0),
        (WEIGHED, "", 0, 0.0),
        (None, "billing=8,cpu=8", 3600, None),
    ],
    ids=["what Slurm counted", "the largest share of a node", "it never ran", "a partition that is gone"],
)
def test_what_a_job_was_charged(partition: Partition | None, held: str, seconds: int, charged: float | None) -> None:
    (job,) = read(row(seconds=str(seconds), held=held)).values()
    assert core_hours(job, LEONARDO, partition, SHAPES) == charged


def test_a_partition_that_is_free_charges_nothing() -> None:
    free = Accounted("17", LEONARDO.free_partitions[0], 3600, (("billing", 4.0), ("cpu", 4.0)))
    assert core_hours(free, LEONARDO, WEIGHED, SHAPES) == 0.0
