"""What a waiting person is told: what has happened, why the session waits, its place, and how fresh that is.  Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from hpchub.jobs import endings
from hpchub.jobs.session import Phase, Session
from hpchub.slurm.model import ClusterView, JobState
from hpchub.slurm.queue import place_of
from hpchub.slurm.reasons import kind_of, why_it_waits

Translate = Callable[[str], str]

SENTENCES: dict[Phase, str] = {
    Phase.SUBMITTED: "Asking {cluster} for a place.",
    Phase.QUEUED: "Job {job_id} waits on {cluster}.",
    Phase.STARTING: "Job {job_id} runs on {node}; the notebook server is starting.",
    Phase.READY: "The notebook server is ready.",
    Phase.ENDING: "The job is ending.",
}
"""Where a session is, that is not over."""
PLACE = "Place {position} of {of}."
SILENT = "Slurm on {cluster} does not answer at the moment; nothing is lost."
CHECKING = "The choice is being checked."
"""Before there is a session."""


def time_limit_epoch(session: Session, view: ClusterView | None) -> int | None:
    """Tell when the time limit ends a job that runs, as Slurm says it now: an administrator may have changed it."""
    job = view.jobs.get(session.job_id) if view else None
    return job.end_epoch if job is not None and job.state is JobState.RUNNING else None


def news(session: Session, view: ClusterView | None, translate: Translate = str) -> dict[str, Any]:
    """Give the fields that a session of the API and an event of the progress stream have in common.

    Args:
        session: the session.
        view: what its cluster said last; None where nobody watches that any more.
        translate: gives an English sentence in the reader's language.
    """
    queue = waiting(session, view, translate)
    return {
        "phase": session.phase,
        "sentence": sentence(session, view, queue, translate),
        "timeline": timeline(session),
        "waiting": queue,
        "cluster_says": {
            "taken_epoch": view.taken_epoch if view else None,
            "silent_since_epoch": view.silent_since_epoch if view else None,
        },
    }


def sentence(
    session: Session, view: ClusterView | None, waiting: Mapping[str, Any] | None, translate: Translate = str
) -> str:
    """Say where a session is, in one or a few sentences; of one that is over, why."""
    if session.over:
        return end_of(session, translate)
    request = session.request
    facts = {"cluster": request.cluster, "job_id": session.job_id, "node": session.node or request.cluster}
    said = [translate(SENTENCES[session.phase]).format(**facts)]
    if waiting:
        said.append(waiting["sentence"])
        if waiting["position"]:
            said.append(translate(PLACE).format(**waiting))
    if view is not None and view.silent_since_epoch is not None:
        said.append(translate(SILENT).format(**facts))
    return " ".join(said)


def end_of(session: Session, translate: Translate = str) -> str:
    """Say why a session is over; one that an older version ended is told of in English."""
    if session.ending is None or not session.facts:
        return session.says
    return endings.sentence(session.ending, session.request, translate, **session.facts)


def timeline(session: Session) -> list[dict[str, Any]]:
    """Give the phases that were reached and when; one that went by unseen, between two answers, is left out."""
    reached = {Phase.SUBMITTED.value: session.begun_epoch, **session.reached}
    return [{"phase": phase.value, "epoch": reached[phase.value]} for phase in Phase if phase.value in reached]


def waiting(session: Session, view: ClusterView | None, translate: Translate) -> dict[str, Any] | None:
    """Give why a session waits in the queue and where it stands; None for one that does not wait there."""
    if session.phase is not Phase.QUEUED:
        return None
    place = place_of(view, session.job_id) if view else None
    epoch, source = expected_start(session, view)
    return {
        "code": session.reason or None,
        "kind": kind_of(session.reason),
        "sentence": why_it_waits(session.reason, translate),
        "position": place.position if place else None,
        "of": place.of if place else None,
        "expected_start_epoch": epoch,
        "expected_start_source": source,
    }


def expected_start(
    session: Session, view: ClusterView | None
) -> tuple[int | None, Literal["scheduler", "estimate", None]]:
    """Give when the job is expected to start, and who says so: the scheduler's plan, else Slurm's estimate.

    A time that has passed is no news of either.
    """
    planned = planned_start(session, view)
    if planned is not None:
        return planned, "scheduler"
    if session.estimate_epoch > time.time():
        return session.estimate_epoch, "estimate"
    return None, None


def planned_start(session: Session, view: ClusterView | None) -> int | None:
    """Give when the scheduler means to start the job (what ``squeue --start`` shows); None where it has no plan."""
    job = view.jobs.get(session.job_id) if view else None
    if job is None or job.start_epoch is None or job.start_epoch <= time.time():
        return None
    return job.start_epoch


def messages() -> Iterator[str]:
    """Give everything of this module's that is translated."""
    yield from (*SENTENCES.values(), PLACE, SILENT, CHECKING)
