"""What the pages say about one server and its session, in the reader's words.  Pure but for the clock.

Phases have a word each, so that an icon, a page's title and a step of the timeline say the same.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hpchub.catalogue.model import Catalogue, in_language
from hpchub.jobs.session import ORDER, Phase, Session
from hpchub.jobs.waiting import CHECKING, end_of, news, time_limit_epoch
from hpchub.slurm.model import ClusterView
from hpchub.text import Speech, translated

State = Literal["waiting", "running", "stopping", "stopped"]

STEPS: Mapping[Phase, str] = {
    Phase.SUBMITTED: "Submitted",
    Phase.QUEUED: "In the queue",
    Phase.STARTING: "Starting",
    Phase.READY: "Opening",
}
"""The way to a running notebook, and what each step is called."""
HEADINGS: Mapping[Phase, str] = {
    Phase.SUBMITTED: "Your notebook is on its way",
    Phase.QUEUED: "Your notebook is in the queue",
    Phase.STARTING: "Your notebook is starting",
    Phase.READY: "Your notebook is opening",
    Phase.ENDING: "Your notebook is ending",
    Phase.ENDED: "Your notebook has ended",
}
STATES: Mapping[State, str] = {
    "waiting": "Waiting",
    "running": "Running",
    "stopping": "Stopping",
    "stopped": "Not running",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the timeline."""

    phase: str
    title: str
    state: Literal["done", "now", "todo"]
    epoch: float | None
    """When it was reached; None where it was not, or went by unseen."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that the waiting page shows of a session."""

    heading: str
    title: str
    """Of the step, short enough for a tab."""
    sentence: str
    steps: tuple[Step, ...]
    code: str
    """Slurm's reason; empty where there is none."""
    position: int | None
    of: int | None
    expected_epoch: float | None
    """When it is expected to start."""
    told_epoch: float | None
    """When the scheduler said so; None for an estimate."""
    silent_since_epoch: float | None


def waiting(session: Session | None, views: Mapping[str, ClusterView], language: str) -> Waiting:
    """Tell a waiting person where their session is; before there is one, that the choice is being checked."""

    def say(text: str) -> str:
        return translated(text, language)

    phase = session.phase if session else Phase.SUBMITTED
    view = views.get(session.request.cluster) if session else None
    # That Slurm is silent, and since when, is told by itself.
    heard = replace(view, silent_since_epoch=None) if view else None
    told: Mapping[str, Any] = news(session, heard, say) if session else {"sentence": say(CHECKING), "timeline": []}
    queue = told.get("waiting") or {}
    reached = {each["phase"]: each["epoch"] for each in told["timeline"]}
    heading = HEADINGS[phase]
    return Waiting(
        heading=say(heading),
        title=say(STEPS.get(phase, heading)),
        sentence=queue.get("sentence") or told["sentence"],
        steps=tuple(
            Step(each.value, say(title), _progress(each, phase, reached), reached.get(each.value))
            for each, title in STEPS.items()
        ),
        code=queue.get("code") or "",
        position=queue.get("position"),
        of=queue.get("of"),
        expected_epoch=queue.get("expected_start_epoch"),
        told_epoch=view.queue_epoch if view and queue.get("expected_start_source") == "scheduler" else None,
        silent_since_epoch=view.silent_since_epoch if view else None,
    )


def _progress(step: Phase, now: Phase, reached: Container[str]) -> Literal["done", "now", "todo"]:
    if step is now:
        return "now"
    # On the way a step may go by unseen; at the end it may never have come.
    done = ORDER[step] < ORDER[now] if now in STEPS else step.value in reached
    return "done" if done else "todo"


@dataclass(frozen=True, slots=True)
class Card:
    """One server on the home page."""

    name: str
    """The server's name; empty for the default server."""
    title: str
    """What the person calls it."""
    state: State
    word: str
    """The state in the reader's language; for a session that waits, its step."""
    what: str
    """The profile and the size of what runs, or ran last; empty where nothing ever did."""
    where: str
    """The cluster and the node."""
    pays: str
    ends_epoch: float | None
    """When the time of what runs is over; None where nobody knows."""
    minutes_left: int | None
    says: str
    """Why the last session ended; empty while one lives."""
    session_id: str


def card(spawner: Any, catalogue: Catalogue, views: Mapping[str, ClusterView], speech: Speech) -> Card:
    """Describe a server; ``spawner`` is one of JupyterHub's with a ``session`` of ours."""
    session: Session | None = spawner.session
    language = speech.language
    state = _state(spawner, session)
    word = translated(STATES[state], language)
    if session and state == "waiting" and session.phase in STEPS:
        word = translated(STEPS[session.phase], language)
    ends = time_limit_epoch(session, views.get(session.request.cluster)) if session and state == "running" else None
    return Card(
        name=spawner.name,
        title=spawner.display_name or spawner.name or speech.say("Notebook"),
        state=state,
        word=word,
        what=_what(session, catalogue, language) if session else "",
        where=_where(session, catalogue, language) if session else "",
        pays=session.request.account if session else "",
        ends_epoch=ends,
        minutes_left=max(int(ends - time.time()) // 60, 0) if ends else None,
        says=end_of(session, lambda text: translated(text, language)) if session and state == "stopped" else "",
        session_id=session.id if session else "",
    )


def _state(spawner: Any, session: Session | None) -> State:
    if spawner.pending == "stop":
        return "stopping"
    if not spawner.active:
        return "stopped"
    if session is not None and session.phase is Phase.READY:
        return "running"
    return "stopping" if session is not None and session.phase in (Phase.ENDING, Phase.ENDED) else "waiting"


def _what(session: Session, catalogue: Catalogue, language: str) -> str:
    profile = catalogue.profiles.get(session.request.profile)
    title = in_language(profile.title, language) if profile else session.request.profile
    gpus = session.request.gpus
    if not gpus:
        return title
    cluster = catalogue.site.clusters.get(session.request.cluster)
    kind = session.request.gpu_type or ""
    return f"{title}, {gpus} × {cluster.gpus.get(kind, kind) if cluster else kind}"


def _where(session: Session, catalogue: Catalogue, language: str) -> str:
    cluster = catalogue.site.clusters.get(session.request.cluster)
    title = in_language(cluster.title, language) if cluster else session.request.cluster
    return ", ".join(filter(None, [title, session.node]))


def messages() -> Iterator[str]:
    """Give everything of this module's tables that is translated."""
    yield from (*STEPS.values(), *HEADINGS.values(), *STATES.values())
