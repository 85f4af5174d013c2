"""When a choice would start, in words that go on a page beside its cost.  Pure."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from markupsafe import Markup

from hpchub.jobs.expected import Expected
from hpchub.pages.moments import duration
from hpchub.text import Speech

_HOUR, _DAY = 60, 24 * 60


def in_words(expected: Expected, speech: Speech, clock: Callable[[float], str], now: float) -> Markup:
    """Say when it would start, as a part of a sentence: ``starts now``, ``about 12 min``.

    Args:
        expected: what is known of it.
        speech: the reader's language.
        clock: writes a time of day, as :func:`hpchub.pages.moments.clock` does.
        now: in seconds since 1970.
    """
    match expected.kind:
        case "now":
            return speech.gettext("starts now")
        case "at":
            return _about((expected.start_epoch or now) - now, speech)
        case "not_before":
            time = clock(expected.start_epoch or now)
            if expected.because == "maintenance":
                return speech.gettext("not before {time}, maintenance", time=time)
            return speech.gettext("not before {time}, because of a reservation", time=time)
        case "queue":
            return _in_the_queue(expected, speech)
        case "unknown":
            return speech.gettext("not known: Slurm does not answer")


def _about(seconds: float, speech: Speech) -> Markup:
    """Say how far off a start is, no finer than anybody can foresee it."""
    minutes = max(ceil(seconds / 60), 1)
    if minutes > 2 * _DAY:
        days = round(minutes / _DAY)
        return speech.ngettext("about {n} day", "about {n} days", days)
    step = 1 if minutes <= _HOUR else 10 if minutes <= 6 * _HOUR else 60
    return speech.gettext("about {time}", time=duration(ceil(minutes / step) * step))


def _in_the_queue(expected: Expected, speech: Speech) -> Markup:
    if expected.because == "own jobs":
        return speech.gettext("as soon as one of your sessions has ended")
    if not expected.ahead:
        return speech.gettext("nothing is free; Slurm has not said when")
    return speech.ngettext(
        "{n} waits for the same; Slurm has not said when",
        "{n} wait for the same; Slurm has not said when",
        expected.ahead,
    )
