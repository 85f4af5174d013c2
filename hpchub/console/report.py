"""What an event was: who came, how long they waited, what they used.  Pure.

Times are those at which the hub saw a job start and end, which is some seconds after Slurm's own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from hpchub.console.plans import Event
from hpchub.console.room import AS_WANTED

_HOUR_SECONDS = 3600
_MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Used:
    """A session of an event, as it is remembered."""

    user: str
    cluster: str
    job_id: str
    gpus: int
    asked_epoch: float
    started_epoch: float | None
    """When its job ran; None where it never did."""
    until_epoch: float
    """When it ended, or when it was last seen alive."""
    ending: str | None

    @property
    def seconds(self) -> float:
        """For how long its job ran."""
        return 0 if self.started_epoch is None else max(self.until_epoch - self.started_epoch, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """What one person did in an event."""

    name: str
    joined: str
    """When they took their seat, in UTC; empty for a trainer."""
    by: str
    """``code``, ``list`` or ``group``; ``trainer`` for a trainer."""
    sessions: int
    failures: int
    """Sessions that ended as nobody wanted it."""
    waited_minutes: float
    """The longest time between a click and a running job."""
    hours: float
    gpu_hours: float


@dataclass(frozen=True, slots=True)
class Report:
    """An event in numbers."""

    lines: tuple[Line, ...]
    seats: int
    came: int
    """People with a seat who had a running job."""
    sessions: int
    failures: int
    hours: float
    gpu_hours: float


def report(event: Event, used: Iterable[Used]) -> Report:
    """Sum up an event, a line for everybody with a seat and for trainers who started something."""
    sessions = list(used)
    lines = [
        _line(each.name, each.joined_epoch, each.by, [one for one in sessions if one.user == each.name])
        for each in event.participants
    ]
    seated = {line.name for line in lines}
    for name in event.trainers:
        own = [one for one in sessions if one.user == name]
        if own and name not in seated:
            lines.append(_line(name, None, "trainer", own))
    return Report(
        lines=tuple(lines),
        seats=event.plan.seats,
        came=sum(1 for line in lines if line.name in seated and line.hours > 0),
        sessions=sum(line.sessions for line in lines),
        failures=sum(line.failures for line in lines),
        hours=_hours(sum(one.seconds for one in sessions)),
        gpu_hours=_hours(sum(one.seconds * one.gpus for one in sessions)),
    )


def as_csv(told: Report) -> str:
    """Write the lines for a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Line)])
    writer.writeheader()
    writer.writerows(asdict(line) for line in told.lines)
    return text.getvalue()


def _line(name: str, joined_epoch: float | None, by: str, own: list[Used]) -> Line:
    waits = [one.started_epoch - one.asked_epoch for one in own if one.started_epoch is not None]
    return Line(
        name=name,
        joined="" if joined_epoch is None else datetime.fromtimestamp(joined_epoch, UTC).strftime("%Y-%m-%d %H:%M"),
        by=by,
        sessions=len(own),
        failures=sum(1 for one in own if one.ending is not None and one.ending not in AS_WANTED),
        waited_minutes=round(max(waits, default=0) / _MINUTE_SECONDS, 1),
        hours=_hours(sum(one.seconds for one in own)),
        gpu_hours=_hours(sum(one.seconds * one.gpus for one in own)),
    )


def _hours(seconds: float) -> float:
    return round(seconds / _HOUR_SECONDS, 4)
