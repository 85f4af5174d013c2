"""Days and times as a site means them: in its own zone, days whole.  Pure.

A window that begins on a day begins with it, and one that ends on a day ends after it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

Moment = date | datetime
"""A whole day, or a time with its zone."""


def zone_of(name: str) -> tzinfo | None:
    """Give a zone by its IANA name; None, which Python takes for the machine's own, for an empty name.

    Raises:
        ValueError: there is no such zone on this machine; the text says what is possible.
    """
    try:
        return ZoneInfo(name) if name else None
    except (OSError, LookupError, ValueError) as error:
        raise ValueError("a zone that this machine knows, by its IANA name: Europe/Rome") from error


def read_moment(value: object) -> Moment:
    """Read a day (``2026-03-01``) or a time with its zone (``2026-03-01T09:00:00+01:00``), as text or as YAML has it.

    Raises:
        ValueError: it is neither; the text says what is possible.
    """
    moment = value
    if isinstance(value, str):
        try:
            moment = date.fromisoformat(value) if len(value) == len("2026-03-01") else datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, date) or (isinstance(moment, datetime) and moment.tzinfo is None):
        raise ValueError("a day (2026-03-01), or a time with its zone (2026-03-01T09:00:00+01:00)")
    return moment


def begin_epoch(moment: Moment, zone: tzinfo | None) -> float:
    """Tell when a window that begins at a moment begins."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    return datetime(moment.year, moment.month, moment.day, tzinfo=zone).timestamp()


def end_epoch(moment: Moment, zone: tzinfo | None) -> float:
    """Tell when a window that ends at a moment is over: a day belongs to it to its end."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    return begin_epoch(moment + timedelta(days=1), zone)


def day_of(epoch: float, zone: tzinfo | None) -> date:
    """Tell which day it is at a time."""
    return datetime.fromtimestamp(epoch, zone).date()
