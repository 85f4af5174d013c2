"""What an event was: who came, how long they waited, what failed and why, what they used.  Pure.

Hours are those of Slurm's accounting as soon as it has them.  Until then, and for waits, times are those at which the
hub saw a job start and end, which is some seconds after Slurm's own; each line says which it has.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from hpchub.console.plans import Event
from hpchub.console.room import AS_WANTED

SESSION_COLUMNS = (
    *("name", "cluster", "job_id", "asked", "started", "until"),
    *("hours", "gpu_hours", "core_hours", "accounted", "ending"),
)
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
    accounted_seconds: int | None = None
    """How long its job ran by Slurm's accounting; None while that is not known."""
    accounted_gpus: int | None = None
    """How many GPUs it held; None where the accounting does not count them."""
    core_hours: float | None = None
    """What the accounting has of what the site charges; None while that is not known."""

    @property
    def without_a_job(self) -> bool:
        """Whether it ended before Slurm had a job of it: the accounting will never know it, and it used nothing."""
        return not self.job_id and self.ending is not None

    @property
    def accounted(self) -> bool:
        """Whether its hours are those of Slurm's accounting."""
        return self.without_a_job or self.accounted_seconds is not None

    @property
    def charged(self) -> float | None:
        """What the site charges for it, in core-hours; None while that is not known."""
        return 0.0 if self.without_a_job else self.core_hours

    @property
    def seconds(self) -> float:
        """For how long its job ran, by Slurm's accounting or else as the hub saw it."""
        if self.without_a_job:
            return 0
        if self.accounted_seconds is not None:
            return self.accounted_seconds
        return 0 if self.started_epoch is None else max(self.until_epoch - self.started_epoch, 0)

    @property
    def gpu_seconds(self) -> float:
        """The same for all its GPUs together."""
        return self.seconds * (self.gpus if self.accounted_gpus is None else self.accounted_gpus)

    @property
    def failed(self) -> bool:
        """Whether it ended as nobody wanted it."""
        return self.ending is not None and self.ending not in AS_WANTED


@dataclass(frozen=True, slots=True)
class Line:
    """What one person did in an event."""

    name: str
    joined: str
    """When they took their seat, in UTC; empty for a trainer."""
    by: str
    """``code``, ``list``, ``group`` or ``seat``; ``trainer`` for a trainer."""
    sessions: int
    failures: int
    """Sessions that ended as nobody wanted it."""
    waited_minutes: float
    """The longest time between a click and a running job."""
    hours: float
    gpu_hours: float
    core_hours: float | None
    """What the site charges; None while that is not known of each session."""
    accounted: bool
    """Whether the hours are those of Slurm's accounting; else they are as the hub saw them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A session that ended as nobody wanted it."""

    name: str
    ended_epoch: float
    ending: str
    """Why, in a word."""
    cluster: str
    job_id: str


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
    core_hours: float | None
    """What the site charges; None while that is not known of each session."""
    accounted: bool
    """Whether all hours are those of Slurm's accounting."""
    failed: tuple[Failure, ...]


def report(event: Event, used: Iterable[Used]) -> Report:
    """Sum up an event, a line for everybody with a seat and for trainers who started something."""
    sessions = list(used)
    lines = [
        _line(
            each.name,
            None if event.never_came(each.name) else each.joined_epoch,
            each.by,
            [one for one in sessions if one.user == each.name],
        )
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
        gpu_hours=_hours(sum(one.gpu_seconds for one in sessions)),
        core_hours=_core_hours(sessions),
        accounted=all(one.accounted for one in sessions),
        failed=tuple(
            Failure(one.user, one.until_epoch, str(one.ending), one.cluster, one.job_id)
            for one in sessions
            if one.failed
        ),
    )


def as_csv(told: Report) -> str:
    """Write the lines for a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Line)])
    writer.writeheader()
    writer.writerows(asdict(line) for line in told.lines)
    return text.getvalue()


def sessions_as_csv(used: Iterable[Used]) -> str:
    """Write every session for a spreadsheet, for whoever has to account for each job."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(SESSION_COLUMNS)
    for one in used:
        hours = (_hours(one.seconds), _hours(one.gpu_seconds), _rounded(one.charged))
        times = (_time(one.asked_epoch), _time(one.started_epoch), _time(one.until_epoch))
        writer.writerow((one.user, one.cluster, one.job_id, *times, *hours, one.accounted, one.ending or ""))
    return text.getvalue()


def _line(name: str, joined_epoch: float | None, by: str, own: list[Used]) -> Line:
    waits = [one.started_epoch - one.asked_epoch for one in own if one.started_epoch is not None]
    return Line(
        name=name,
        joined=_time(joined_epoch),
        by=by,
        sessions=len(own),
        failures=sum(1 for one in own if one.failed),
        waited_minutes=round(max(waits, default=0) / _MINUTE_SECONDS, 1),
        hours=_hours(sum(one.seconds for one in own)),
        gpu_hours=_hours(sum(one.gpu_seconds for one in own)),
        core_hours=_core_hours(own),
        accounted=all(one.accounted for one in own),
    )


def _time(epoch: float | None) -> str:
    return "" if epoch is None else datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M")


def _hours(seconds: float) -> float:
    return round(seconds / _HOUR_SECONDS, 4)


def _core_hours(sessions: Iterable[Used]) -> float | None:
    known = [one.charged for one in sessions]
    return None if None in known else _rounded(sum(each for each in known if each is not None))


def _rounded(core_hours: float | None) -> float | None:
    return None if core_hours is None else round(core_hours, 4)
