"""Slurm's words for states, as the decisions that hang on them."""

from __future__ import annotations

import pytest

from hpchub.slurm.model import JobState
from hpchub.slurm.states import job_state, node_is_usable

P, R, N, E, U = JobState


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PENDING", P),
        ("CONFIGURING", P),
        ("REQUEUE_HOLD", P),
        ("SPECIAL_EXIT", P),
        ("RUNNING", R),
        ("SUSPENDED", R),
        ("STOPPED", R),
        ("COMPLETING", N),
        ("STAGE_OUT", N),
        ("COMPLETED", E),
        ("CANCELLED", E),
        ("CANCELLED+", E),
        ("CANCELLED by 1001", E),
        ("TIMEOUT", E),
        ("OUT_OF_MEMORY", E),
        ("NODE_FAIL", E),
        ("PREEMPTED", E),
        ("running", U),
        ("EXPEDITING", U),
        ("", U),
    ],
)
def test_what_a_job_state_means(word: str, state: JobState) -> None:
    assert job_state(word) is state


@pytest.mark.parametrize(
    "state",
    [
        "idle",
        "mixed",
        "allocated",
        "idle+planned",
        "mixed+completing",
        "allocated+completing",
        "idle+reserved",
        "idle+cloud",
        "idle+dynamic_norm",
        "IDLE",
        "MIXED+PLANNED",
        "idle-",
        "mixed#",
        "idle~",
        "idle+cloud+powered_down",  # Slurm switches it on for the first job
    ],
)
def test_a_node_that_may_run_a_new_job(state: str) -> None:
    assert node_is_usable(state)


@pytest.mark.parametrize(
    "state",
    [
        "down",
        "down*",
        "idle*",
        "mixed*",
        "drained",
        "draining",
        "idle+drain",
        "mixed+drain",
        "MIXED+DRAIN",
        "allocated+drain",
        "idle+maintenance+reserved",
        "maint",
        "down+not_responding",
        "idle+not_responding",
        "idle+invalid_reg",
        "idle+reboot_requested",
        "mixed+reboot_issued",
        "idle+cloud+powering_down",
        "unknown",
        "error",
        "fail",
        "future",
    ],
)
def test_a_node_that_may_not(state: str) -> None:
    assert not node_is_usable(state)
