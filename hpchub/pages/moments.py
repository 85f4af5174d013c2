"""Times and durations as people write them, in their language.  Pure.

Clocks are drawn in the site's time zone and carry the moment itself (``<time datetime>``); the pages' script draws
them again in the reader's zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from babel.dates import format_datetime, format_timedelta
from markupsafe import Markup

from hpchub.text import locale_of


def clock(epoch: float, now: float, zone: tzinfo | None, language: str) -> Markup:
    """Draw a time of day as a ``<time>`` element, with its day unless that is today; no zone is the machine's own."""
    moment = datetime.fromtimestamp(epoch, zone or UTC).astimezone(zone)
    today = moment.date() == datetime.fromtimestamp(now, zone).date()
    text = format_datetime(moment, "HH:mm" if today else "d MMM HH:mm", locale=locale_of(language))
    stamp = moment.isoformat(timespec="seconds")
    return Markup('<time datetime="{}" data-clock>{}</time>').format(stamp, text)


def age(epoch: float, now: float, language: str) -> Markup:
    """Say how long ago something was, as a ``<time>`` element: ``8 seconds ago``."""
    moment = datetime.fromtimestamp(epoch, UTC)
    text = format_timedelta(timedelta(seconds=min(epoch - now, -1)), add_direction=True, locale=locale_of(language))
    stamp = moment.isoformat(timespec="seconds")
    return Markup('<time datetime="{}" data-age>{}</time>').format(stamp, text)


def duration(minutes: int) -> str:
    """Write minutes with the signs that are the same in all languages: ``30 min``, ``2 h``, ``1 h 30 min``."""
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest or not hours else [])])
