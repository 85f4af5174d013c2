"""Help in a room: a raised hand, a trainer let into somebody's notebook, and what trainers say to all.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

MOST_OF_A_HAND = 300
"""Characters that somebody may say with their hand."""
MOST_OF_A_MESSAGE = 1000
LONGEST_CONSENT_MINUTES = 8 * 60
CONSENT_MINUTES = (15, 30, 60, 120)
"""What a participant picks from, for how long they let a trainer in; the second stands there first."""
ALL_TRAINERS = ""
"""Stands for every trainer of the event where a helper is named: nobody has an empty name."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody lets a trainer into a session of theirs."""

    helper: str
    """The trainer; :data:`ALL_TRAINERS` for all of them."""
    until_epoch: int
    session_id: str

    def lets(self, name: str, trainers: Collection[str], now_epoch: float) -> bool:
        """Tell whether somebody may enter at a time, as far as the consent goes: its session may be over."""
        return now_epoch < self.until_epoch and name in trainers and self.helper in (ALL_TRAINERS, name)


@dataclass(frozen=True, slots=True)
class Need:
    """How somebody with a seat stands to help."""

    name: str
    hand_epoch: int | None = None
    """Since when their hand is up; None while it is down."""
    hand_says: str = ""
    """What they said with it."""
    asked_by: str | None = None
    """The trainer who asks to be let into their notebook."""
    consent: Consent | None = None
    """The one that they gave, which may have ended by itself."""

    def consent_now(self, session_id: str, now_epoch: float) -> Consent | None:
        """Give the consent that is good for a session at a time."""
        consent = self.consent
        good = consent is not None and consent.session_id == session_id and now_epoch < consent.until_epoch
        return consent if good else None


@dataclass(frozen=True, slots=True)
class Said:
    """What a trainer said to the room."""

    epoch: int
    who: str
    says: str
    team: str | None
    """For whom it is; None for everybody."""

    def is_for(self, team: str) -> bool:
        """Tell whether somebody in a team, or in none, may read it."""
        return self.team is None or (self.team != "" and self.team == team)


def as_said(text: str, most: int) -> str:
    """Give what somebody typed as it is kept: lines end in one way, and no control character goes with them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in lines if each == "\n" or each.isprintable()).strip()[:most]
