"""The room: every seat of an event as the hub's sessions tell it.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hpchub.console.plans import Event
from hpchub.jobs.endings import Ending
from hpchub.text import Sentence


class SeatState(StrEnum):
    """What is with a seat."""

    AWAY = "away"
    """Its person has joined, or is named, and has no notebook of the event."""
    QUEUED = "queued"
    STARTING = "starting"
    WORKING = "working"
    ENDING = "ending"
    ENDED = "ended"
    """Its notebook has ended as its person or its time wanted it."""
    FAILED = "failed"


WORDS: Mapping[SeatState, Sentence] = {
    SeatState.AWAY: Sentence("no notebook"),
    SeatState.QUEUED: Sentence("in the queue"),
    SeatState.STARTING: Sentence("starting"),
    SeatState.WORKING: Sentence("working"),
    SeatState.ENDING: Sentence("ending"),
    SeatState.ENDED: Sentence("ended"),
    SeatState.FAILED: Sentence("failed"),
}
"""What people call a state, in the order of the counts above the tiles."""

_PHASES = {
    "submitted": SeatState.QUEUED,
    "queued": SeatState.QUEUED,
    "starting": SeatState.STARTING,
    "ready": SeatState.WORKING,
    "ending": SeatState.ENDING,
}
AS_WANTED = (Ending.STOPPED, Ending.FINISHED, Ending.TIME_LIMIT)
"""Endings that are no failures."""


@dataclass(frozen=True, slots=True)
class SessionTold:
    """A session of an event, as the hub tells it."""

    id: str
    user: str
    server: str
    phase: str
    begun_epoch: float
    ends_epoch: float | None
    ending: str | None
    sentence: str
    """Where it is now, or why it ended, in the language that was asked for."""
    node: str | None
    cluster: str
    job_id: str | None
    gpus: int
    started_epoch: float | None
    """When its job ran."""
    ended_epoch: float | None


@dataclass(frozen=True, slots=True)
class Seat:
    """A tile of the room."""

    name: str
    state: SeatState
    says: str
    """What is to be known: why it waits, why it failed, why it was not started; empty where the state says it all."""
    server: str = ""
    """The server of the event, by its name."""
    session_id: str = ""
    ends_epoch: float | None = None
    """When its time is over, while it runs."""
    node: str = ""

    @property
    def active(self) -> bool:
        """Whether there is something to stop."""
        return self.state not in (SeatState.AWAY, SeatState.ENDED, SeatState.FAILED)


def room(event: Event, sessions: Iterable[SessionTold], refusals: Mapping[str, str]) -> list[Seat]:
    """Give a tile for everybody who has joined or is named, by name.

    Args:
        event: the event.
        sessions: those of the event; of a person the one that lives, or else the last, is shown.
        refusals: why the hub would not start somebody's notebook when it was asked last, by person.
    """
    last: dict[str, SessionTold] = {}
    for session in sorted(sessions, key=lambda each: (each.phase != "ended", each.begun_epoch)):
        last[session.user] = session
    people = sorted({*(each.name for each in event.participants), *event.plan.people})
    return [_seat(name, last.get(name), refusals.get(name, "")) for name in people]


def counts(seats: Iterable[Seat]) -> list[tuple[SeatState, int]]:
    """Count the seats by state, in the order of :data:`WORDS`; states that nobody is in are left out."""
    found = Counter(seat.state for seat in seats)
    return [(state, found[state]) for state in WORDS if found[state]]


def _seat(name: str, session: SessionTold | None, refusal: str) -> Seat:
    if session is None:
        return Seat(name, SeatState.FAILED if refusal else SeatState.AWAY, refusal)
    state = _PHASES.get(session.phase)
    if state is None:
        if refusal:
            return Seat(name, SeatState.FAILED, refusal)
        state = SeatState.ENDED if session.ending in AS_WANTED else SeatState.FAILED
    says = "" if state in (SeatState.WORKING, SeatState.ENDING) else session.sentence
    return Seat(
        name,
        state,
        says,
        server=session.server,
        session_id=session.id,
        ends_epoch=session.ends_epoch,
        node=session.node or "",
    )
