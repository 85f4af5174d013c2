"""Every end has a reason, and every reason a sentence with something to do."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest

from hpchub.jobs import exits
from hpchub.jobs.endings import SENTENCES, Ending, cancelled_by, ending_of, sentence
from hpchub.slurm import parse
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
    own = {"minutes", "memory_gb", "cluster", "profile", "environment", "account"}
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
    assert sentence(Ending.TIME_LIMIT, REQUEST).startswith("The time that was asked for (1530 min) is over.")
    missing = sentence(Ending.NO_ENVIRONMENT, REQUEST, node="lrdn0001")
    assert "agrifood/remote-sensing" in missing and "/opt/environments/base/x86_64-demo" in missing
    refused = sentence(Ending.REFUSED, REQUEST, detail="Invalid account {x} or account/partition combination")
    assert refused == "leonardo refused the job: Invalid account {x} or account/partition combination"


def test_a_limit_is_said_with_what_slurm_s_reason_means() -> None:
    text = sentence(Ending.QOS_LIMIT, REQUEST, reason="QOSMaxWallDurationPerJobLimit")
    assert text == (
        "leonardo can never start this session, so it was ended. It asks for more time than the queue (QOS) allows, so "
        "it cannot start. Choose less time."
    )


@pytest.mark.parametrize(
    ("slurm_state", "user_id", "by"),
    [
        ("CANCELLED by 1001", 1001, "owner"),
        ("CANCELLED by 0", 1001, "other"),
        ("CANCELLED by 1002", 1001, "other"),
        ("CANCELLED by 0", 0, "owner"),
        ("CANCELLED", 1001, ""),
        ("CANCELLED by", 1001, ""),
        ("CANCELLED by 1001", None, ""),
        ("FAILED by 1001", 1001, ""),
    ],
)
def test_who_cancelled_a_job(slurm_state: str, user_id: int | None, by: str) -> None:
    assert cancelled_by(replace(ended(slurm_state), user_id=user_id)) == by


VERSIONS = ("22.05", "24.11", "26.05")


def captured(version: str, kind: str) -> Job:
    """Give what the accounting of a version of Slurm really said of a job of this kind."""
    folder = Path(__file__).parent / "data" / "slurm" / version
    job_id = json.loads((folder / "job-ids.json").read_text())[kind]
    return parse.accounting((folder / "accounting.txt").read_text())[job_id]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("timeout", Ending.TIME_LIMIT),
        ("out-of-memory", Ending.OUT_OF_MEMORY),
        ("node-fail", Ending.NODE_FAILURE),
        ("preempted", Ending.PREEMPTED),
        ("cancelled", Ending.CANCELLED),
        ("cancelled-pending", Ending.CANCELLED),
        ("completed", Ending.FINISHED),
        # without cgroups only the job's log says why
        ("over-memory", Ending.JOB_FAILED),
    ],
)
def test_the_end_that_the_accounting_of_each_version_tells(version: str, kind: str, ending: Ending) -> None:
    assert ending_of(captured(version, kind)) is ending


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "by"), [("cancelled", "owner"), ("cancelled-by-admin", "other"), ("timeout", "")])
def test_who_cancelled_a_job_by_the_accounting_of_each_version(version: str, kind: str, by: str) -> None:
    assert cancelled_by(captured(version, kind)) == by


def test_nobody_is_named_who_cancelled_a_job_but_its_user() -> None:
    assert "you yourself" in sentence(Ending.CANCELLED, REQUEST, by="owner")
    assert "an administrator" in sentence(Ending.CANCELLED, REQUEST, by="other")
    assert sentence(Ending.CANCELLED, REQUEST, by="") == SENTENCES[Ending.CANCELLED]


def test_a_sentence_and_what_it_names_can_be_in_another_language() -> None:
    italian = {
        SENTENCES[Ending.REFUSED]: "{cluster} ha rifiutato il job: {detail}",
        "Choose less time.": "Scegli meno tempo.",
    }
    said = sentence(Ending.REFUSED, REQUEST, italian.__getitem__, detail="Choose less time.")
    assert said == "leonardo ha rifiutato il job: Scegli meno tempo."


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
        (exits.NO_PLACE, Ending.NO_PLACE),
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
