"""Why a job waits: Slurm's reason codes in words that a person understands, and what can help.  Pure.

The codes are those that ``job_reason_string`` of 22.05 and ``job_state_reason_string`` of 24.11 and 26.05 know (they
are kept with the tests); what they mean is Slurm's job_reason_codes.html.  Codes of limits are made of a scope, a
resource and a measure, and so are their sentences.  The English sentence is the key of its translations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Literal


class ReasonKind(StrEnum):
    """What can end the waiting."""

    WAIT = "wait"
    """Time: other people's jobs end, a node is mended, a reservation begins."""
    LIMIT = "limit"
    """One's own jobs, or those of one's allocation, must end first."""
    NEVER = "never"
    """Another choice; this job would wait for ever."""
    SUPPORT = "support"
    """Somebody has to do something: whoever holds it back, or the people who run the cluster."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What one code means."""

    kind: ReasonKind
    sentence: str
    """English; what it means, and what to do where something can be done."""
    limit: Literal["budget", "qos", None] = None
    """Of a job that can never start: whether it is the allocation's budget, or a limit on single jobs."""


_WAIT, _LIMIT, _NEVER, _SUPPORT = ReasonKind

RESOURCES = {
    "BB": "burst buffer",
    "Billing": "billing units",
    "CPU": "cores",
    "Energy": "energy",
    "GRES": "GPUs",
    "License": "licences",
    "Mem": "memory",
    "Node": "nodes",
    "Unknown": "another resource",
}
"""What Slurm limits, by the word in the code."""

_TOO_LONG = "It asks for more time than the {scope} allows, so it cannot start. Choose less time."

