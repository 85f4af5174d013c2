"""What of an event can be changed after it was created, what that needs, and how it is told.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hpchub.console.plans import Event, Plan, State
from hpchub.text import Counted, Sentence

WORDS_ONLY = frozenset({"title", "description"})
"""What says something and decides nothing: whoever manages an event may change it at any time."""
SETTLED = frozenset({"cluster", "allocation", "reservation"})
"""Where it takes place and who pays: what runs, and a reservation that was made, are there already."""
STARTED = frozenset({"starts_epoch", "setup_minutes"})
"""What has come true once it is open."""
WHAT_RUNS = frozenset({"profile", "size", "cluster", "allocation", "reservation", "material"})
"""What a rehearsal has tried."""
CHANGED_MEANWHILE = Sentence("Somebody else has just changed this event. Look at it, and try again.")
_LONGEST_VALUE = 200


def changed_fields(before: Plan, after: Plan) -> tuple[str, ...]:
    """Name the fields in which two plans differ, in the order of a plan."""
    return tuple(name for name in Plan.model_fields if getattr(before, name) != getattr(after, name))


def needs_approval(before: Plan, after: Plan) -> bool:
    """Tell whether what was approved becomes something else."""
    return not WORDS_ONLY.issuperset(changed_fields(before, after))


def obstacles(event: Event, after: Plan, now_epoch: float, *, reserved: bool) -> Iterator[Sentence]:
    """Say why an event cannot have a plan.

    Args:
        event: as it is.
        after: as it would be.
        now_epoch: in seconds since 1970.
        reserved: whether a reservation was made for it.
    """
    changed = frozenset(changed_fields(event.plan, after))
    is_open = event.state(now_epoch) is State.OPEN
    if is_open and changed & (SETTLED | STARTED):
        yield Sentence("While an event is open, its start, cluster, allocation and reservation stay as they are.")
    elif reserved and changed & SETTLED:
        yield Sentence(
            "Reservation {name} was made for this event: its cluster, its allocation and the name of its reservation "
            "stay as they are.",
            name=event.plan.reservation,
        )
    taken = len(event.participants) - sum(1 for seat in event.lent if seat.returned_epoch is None)
    if after.seats < taken + after.temporary_seats:
        yield Counted(
            "{n} seat is taken or lent: the event cannot have fewer.",
            "{n} seats are taken or lent: the event cannot have fewer.",
            taken + after.temporary_seats,
        )


def in_a_line(before: Plan, after: Plan) -> str:
    """Say for the record what was changed: ``seats: 20 → 25; title: GPU → GPUs``."""
    return "; ".join(
        name if name == "description" else f"{name}: {_value(before, name)} → {_value(after, name)}"
        for name in changed_fields(before, after)
    )


def _value(plan: Plan, name: str) -> str:
    value: Any = getattr(plan, name)
    if name in ("starts_epoch", "ends_epoch"):
        return moment(value)
    if isinstance(value, tuple):
        text = ", ".join(str(getattr(each, "name", each)) for each in value) or "none"
    else:
        text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def moment(epoch: int) -> str:
    """Write a time for the record, so that it can be read again."""
    return datetime.fromtimestamp(epoch, UTC).isoformat()
