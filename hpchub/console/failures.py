"""Why sessions of an event failed, in a few words each, for its report."""

from __future__ import annotations

from collections.abc import Mapping

from hpchub.jobs.endings import Ending
from hpchub.text import Sentence

WORDS: Mapping[Ending, Sentence] = {
    Ending.STOP_OWED: Sentence("stopped, and Slurm had not ended its job yet"),
    Ending.ACCESS_ENDED: Sentence("the person’s access to the service ended"),
    Ending.CANCELLED: Sentence("cancelled in Slurm"),
    Ending.OUT_OF_MEMORY: Sentence("out of memory"),
    Ending.NODE_FAILURE: Sentence("the compute node failed"),
    Ending.PREEMPTED: Sentence("a job with a higher priority took its place"),
    Ending.REQUEUED: Sentence("Slurm sent the job back into the queue"),
    Ending.DEADLINE: Sentence("the job could not start in time"),
    Ending.BUDGET_SPENT: Sentence("the budget did not cover it"),
    Ending.QOS_LIMIT: Sentence("a limit of the queue"),
    Ending.REFUSED: Sentence("Slurm refused the job"),
    Ending.HOME_FULL: Sentence("the home folder could not be written"),
    Ending.NOT_SUBMITTED: Sentence("the job was not submitted"),
    Ending.NO_ENVIRONMENT: Sentence("the environment was missing on the node"),
    Ending.BROKEN_ENVIRONMENT: Sentence("the environment did not run on the node"),
    Ending.NO_PLACE: Sentence("the node had no place for its certificate"),
    Ending.SERVER_EXITED: Sentence("the notebook server ended by itself"),
    Ending.SILENT_SERVER: Sentence("the notebook server did not answer"),
    Ending.HUB_UNREACHABLE: Sentence("the job could not reach the hub"),
    Ending.NODE_UNREACHABLE: Sentence("the hub could not reach the node"),
    Ending.CERTIFICATES_UNREADABLE: Sentence("the hub could not read its certificates"),
    Ending.ENCRYPTION_CHANGED: Sentence("the service was changed meanwhile"),
    Ending.JOB_FAILED: Sentence("the job failed"),
}
"""Endings that are failures."""


def in_few_words(ending: str) -> str:
    """Say why a session failed; of an ending that this version does not know, its word."""
    try:
        return WORDS[Ending(ending)]
    except (ValueError, KeyError):
        return ending