CODES: dict[str, Reason] = {
    "None": Reason(_WAIT, "The scheduler has not looked at it yet."),
    "Priority": Reason(_WAIT, "Jobs with a higher priority are before it."),
    "Resources": Reason(_WAIT, "It is among the next; what it needs is in use at the moment."),
    "Dependency": Reason(_WAIT, "It waits for another job to end."),
    "BeginTime": Reason(_WAIT, "It starts at a set time, which has not come yet."),
    "Reservation": Reason(_WAIT, "It waits for its reservation to begin."),
    "Licenses": Reason(_WAIT, "It waits for a licence that others use at the moment."),
    "Cleaning": Reason(_WAIT, "Its earlier run is being cleaned up."),
    "Prolog": Reason(_WAIT, "Its node is being prepared."),
    "SchedDefer": Reason(_WAIT, "The scheduler looks at new jobs a little later."),
    "FedJobLock": Reason(_WAIT, "The clusters are agreeing on where it runs."),
    "JobArrayTaskLimit": Reason(_LIMIT, "As many tasks of its job array run as may run at a time."),
    # Nodes and partitions
    "ReqNodeNotAvail": Reason(
        _WAIT, "The nodes that it needs are in use, reserved or out of service. If it lasts, choose another size."
    ),
    "NodeDown": Reason(_WAIT, "A node that it needs is out of service at the moment."),
    "FrontEndDown": Reason(_WAIT, "A machine that starts jobs is out of service at the moment."),
    "Constraints": Reason(_WAIT, "No node can give what it asks for at the moment."),
    "PartitionDown": Reason(_WAIT, "The partition is closed at the moment."),
    "PartitionInactive": Reason(_WAIT, "The partition starts no jobs at the moment."),
    # also where nodes are down
    "PartitionNodeLimit": Reason(
        _WAIT, "The partition cannot give this number of nodes at the moment. If it lasts, choose another partition."
    ),
    "MaxPoweredUpNodes": Reason(_WAIT, "As many nodes are switched on as may be at a time; it waits for one of them."),
    "PowerNotAvail": Reason(_WAIT, "It waits until there is enough electric power for it."),
    "PowerReserved": Reason(_WAIT, "It waits until electric power that is reserved becomes free."),
    "BlockMaxError": Reason(_WAIT, "The nodes that it needs had too many errors and are being checked."),
    "BlockFreeAction": Reason(_WAIT, "The nodes that it needs are being set free."),
    "MpiPortsBusy": Reason(_WAIT, "It waits for free network ports on its nodes."),
    "NvidiaImexChannels": Reason(_WAIT, "It waits for a free channel between the GPUs of several nodes."),
    "BurstBufferResources": Reason(_WAIT, "It waits for space in the burst buffer."),
    "BurstBufferStageIn": Reason(_WAIT, "Its files are being copied into the burst buffer."),
    "BurstBufferOperation": Reason(_SUPPORT, "Its files could not be copied into the burst buffer. Ask support."),
    # What only another choice helps against
    "PartitionTimeLimit": Reason(_NEVER, _TOO_LONG.format(scope="partition"), "qos"),
    "PartitionConfig": Reason(
        _NEVER, "The partition does not take such a job. Make another choice. Otherwise only an administrator can help."
    ),
    "BadConstraints": Reason(
        _NEVER, "No node can ever give what it asks for. Make another choice. Otherwise only an administrator can help."
    ),
    "InvalidAccount": Reason(
        _NEVER, "Its allocation is not valid any more. Choose another one. Otherwise only an administrator can help."
    ),
    "AccountNotAllowed": Reason(
        _NEVER,
        "Its allocation may not use this partition. Make another choice. Otherwise only an administrator can help.",
    ),
    "InvalidQOS": Reason(
        _NEVER, "Its queue (QOS) is not valid any more. Choose another one. Otherwise only an administrator can help."
    ),
    "QOSNotAllowed": Reason(
        _NEVER, "Its queue (QOS) may not be used here. Choose another one. Otherwise only an administrator can help."
    ),
    "ReservationDeleted": Reason(_NEVER, "Its reservation was deleted. Start again without it."),
    "ReservationInvalid": Reason(_NEVER, "Its reservation is not valid. Start again without it."),
    "DependencyNeverSatisfied": Reason(_NEVER, "The job that it waits for has failed. Start again."),
    "DeadLine": Reason(_NEVER, "It cannot end before its deadline any more. Choose less time."),
    "MaxMemPerLimit": Reason(_NEVER, "It asks for more memory than is allowed here. Choose a smaller size.", "qos"),
    "AssocMaxWallDurationPerJobLimit": Reason(_NEVER, _TOO_LONG.format(scope="allocation"), "qos"),
    "QOSMaxWallDurationPerJobLimit": Reason(_NEVER, _TOO_LONG.format(scope="queue (QOS)"), "qos"),
    "AssocGrpWallLimit": Reason(_NEVER, "Your allocation has used all of its time. Choose another one.", "budget"),
    "AssociationTimeLimit": Reason(_NEVER, "Your allocation has used all of its time. Choose another one.", "budget"),
    "QOSGrpWallLimit": Reason(_NEVER, "This queue (QOS) has used all of its time. Choose another one.", "qos"),
    "QOSTimeLimit": Reason(_NEVER, "This queue (QOS) has used all of its time. Choose another one.", "qos"),
    # Numbers of jobs
    "AssocMaxJobsLimit": Reason(_LIMIT, "You have as many jobs running as your allocation allows; one must end."),
    "AssocGrpJobsLimit": Reason(_LIMIT, "Your allocation has as many jobs running as it may; one must end."),
    "AssociationJobLimit": Reason(_LIMIT, "Your allocation has as many jobs running as it may; one must end."),
    "AssocMaxSubmitJobLimit": Reason(_LIMIT, "You have as many jobs as your allocation allows; one must end."),
    "AssocGrpSubmitJobsLimit": Reason(_LIMIT, "Your allocation has as many jobs as it may; one must end."),
    "QOSMaxJobsPerUserLimit": Reason(_LIMIT, "You have as many jobs running as this queue (QOS) allows; one must end."),
    "QOSMaxSubmitJobPerUserLimit": Reason(_LIMIT, "You have as many jobs as this queue (QOS) allows; one must end."),
    "MaxJobsPerAccount": Reason(
        _LIMIT, "Your allocation has as many jobs running as this queue (QOS) allows; one must end."
    ),
    "MaxSubmitJobsPerAccount": Reason(
        _LIMIT, "Your allocation has as many jobs as this queue (QOS) allows; one must end."
    ),
    "QOSJobLimit": Reason(_WAIT, "This queue (QOS) has as many jobs running as it may."),
    "QOSGrpJobsLimit": Reason(_WAIT, "This queue (QOS) has as many jobs running as it may."),
    "QOSGrpSubmitJobsLimit": Reason(_WAIT, "This queue (QOS) has as many jobs as it may."),
    # Limits that do not say of what
    "AccountingPolicy": Reason(_LIMIT, "A limit of your allocation or of the queue (QOS) is reached; jobs must end."),
    "AssociationResourceLimit": Reason(_LIMIT, "Your allocation uses as much as it may at a time; jobs must end."),
    "QOSResourceLimit": Reason(_WAIT, "This queue (QOS) uses as much as it may at a time."),
    "QOSUsageThreshold": Reason(
        _LIMIT, "Your allocation has used more than its share lately; this queue (QOS) takes its jobs again later."
    ),
    # What somebody has to look at
    "JobHeldUser": Reason(_SUPPORT, "It is held back. Release it with scontrol release, or stop it and start again."),
    "JobHeldAdmin": Reason(_SUPPORT, "An administrator holds it back. Ask support."),
    "JobHoldMaxRequeue": Reason(_SUPPORT, "It could not be started several times and is held back. Ask support."),
    "JobLaunchFailure": Reason(_SUPPORT, "Slurm could not start it on its node. Start again; ask support if it lasts."),
    "SystemFailure": Reason(_SUPPORT, "The cluster had a failure. Start again; ask support if it lasts."),
    # Of jobs that have ended
    "NonZeroExitCode": Reason(_SUPPORT, "The job ended with an error."),
    "RaisedSignal": Reason(_SUPPORT, "The job was ended by a signal."),
    "TimeLimit": Reason(_SUPPORT, "The job's time is over. Start again, with more time if needed."),
    "OutOfMemory": Reason(_SUPPORT, "The job needed more memory than it had. Start again with a larger size."),
    "InactiveLimit": Reason(_SUPPORT, "The job did nothing for too long and was ended."),
}

