"""What ``sbatch`` says when it refuses a job, in words that a person understands.  Pure.

The texts are those of Slurm's ``slurm_errno.c``, 22.05 to 26.05.  What is not known here is shown as it is: it may come
from a site's own submission plugin, and say exactly what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hpchub.jobs.endings import Ending
from hpchub.slurm.reasons import ReasonKind, is_budget, is_qos_limit, kind_of, why_it_waits

LONGEST_DETAIL = 400
"""Characters of Slurm's own words that are shown."""

TEXTS: dict[str, str] = {
    "Invalid account or account/partition combination specified": (
        "The allocation may not be used there, or not by you any more. Choose another one."
    ),
    "Invalid partition name specified": "The partition does not exist any more. Make another choice.",
    "Invalid qos specification": "The allocation may not use this queue (QOS). Choose another one.",
    "Invalid user id": "The cluster does not know you. Ask support for access to it.",
    "User's group not permitted to use this partition": "You may not use this partition. Make another choice.",
    "Access/permission denied": "You may not do this there. Ask support for access.",
    "Access denied to requested reservation": "You may not use this reservation. Ask whoever invited you.",
    "Requested reservation is invalid": "The reservation does not exist any more. Start again without it.",
    "Requested reservation not usable now": "The reservation cannot be used now. Look at when it begins and ends.",
    "Requested node configuration is not available": "No node there can give this size. Choose another size.",
    "Requested partition configuration not available now": (
        "The partition cannot give this at the moment. Choose another size, or try again later."
    ),
    "Required partition not available (inactive or drain)": (
        "The partition takes no jobs at the moment. Try again later, or choose another one."
    ),
    "Required node not available (down, drained or reserved)": (
        "The nodes that it needs are out of service or reserved. Try again later, or make another choice."
    ),
    "Requested time limit is invalid (missing or exceeds some limit)": (
        "It asks for more time than is allowed there. Choose less time."
    ),
    "Node count specification invalid": "It asks for more nodes than are allowed there. Choose a smaller size.",
    "More processors requested than permitted": "It asks for more cores than are allowed there. Choose a smaller size.",
    "CPU count specification invalid": "It asks for more cores than are allowed there. Choose a smaller size.",
    "Memory required by task is not available": "No node there has so much memory. Choose a smaller size.",
    "Invalid generic resource (gres) specification": "There are no such GPUs. Choose another size or cluster.",
    "Invalid Trackable RESource (TRES) specification": "There are no such GPUs. Choose another size or cluster.",
    "Requested account has breached requested QOS usage threshold": (
        "The allocation has used more than its share lately, and this queue (QOS) takes its jobs again later."
    ),
    "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)": (
        "It goes beyond a limit of the allocation or of the queue (QOS): of jobs, of size or of time. Stop another "
        "session, or choose less."
    ),
}
"""Slurm's text of an error, and what it means and what to do."""

_PREFIX = re.compile(r"^(?:sbatch: )?(?:error: )?(?:Batch job submission failed: )?")
_CODE = re.compile(r"[A-Z][A-Za-z]{5,63}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Slurm did not take a job."""

    ending: Ending
    detail: str = ""
    """A sentence, or Slurm's own words in one line."""
    reason: str = ""
    """Slurm's reason code, where the ending is one of a limit."""


def read_refusal(words: str) -> Refusal:
    """Read what ``sbatch`` wrote on its standard error.

    A limit that a job can never meet is named by its code in a line of its own; it is the same ending as if the job
    had been taken and had waited for ever.
    """
    lines = list(_lines(words))
    codes = [line for line in lines if _CODE.fullmatch(line) and kind_of(line) is not ReasonKind.SUPPORT]
    for code in codes:
        if is_budget(code):
            return Refusal(Ending.BUDGET_SPENT, reason=code)
        if is_qos_limit(code):
            return Refusal(Ending.QOS_LIMIT, reason=code)
    if codes:
        return Refusal(Ending.REFUSED, why_it_waits(codes[0]))
    for line in lines:
        if line in TEXTS:
            return Refusal(Ending.REFUSED, TEXTS[line])
    return Refusal(Ending.REFUSED, " ".join(lines)[:LONGEST_DETAIL])


def _lines(words: str) -> Iterator[str]:
    for line in words.splitlines():
        printable = "".join(letter if letter.isprintable() else " " for letter in _PREFIX.sub("", line.strip()))
        if printable.strip():
            yield printable.strip()
