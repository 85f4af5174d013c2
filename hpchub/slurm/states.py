"""Slurm's words for the state of a job and of a node, as decisions.  Pure."""

from __future__ import annotations

from hpchub.slurm.model import JobState

JOB_STATES: dict[str, JobState] = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.PENDING,  # allocated, the nodes still boot: nothing of ours runs yet
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "RESV_DEL_HOLD": JobState.PENDING,
    "SPECIAL_EXIT": JobState.PENDING,
    "RUNNING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.ENDING,
    "SUSPENDED": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "COMPLETING": JobState.ENDING,
    "BOOT_FAIL": JobState.ENDED,
    "CANCELLED": JobState.ENDED,
    "COMPLETED": JobState.ENDED,
    "DEADLINE": JobState.ENDED,
    "FAILED": JobState.ENDED,
    "NODE_FAIL": JobState.ENDED,
    "OUT_OF_MEMORY": JobState.ENDED,
    "PREEMPTED": JobState.ENDED,
    "REVOKED": JobState.ENDED,
    "TIMEOUT": JobState.ENDED,
}
"""Every job state of ``man squeue`` (JOB STATE CODES), Slurm 22.05 to 26.05."""

_UNUSABLE_NODE = frozenset(
    {
        "down",
        "drain",
        "drained",
        "draining",
        "fail",
        "failing",
        "future",
        "maint",
        "maintenance",
        "no_respond",
        "not_responding",
        "inval",
        "invalid_reg",
        "unknown",
        "reboot",
        "rebooting",
        "reboot_requested",
        "reboot_issued",
        "power_down",
        "powering_down",
        "perfctrs",
        "error",
    }
)


def job_state(slurm_state: str) -> JobState:
    """Decide what a job state means for a session; an unheard-of word is UNKNOWN, which never ends anything."""
    # sacct writes "CANCELLED by 1001"
    word = slurm_state.split(" ", 1)[0].rstrip("+")
    return JOB_STATES.get(word, JobState.UNKNOWN)


def node_is_usable(state: str) -> bool:
    """Tell whether a node may run a new job, from ``sinfo``'s words such as ``mixed+drain`` or ``idle*``."""
    if state.endswith("*"):  # not responding
        return False
    # Suffixes of other conditions: ~ powered off, # powering up, $ maintenance reservation, @ reboot pending
    words = state.lower().rstrip("~#!%$@^-").split("+")
    return not _UNUSABLE_NODE.intersection(words)
