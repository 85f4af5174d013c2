"""Why a session ended, and what a person can do about it.  Pure.

Each ending is a code (stable: for metrics, tests and support) and a sentence.  Words of Slurm, of the job's log or of
a request enter the sentences as plain text; pages escape them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from hpchub.jobs import exits
from hpchub.slurm.model import Job
from hpchub.slurm.reasons import why_it_waits

if TYPE_CHECKING:
    from hpchub.jobs.request import JobRequest


class Ending(StrEnum):
    """The reasons why a session is over."""

    STOPPED = "stopped"
    STOP_OWED = "stop-owed"
    ACCESS_ENDED = "access-ended"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    TIME_LIMIT = "time-limit"
    OUT_OF_MEMORY = "out-of-memory"
    NODE_FAILURE = "node-failure"
    PREEMPTED = "preempted"
    REQUEUED = "requeued"
    DEADLINE = "deadline"
    BUDGET_SPENT = "budget-spent"
    QOS_LIMIT = "qos-limit"
    REFUSED = "refused"
    HOME_FULL = "home-full"
    NOT_SUBMITTED = "not-submitted"
    NO_ENVIRONMENT = "no-environment"
    BROKEN_ENVIRONMENT = "broken-environment"
    NO_PLACE = "no-place"
    SERVER_EXITED = "server-exited"
    SILENT_SERVER = "silent-server"
    HUB_UNREACHABLE = "hub-unreachable"
    NODE_UNREACHABLE = "node-unreachable"
    CERTIFICATES_UNREADABLE = "certificates-unreadable"
    ENCRYPTION_CHANGED = "encryption-changed"
    JOB_FAILED = "job-failed"


SENTENCES: dict[Ending, str] = {
    Ending.STOPPED: "The session was stopped.",
    Ending.STOP_OWED: (
        "The session was stopped, but Slurm on {cluster} has not accepted the cancel of its job yet. The job is "
        "cancelled as soon as Slurm does; you need to do nothing."
    ),
    Ending.ACCESS_ENDED: (
        "The session was ended together with your access to this service. {detail} Saved files are there."
    ),
    Ending.FINISHED: "The notebook server was shut down from inside.",
    Ending.CANCELLED: (
        "The job was cancelled outside of this page, with scancel, by you or by an administrator. "
        "Start again, or ask support if it was not you."
    ),
    Ending.TIME_LIMIT: "The time that was asked for ({minutes} min) is over. Start again, with more time if needed.",
    Ending.OUT_OF_MEMORY: (
        "The session needed more than its {memory_gb} GB of memory and was ended. Start again with a larger size."
    ),
    Ending.NODE_FAILURE: "The compute node {node} failed. Nothing that you did caused it; start again.",
    Ending.PREEMPTED: "A job with a higher priority took the place of this one. Start again, or choose another queue.",
    Ending.REQUEUED: (
        "Slurm sent the job back into the queue after it had run, because of its node, another job or an "
        "administrator. What ran in the session is gone, so the job was cancelled. Start again; saved files are there."
    ),
    Ending.DEADLINE: "The job could not start before its deadline. Start again with a shorter time.",
    Ending.BUDGET_SPENT: (
        "The budget of {account} does not cover this session on {cluster}, so it would have waited for ever and was "
        "ended. Choose less time, a smaller size or another allocation. What your running jobs may still use counts "
        "too, until they end."
    ),
    Ending.QOS_LIMIT: "{cluster} can never start this session, so it was ended. {why}",
    Ending.REFUSED: "{cluster} refused the job: {detail}",
    Ending.HOME_FULL: (
        "Nothing was submitted, because your home folder cannot be written: {detail}. If it is full, remove files that "
        "you do not need, also those in ~/.cache and in the trash, and start again."
    ),
    Ending.NOT_SUBMITTED: "The job was not submitted: {detail}",
    Ending.NO_ENVIRONMENT: (
        "The environment of {profile} is missing on the node {node}: there is no {environment}. "
        "It has to be built by the people who run this service; choose another profile until then."
    ),
    Ending.BROKEN_ENVIRONMENT: (
        "The environment of {profile} does not run on the node {node}: {environment}/bin/python could not be started. "
        "The people who run this service have to mend it; choose another profile until then."
    ),
    Ending.NO_PLACE: (
        "The notebook server did not start, because the node {node} has no place where this session's certificate can "
        "be written: no folder of temporary files takes it. The people who run this service have to mend it: tell "
        "support the name of the node."
    ),
    Ending.SERVER_EXITED: (
        "The notebook server ended by itself while it started or ran. Its last lines follow; if they name a file of "
        "yours, mend or move that and start again."
    ),
    Ending.SILENT_SERVER: (
        "The job runs on {node}, but its notebook server did not begin to listen within {seconds} s. The job was "
        "cancelled. Start again; if it happens again, tell support."
    ),
    Ending.HUB_UNREACHABLE: (
        "The job started on the node {node} ({address}), but could not reach the hub at {hub_url}. The job was "
        "cancelled. This is a fault of the network or of the service's settings: tell support these two addresses."
    ),
    Ending.NODE_UNREACHABLE: (
        "The notebook server runs on {node}, but the hub at {hub_url} cannot reach it at {address}:{port}. The job was "
        "cancelled. This is a fault of the network or of the service's settings: tell support these two addresses."
    ),
    Ending.CERTIFICATES_UNREADABLE: (
        "The hub cannot read the certificates by which it and its notebooks know each other, so this session could "
        "not be used and was ended. Nothing that you did caused it: tell support."
    ),
    Ending.ENCRYPTION_CHANGED: (
        "The service was changed: what it says to notebooks is encrypted now and was not when this session began, or "
        "the other way round. This session could not be reached any more, so its job was cancelled. Start again; "
        "saved files are there."
    ),
    Ending.JOB_FAILED: "The job ended in Slurm's state {slurm_state}. Start again; if it happens again, tell support.",
}
"""What happened, what it means, what to do."""

CANCELLED_BY: dict[str, str] = {
    "owner": (
        "The job was cancelled outside of this page, with scancel, by you yourself. Start again when you like, or ask "
        "support if it was not you."
    ),
    "other": "The job was cancelled by an administrator. Start again, or ask support for the reason.",
}
"""How a cancelled session ended, once the accounting has told by whom; no other person is ever named."""

_BY_EXIT_STATUS = {
    exits.NO_ENVIRONMENT: Ending.NO_ENVIRONMENT,
    exits.SERVER_EXITED: Ending.SERVER_EXITED,
    exits.HUB_UNREACHABLE: Ending.HUB_UNREACHABLE,
    exits.NOT_WANTED: Ending.STOPPED,
    exits.NO_PLACE: Ending.NO_PLACE,
    126: Ending.BROKEN_ENVIRONMENT,  # the shell: cannot execute (another architecture)
    127: Ending.BROKEN_ENVIRONMENT,  # the shell: not found (a missing interpreter or library)
}

_BY_SLURM_STATE = {
    "TIMEOUT": Ending.TIME_LIMIT,
    "OUT_OF_MEMORY": Ending.OUT_OF_MEMORY,
    "NODE_FAIL": Ending.NODE_FAILURE,
    "BOOT_FAIL": Ending.NODE_FAILURE,
    "PREEMPTED": Ending.PREEMPTED,
    "DEADLINE": Ending.DEADLINE,
    "CANCELLED": Ending.CANCELLED,
    "COMPLETED": Ending.FINISHED,
}


def ending_of(job: Job) -> Ending:
    """Decide why a job ended, from what Slurm says of it."""
    by_state = _BY_SLURM_STATE.get(job.slurm_state.split(" ", 1)[0])
    if by_state is not None:
        return by_state
    return _BY_EXIT_STATUS.get(job.exit_status or 0, Ending.JOB_FAILED)


def cancelled_by(job: Job) -> str:
    """Tell from the accounting's record who cancelled a job: ``owner``, ``other``, or an empty text if it is unknown.

    sacct writes ``CANCELLED by NUMBER``; squeue only ``CANCELLED``.
    """
    state, _, number = job.slurm_state.partition(" by ")
    if state != "CANCELLED" or not number.isdigit() or job.user_id is None:
        return ""
    return "owner" if int(number) == job.user_id else "other"


def sentence(ending: Ending, request: JobRequest, translate: Callable[[str], str] = str, /, **facts: object) -> str:
    """Say what happened, what it means and what to do.

    Args:
        ending: why the session ended.
        request: what was asked for.
        translate: gives an English sentence of :data:`SENTENCES`, :data:`CANCELLED_BY`, the reasons and the refusals in
            another language.
        facts: what else the sentence names (``node``, ``address``, ``port``, ``hub_url``, ``detail``, ``reason`` …); an
            unknown one is written as "unknown".  ``by`` is what :func:`cancelled_by` gives.
    """
    known: dict[str, object] = {
        "account": request.account,
        "minutes": request.minutes,
        "memory_gb": round(request.memory_mb / 1024),
        "cluster": request.cluster,
        "profile": request.profile,
        "environment": " ".join(request.modules) or request.environment,
    }
    named = {**dict.fromkeys(_FACTS, "unknown"), **known, **{key: fact for key, fact in facts.items() if fact}}
    if facts.get("detail"):
        named["detail"] = translate(str(facts["detail"]))
    if facts.get("reason"):
        named["why"] = why_it_waits(str(facts["reason"]), translate)
    text = CANCELLED_BY.get(str(facts.get("by"))) if ending is Ending.CANCELLED else None
    return translate(text or SENTENCES[ending]).format(**named)


_FACTS = ("node", "address", "port", "hub_url", "detail", "seconds", "slurm_state", "why")
