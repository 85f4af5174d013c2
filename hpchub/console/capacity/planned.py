"""What a trainer plans, and what was found out about it: the values of the capacity checks.  Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.site import Site
from hpchub.text import SOURCE_LANGUAGE, Counted, Sentence, Speech, When, in_words

MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Planned:
    """An event as far as its room in Slurm is concerned.

    Raises ``ValueError`` where a number makes no sense; dates and names are judged by the findings.
    """

    slug: str
    cluster: str
    allocation: str
    """The account that pays, in lower case."""
    opens_epoch: int
    """When people come, in seconds since 1970."""
    closes_epoch: int
    """When its sessions end."""
    seats: int
    profiles: tuple[str, ...]
    """Slugs of profiles or patterns."""
    setup_minutes: int = 0
    """How long before it opens its sessions may start."""
    teams: int | None = None
    """How many teams share the seats, one session a team; None: every seat has a session of its own."""
    size: str | None = None
    """The only size of its sessions; None: people choose, and the default of each profile is counted."""
    starts: tuple[tuple[str, str | None], ...] = ()
    """What some teams start instead, by profile and size, None for its default.  There has to be room for all sessions
    in each."""
    minutes: int | None = None
    """How long a session runs in all; None: from the set-up until the event closes."""
    qos: str | None = None
    """None: the first of the profile's that the allocation has and that gives enough time."""
    reservation: str | None = None
    """Slurm's reservation that the sessions run in; None: they queue like all others."""
    members: tuple[str, ...] = ()
    """The POSIX names of those who take part, as far as they are known."""
    sessions_a_person: int = 1
    """How many sessions run under one POSIX name at a time: more than 1 where seats share an account."""

    def __post_init__(self) -> None:
        for name in ("seats", "teams", "minutes", "sessions_a_person"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, and at least 1 is possible")
        if self.setup_minutes < 0:
            raise ValueError(f"setup_minutes is {self.setup_minutes}, and at least 0 is possible")

    @property
    def begins_epoch(self) -> int:
        """When its first session may start: the set-up."""
        return self.opens_epoch - self.setup_minutes * MINUTE_SECONDS

    @property
    def window_minutes(self) -> int:
        """From the set-up until it closes, whole minutes, rounded up."""
        return math.ceil((self.closes_epoch - self.begins_epoch) / MINUTE_SECONDS)

    @property
    def session_minutes(self) -> int:
        """How long one session runs in all."""
        return self.window_minutes if self.minutes is None else min(self.minutes, self.window_minutes)

    @property
    def sessions(self) -> int:
        """How many sessions run at a time."""
        return self.seats if self.teams is None else self.teams

    def is_beside(self, other: Planned) -> bool:
        """Tell whether two events have a moment in common."""
        return self.begins_epoch < other.closes_epoch and other.begins_epoch < self.closes_epoch


class Severity(StrEnum):
    """What a finding means for the event."""

    MISSING = "missing"
    """The event does not work like this."""
    WARNING = "warning"
    """It works, and the trainer should know."""
    FINE = "fine"


class About(StrEnum):
    """What a finding is about, in the order in which a person looks at it."""

    DATES = "dates"
    CLUSTER = "cluster"
    PROFILES = "profiles"
    PEOPLE = "people"
    RESERVATION = "reservation"
    ROOM = "room"
    MAINTENANCE = "maintenance"
    LIMITS = "limits"
    TIME = "time"
    BUDGET = "budget"
    OTHER_EVENTS = "other events"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: About
    severity: Severity
    says: Sentence
    command: tuple[str, ...] = ()
    """The command of Slurm's that mends it, as an argument list; empty where none does."""

    @property
    def shown_command(self) -> str:
        """The command as an administrator of Slurm pastes it into a shell."""
        return shlex.join(self.command)

    def as_dict(self, language: str = SOURCE_LANGUAGE) -> dict[str, Any]:
        """Give the finding as JSON-ready values, its sentence in a language."""
        return {
            "about": self.about.value,
            "severity": self.severity.value,
            "says": in_words(self.says, Speech(language)),
            "command": self.shown_command,
        }


def missing(about: About, says: Sentence, command: Iterable[str] = ()) -> Finding:
    """Find something without which the event does not work."""
    return Finding(about, Severity.MISSING, says, tuple(command))


def warning(about: About, says: Sentence, command: Iterable[str] = ()) -> Finding:
    """Find something that the trainer should know."""
    return Finding(about, Severity.WARNING, says, tuple(command))


def fine(about: About, says: Sentence) -> Finding:
    """Find that all is well."""
    return Finding(about, Severity.FINE, says)


def at(epoch: float, site: Site) -> When:
    """Give a moment as the site's people write it."""
    zone = zone_of(site.timezone)
    return When(datetime.fromtimestamp(epoch, zone).astimezone(zone))


def sessions(number: int) -> Sentence:
    """Say a number of sessions."""
    return Counted("{n} session", "{n} sessions", number)
