"""Every end has a reason, and every reason a sentence with something to do."""

from __future__ import annotations

import string

import pytest

from hpchub.jobs import exits
from hpchub.jobs.endings import SENTENCES, Ending, ending_of, sentence
from hpchub.slurm.model import Job, JobState
from hpchub.slurm.states import JOB_STATES
from tests.unit.data.job_request import REQUEST


def ended(slurm_state: str, exit_status: int | None = None) -> Job:
    return Job(
        job_id="17",
        user="ada",
        state=JobState.ENDED,
        slurm_state=slurm_state,
        reason="",
        node="lrdn0001",
        account="aifac_agri01",
        partition="boost_usr_prod",
        qos="normal",
        comment="",
        exit_status=exit_status,
    )


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_is_a_sentence_whatever_is_known(ending: Ending) -> None:
    bare = sentence(ending, REQUEST)
    named = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[ending]) if name}
    own = {"minutes", "memory_gb", "cluster", "profile", "environment"}
    assert ("unknown" in bare) == bool(named - own)
    assert "{" not in bare and "None" not in bare
    # facts that are not known yet are the same as missing ones, and what Slurm says is no format
    assert sentence(ending, REQUEST, node="", address="", port=0, detail=None) == bare
    assert ("{port}" in sentence(ending, REQUEST, detail="{port}")) == ("detail" in named)


def test_a_sentence_names_what_was_asked_and_what_happened() -> None:
    facts = {"node": "lrdn0001", "address": "10.0.0.1", "port": 40_001, "hub_url": "http://hub:8081/hub"}
    assert sentence(Ending.NODE_UNREACHABLE, REQUEST, **facts) == (
        "The notebook server runs on lrdn0001, but the hub at http://hub:8081/hub cannot reach it at 10.0.0.1:40001. "
        "The job was cancelled. This is a fault of the network or of the service's settings: tell support these two "
        "addresses."
    )
    assert "its 120 GB of memory" in sentence(Ending.OUT_OF_MEMORY, REQUEST)
    assert sentence(Ending.TIME_LIMIT, REQUEST).startswith("The 1530 minutes that were asked for are over.")
    missing = sentence(Ending.NO_ENVIRONMENT, REQUEST, node="lrdn0001")
    assert "agrifood/remote-sensing" in missing and "/opt/environments/base/x86_64-demo" in missing
    refused = sentence(Ending.REFUSED, REQUEST, detail="Invalid account {x} or account/partition combination")
    assert refused == "leonardo refused the job: Invalid account {x} or account/partition combination"


ENDS = {
    "TIMEOUT": Ending.TIME_LIMIT,
    "OUT_OF_MEMORY": Ending.OUT_OF_MEMORY,
    "NODE_FAIL": Ending.NODE_FAILURE,
    "BOOT_FAIL": Ending.NODE_FAILURE,
    "PREEMPTED": Ending.PREEMPTED,
    "DEADLINE": Ending.DEADLINE,
    "CANCELLED": Ending.CANCELLED,
    "COMPLETED": Ending.FINISHED,
    "FAILED": Ending.JOB_FAILED,
    "REVOKED": Ending.JOB_FAILED,
}


def test_every_end_state_of_slurm_is_in_this_table() -> None:
    assert {word for word, state in JOB_STATES.items() if state is JobState.ENDED} == ENDS.keys()


@pytest.mark.parametrize(("slurm_state", "ending"), ENDS.items())
def test_what_each_end_state_of_slurm_means(slurm_state: str, ending: Ending) -> None:
    assert ending_of(ended(slurm_state)) is ending


@pytest.mark.parametrize(
    ("exit_status", "ending"),
    [
        (exits.NO_ENVIRONMENT, Ending.NO_ENVIRONMENT),
        (exits.SERVER_EXITED, Ending.SERVER_EXITED),
        (exits.HUB_UNREACHABLE, Ending.HUB_UNREACHABLE),
        (exits.NOT_WANTED, Ending.STOPPED),
        (126, Ending.BROKEN_ENVIRONMENT),
        (127, Ending.BROKEN_ENVIRONMENT),
        (1, Ending.JOB_FAILED),
        (143, Ending.JOB_FAILED),
        (None, Ending.JOB_FAILED),
    ],
)
def test_what_the_exit_status_of_a_failed_job_means(exit_status: int | None, ending: Ending) -> None:
    assert ending_of(ended("FAILED", exit_status)) is ending


def test_a_cancelled_job_is_that_even_with_an_exit_status() -> None:
    assert ending_of(ended("CANCELLED by 0", exits.SERVER_EXITED)) is Ending.CANCELLED
    assert ending_of(ended("TIMEOUT", exits.SERVER_EXITED)) is Ending.TIME_LIMIT
