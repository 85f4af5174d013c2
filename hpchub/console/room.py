"""The room: every seat of an event as the hub's sessions tell it.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
    IDLE = "idle"
    """Its notebook runs, and has done nothing for a while."""
    ENDING = "ending"
    ENDED = "ended"
    """Its notebook has ended as its person or its time wanted it."""
    FAILED = "failed"


WORDS: Mapping[SeatState, Sentence] = {
    SeatState.AWAY: Sentence("no notebook"),
    SeatState.QUEUED: Sentence("in the queue"),
    SeatState.STARTING: Sentence("starting"),
    SeatState.WORKING: Sentence("working"),
    SeatState.IDLE: Sentence("idle"),
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
_MINUTE_SECONDS = 60
CARD_UNUSED = Sentence("Its card was not used yet.")
"""Of a temporary seat to which nobody has come, whatever runs in it."""
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
    active_epoch: float | None = None
    """When its server did something last, as the hub knew it some minutes ago at most; None where it does not know."""
    gpu_percent: int | None = None
    """How busy its GPUs are; None where nobody told."""
    ready_epoch: float | None = None
    """When its notebook listened."""
    troubles: str = ""
    """What of the event's files it has not, in the same language as the sentence."""


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
    team: str = ""
    """The team that its person is in; empty where they are in none."""
    idle_minutes: int = 0
    """For how long its notebook has done nothing, where it is idle."""
    gpu_percent: int | None = None
    """How busy its GPUs are; None where that is not known."""

    @property
    def active(self) -> bool:
        """Whether there is something to stop."""
        return self.state not in (SeatState.AWAY, SeatState.ENDED, SeatState.FAILED)


def last_of_each(sessions: Iterable[SessionTold]) -> dict[str, SessionTold]:
    """Give of each person the session that lives, or else the last one."""
    return {each.user: each for each in sorted(sessions, key=lambda each: (each.phase != "ended", each.begun_epoch))}


def room(
    event: Event,
    sessions: Iterable[SessionTold],
    refusals: Mapping[str, str],
    now_epoch: float = 0,
    idle_minutes: int = 0,
    name: str = "",
) -> list[Seat]:
    """Give a tile for everybody who has joined or is named, by name.

    Args:
        event: the event.
        sessions: those of the event; of a person the one that lives, or else the last, is shown.
        refusals: why the hub would not start somebody's notebook when it was asked last, by person.
        now_epoch: the time.
        idle_minutes: a notebook that has done nothing for so long is idle; 0: none ever is.
        name: gives this person's alone.
    """
    last = last_of_each(sessions)
    people = [name] if name else sorted({*(each.name for each in event.participants), *event.plan.people})
    seats = (replace(_seat(name, last.get(name), refusals.get(name, "")), team=event.team_of(name)) for name in people)
    seats = (_idle(seat, last.get(seat.name), now_epoch, idle_minutes) for seat in seats)
    return [replace(seat, says=seat.says or CARD_UNUSED) if event.never_came(seat.name) else seat for seat in seats]


def _idle(seat: Seat, session: SessionTold | None, now_epoch: float, idle_minutes: int) -> Seat:
    if session is None or seat.state is not SeatState.WORKING:
        return seat
    seat = replace(seat, gpu_percent=session.gpu_percent)
    minutes = int(now_epoch - session.active_epoch) // _MINUTE_SECONDS if session.active_epoch else 0
    if not 0 < idle_minutes <= minutes:
        return seat
    return replace(seat, state=SeatState.IDLE, idle_minutes=minutes)


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
    says = session.troubles if state in (SeatState.WORKING, SeatState.ENDING) else session.sentence
    return Seat(
        name,
        state,
        says,
        server=session.server,
        session_id=session.id,
        ends_epoch=session.ends_epoch,
        node=session.node or "",
    )