_MAINTENANCE = Reason(
    _WAIT, "The nodes that it needs are reserved for maintenance soon. With less time it might start before that."
)

FAMILIES: tuple[tuple[str, Reason], ...] = (
    ("AssocGrp{}(Limit)?", Reason(_LIMIT, "Your allocation uses as much as it may at a time ({resource}).")),
    (
        "AssocGrp{}Minutes(Limit)?",
        Reason(
            _NEVER,
            "What is left of your allocation's budget ({resource}), beside its running jobs, does not cover this one. "
            "Choose less time or another allocation.",
            "budget",
        ),
    ),
    (
        "AssocGrp{}RunMinutes(Limit)?",
        Reason(
            _LIMIT,
            "The jobs of your allocation that run have as much time left as they may together ({resource}). "
            "Less time might let it start earlier.",
        ),
    ),
    (
        "AssocMax{}MinutesPerJob(Limit)?",
        Reason(
            _NEVER, "It asks for more than your allocation allows a job ({resource} × time). Choose less time.", "qos"
        ),
    ),
    (
        "AssocMax{}Per(Job|Node)(Limit)?",
        Reason(
            _NEVER, "It asks for more than your allocation allows a job ({resource}). Choose a smaller size.", "qos"
        ),
    ),
    ("QOSGrp{}(Limit)?", Reason(_WAIT, "All that this queue (QOS) may use at a time is in use ({resource}).")),
    (
        "QOSGrp{}Minutes(Limit)?",
        Reason(
            _NEVER, "The budget of this queue (QOS) ({resource}) does not cover this job. Choose another one.", "qos"
        ),
    ),
    (
        "QOSGrp{}RunMinutes(Limit)?",
        Reason(
            _WAIT,
            "The jobs of this queue (QOS) that run have as much time left as they may together ({resource}). "
            "Less time might let it start earlier.",
        ),
    ),
    (
        "QOSMax{}MinutesPerJob(Limit)?",
        Reason(
            _NEVER, "It asks for more than this queue (QOS) allows a job ({resource} × time). Choose less time.", "qos"
        ),
    ),
    (
        "QOSMax{}Per(Job|Node)(Limit)?",
        Reason(
            _NEVER, "It asks for more than this queue (QOS) allows a job ({resource}). Choose a smaller size.", "qos"
        ),
    ),
    (
        "QOSMax{}PerUser(Limit)?",
        Reason(_LIMIT, "You use as much as this queue (QOS) allows a person at a time ({resource})."),
    ),
    (
        "QOSMin{}(NotSatisfied)?",
        Reason(_NEVER, "It asks for less than this queue (QOS) takes ({resource}). Choose another one.", "qos"),
    ),
    (
        "Max{}PerAccount",
        Reason(_LIMIT, "Your allocation uses as much as this queue (QOS) allows it at a time ({resource})."),
    ),
    (
        "Max{}RunMinsPer(Account|User)",
        Reason(
            _LIMIT,
            "Running jobs have as much time left as this queue (QOS) allows you or your allocation ({resource}). "
            "Less time might let it start earlier.",
        ),
    ),
)
"""Codes with a resource in them, as patterns, and what they mean."""

