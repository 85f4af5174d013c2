"""What a running notebook is told: when its time ends, and of its event the messages, its hand and who helps.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, StrictBool

from hpchub.catalogue.event import MINUTE_SECONDS, Event
from hpchub.catalogue.fields import Model
from hpchub.jobs.session import Session
from hpchub.jobs.waiting import time_limit_epoch
from hpchub.slurm.model import ClusterView

UNKNOWN_SECONDS = 20
"""Until a notebook asks again whose end is not known: its job was not seen to run yet."""
CLOSE_SECONDS = 60
"""The same where the end is close, so that a longer time is on the screen soon; and in an event without a place to
wait for news."""
QUIET_SECONDS = 600
"""The same of all others, which are most."""
CLOSE_MINUTES = 25
"""From then on an end is close: some time before the first warning."""


class Hand(Model):
    """A hand that is raised or lowered."""

    up: StrictBool
    """Whether it is up from now on."""


class Use(Model):
    """What a notebook says of its GPUs."""

    gpu_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """How busy they were since it spoke last; of several the mean."""


def event_of(session: Session, events: Iterable[Event]) -> Event | None:
    """Give the event that a session belongs to, as it was told last; None where it belongs to none that is known."""
    return next((event for event in events if event.slug == session.request.event), None)


def end_epoch(session: Session, view: ClusterView | None, event: Event | None) -> int | None:
    """Tell when a session that runs ends: by its job's time limit, or with its event if that is earlier."""
    limit = time_limit_epoch(session, view)
    return limit if limit is None or event is None else min(limit, event.closes_epoch)


def told(session: Session, view: ClusterView | None, event: Event | None, now_epoch: float) -> dict[str, Any]:
    """Give what the notebook of a session shows.  It changes only with what it is about, never with the time alone.

    Args:
        session: the session.
        view: what its cluster said last.
        event: what :func:`event_of` gave.
        now_epoch: decides which help is over.
    """
    user = session.request.user
    helpers = [
        {"name": each.helper, "until_epoch": each.until_epoch}
        for each in (event.let_in if event else ())
        if each.session == session.id and each.until_epoch > now_epoch
    ]
    return {
        "ends_epoch": end_epoch(session, view, event),
        "event": {"slug": event.slug, "title": event.title} if event else None,
        # Trainers need no help of their own.
        "hand": user in event.hands if event is not None and user not in event.trainers else None,
        "messages": [
            {"epoch": message.epoch, "who": message.who, "says": message.says}
            for message in (event.messages if event else ())
            if message.is_for(user)
        ],
        "helpers": helpers,
    }


def pause_seconds(ends_epoch: int | None, in_event: bool, now_epoch: float) -> int:
    """Say when a notebook shall ask again that did not wait for news.

    Most have none for hours: a thousand that ask every ten minutes are fewer than two questions a second.
    """
    if ends_epoch is None:
        return UNKNOWN_SECONDS
    left = ends_epoch - now_epoch - CLOSE_MINUTES * MINUTE_SECONDS
    if in_event or left <= CLOSE_SECONDS:
        return CLOSE_SECONDS
    return min(QUIET_SECONDS, int(left))
