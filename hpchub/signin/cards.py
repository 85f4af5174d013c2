"""Cards of temporary seats: what somebody types, and what it opens at a time.  Pure.

A code has about 60 bits, so that nobody finds one by trying: with a thousand cards in service and ten thousand tries a
second, for a year, the chance is less than one in three thousand.  Its digest is all that the hub keeps of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from hpchub.catalogue.event import Event, SeatCard
from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Sentence, When

UNKNOWN = "seat-unknown"
"""The reason of a refusal that counts as a wrong code."""
_CODE = re.compile(r"[A-Z0-9]{12}")
_BETWEEN = re.compile(r"[\s\u2010-\u2015-]")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """What is kept of an account that somebody took by a card, until it is handed over."""

    event: str
    """The event's slug."""
    card: str
    """The digest of the card."""
    epoch: int
    """When."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A temporary seat: an account that an event lends."""

    event: Event
    card: SeatCard

    @property
    def account(self) -> str:
        return self.card.account

    def goes_on(self, taken: Taken | None) -> bool:
        """Tell whether it is free, or the same event's as when it was taken, or of the time for files after it."""
        return taken is None or self.event.slug in (taken.event, taken.event + FILES_SUFFIX)


def as_typed(text: str) -> str:
    """Give a code in its normal form from what somebody typed; the empty text where it cannot be one."""
    letters = _BETWEEN.sub("", text[:_LONGEST]).upper()
    return letters if _CODE.fullmatch(letters) else ""


def digest_of(code: str) -> str:
    """Give what stands for a code, in its normal form, in events and files."""
    return hashlib.sha256(code.encode()).hexdigest()


def by_account(events: Iterable[Event]) -> dict[str, list[Seat]]:
    """Give the seats that these events lend, by their accounts."""
    found: dict[str, list[Seat]] = {}
    for event in events:
        for card in event.seats:
            found.setdefault(card.account, []).append(Seat(event, card))
    return found


def lent(seats: Iterable[Seat], now_epoch: float) -> Seat | None:
    """Find which of an account's seats it is now; one of an event that is open goes before others."""
    found = [seat for seat in seats if now_epoch < seat.card.until_epoch]
    return min(found, key=lambda seat: not seat.event.is_open(now_epoch), default=None)


def opened(
    code: str,
    events: Sequence[Event],
    pool: Collection[str],
    taken: Mapping[str, Taken],
    now_epoch: float,
    zone: tzinfo | None = None,
) -> Seat:
    """Find the seat that a card opens now.

    Args:
        code: the card's, in its normal form.
        events: those that the hub was told.
        pool: the accounts that the site lends.
        taken: by account, what was taken.
        now_epoch: now.
        zone: in which a sentence names times.

    Raises:
        SignInRefused: it opens none; a card that nobody has looks like one that is void.
    """
    digest = digest_of(code)
    cards = [Seat(event, card) for event in events for card in event.seats if card.card == digest]
    if not cards:
        raise unknown()
    seat = min(cards, key=lambda each: not each.event.is_open(now_epoch))
    before = taken.get(seat.account)
    if before is not None and before.card == digest:
        raise SignInRefused(
            "seat-used",
            Sentence("This card has been used already."),
            Sentence("If that was you, go on in the browser where you used it. Else ask the trainer for a new card."),
        )
    if now_epoch >= min(seat.event.closes_epoch, seat.card.until_epoch):
        raise SignInRefused("seat-over", Sentence("The event of this card is over."), ASK)
    if now_epoch < seat.event.opens_epoch:
        opens = When(datetime.fromtimestamp(seat.event.opens_epoch, UTC).astimezone(zone))
        raise SignInRefused("seat-early", Sentence("This card opens its seat from {time} on.", time=opens), LATER)
    if not seat.goes_on(before):
        raise SignInRefused(
            "seat-not-cleared", Sentence("This seat has not been cleared since somebody else had it."), ASK
        )
    if seat.account not in pool:
        raise not_lendable()
    return seat


def unknown() -> SignInRefused:
    """No card in service has this code."""
    return SignInRefused(
        UNKNOWN,
        Sentence("This card opens no seat."),
        Sentence("Compare the code with the card. Cards stop working when their event is over or a new one is made."),
    )


def no_code() -> SignInRefused:
    """What was typed has not the form of a code."""
    return SignInRefused(
        "seat-no-code",
        Sentence("A code has 12 letters and digits."),
        Sentence("Compare it with the card. Capital letters, spaces and hyphens do not matter."),
        400,
    )


def not_lendable() -> SignInRefused:
    """The account is none that may be lent: not of the pool, of the system, or somebody's own."""
    return SignInRefused(
        "seat-not-lendable", Sentence("The account of this seat is not one that this service may lend."), ASK
    )


def is_lent() -> SignInRefused:
    """Somebody signs in in the ordinary way to an account that is a seat now."""
    return SignInRefused("seat", LENT, ASK)


LENT = Sentence("This account is lent as a seat of an event; only the seat's card opens it.")
ASK = Sentence("Ask the trainer of your event.")
LATER = Sentence("Come back then, with the same card.")