UNHEARD_OF = "The scheduler says: {code}."

_RESOURCE = "(?P<resource>BB|Billing|CPU|Cpu|Energy|GRES|License|Memory|Mem|Node|Unknown)"
_PATTERNS = tuple((re.compile(pattern.format(_RESOURCE)), reason) for pattern, reason in FAMILIES)
_SPELLINGS = {"Cpu": "CPU", "Memory": "Mem"}

_NOT_IN_LINE = ("BeginTime", "BurstBuffer", "Dependency", "FedJobLock", "QOS", "Reservation")
"""Beginnings of the codes that time helps against, and that let others go first."""

# squeue shows a longer text instead of the code where slurmctld has written one, with or without underscores.
_TEXTS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile(r"ReqNodeNotAvail, ?Reserved for maintenance.*"), _MAINTENANCE),
    (re.compile(r"Nodes required for job are DOWN.*"), CODES["ReqNodeNotAvail"]),
    (re.compile(r".*failed requeued held"), CODES["JobLaunchFailure"]),
    (re.compile(r"job requeued in held state|Job is in held state.*"), CODES["JobHeldAdmin"]),
)
_WITH_DETAIL = re.compile(r"(?P<code>[A-Za-z]+)[:,].*")
"""``ReqNodeNotAvail, UnavailableNodes:…``, ``RaisedSignal:9(Killed)``…"""


@lru_cache(maxsize=1024)  # a queue has thousands of jobs and a few codes
def _look_up(code: str) -> tuple[Reason | None, str]:
    """Find what a code means, and the English word of the resource in it."""
    if code in CODES or not code:
        return CODES[code or "None"], ""
    for pattern, family in _PATTERNS:
        if match := pattern.fullmatch(code):
            word = match["resource"]
            return family, RESOURCES[_SPELLINGS.get(word, word)]
    text = code.replace("_", " ")
    if reason := next((reason for pattern, reason in _TEXTS if pattern.fullmatch(text)), None):
        return reason, ""
    detailed = _WITH_DETAIL.fullmatch(text)
    return CODES.get(detailed["code"]) if detailed else None, ""


def kind_of(code: str) -> ReasonKind:
    """Tell what can end the waiting; an unheard-of code is for support, and never NEVER."""
    reason, _ = _look_up(code)
    return reason.kind if reason else ReasonKind.SUPPORT


def competes(code: str) -> bool:
    """Tell whether a job with this reason is in line for a place; what waits for anything else holds up nobody."""
    return kind_of(code) is ReasonKind.WAIT and not code.startswith(_NOT_IN_LINE)


def is_budget(code: str) -> bool:
    """Tell whether the job can never start because its allocation's budget does not cover it."""
    reason, _ = _look_up(code)
    return reason is not None and reason.limit == "budget"


def is_qos_limit(code: str) -> bool:
    """Tell whether the job can never start because it asks for more (or less) than a QOS, the allocation or the
    partition allows a single job.

    False for limits that end with other jobs, which are of :attr:`ReasonKind.LIMIT`.
    """
    reason, _ = _look_up(code)
    return reason is not None and reason.limit == "qos"


def why_it_waits(code: str, translate: Callable[[str], str] = str) -> str:
    """Say why a job waits; an unheard-of code is shown as it is, since an administrator will know it.

    Args:
        code: Slurm's code, or the longer text that squeue shows in its place; empty where there is none yet.
        translate: gives an English sentence of this module in another language.
    """
    reason, resource = _look_up(code)
    if reason is None:
        return translate(UNHEARD_OF).format(code=code)
    sentence = translate(reason.sentence)
    return sentence.format(resource=translate(resource)) if resource else sentence


def messages() -> Iterator[str]:
    """Give everything that :func:`why_it_waits` has translated."""
    yield from (reason.sentence for reason in (*CODES.values(), *dict(FAMILIES).values(), _MAINTENANCE))
    yield from RESOURCES.values()
    yield UNHEARD_OF
