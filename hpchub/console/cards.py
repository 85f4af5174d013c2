"""Cards of temporary seats: the code that opens a seat once, its digest for the hub, and a sealed copy for printing.

Pure but for chance.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.fernet import Fernet, InvalidToken

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what is taken for something else when it is read from paper: I and 1, O and 0."""
PATH = "/hub/hpchub/seat"
"""Where the hub takes a card."""
_GROUPS, _LENGTH = 3, 4


def new_card() -> str:
    """Make the code of a card that nobody guesses: ``K7QF-3MXB-WD2T``, 60 bits of chance."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(_LENGTH)) for _ in range(_GROUPS))


def digest_of(card: str) -> str:
    """Give what the hub and the database know of a card: SHA-256 of its letters without hyphens, in hexadecimal."""
    return hashlib.sha256(card.replace("-", "").upper().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a seat, as its trainer may see it."""

    seat: str
    """The account's name."""
    code: str
    """Empty where it was used, or cannot be shown any more."""
    used_epoch: int | None
    """When somebody took the seat by a card for the first time."""

    @property
    def path(self) -> str:
        """Where the card is taken, on the hub's own host; without the code where there is none."""
        return f"{PATH}?code={self.code}" if self.code else PATH


class Seal:
    """Encrypts cards, so that they can be printed again as long as they were not used.

    Args:
        key: 64 hexadecimal digits.
    """

    def __init__(self, key: str) -> None:
        self._box = Fernet(base64.urlsafe_b64encode(bytes.fromhex(key)))

    def sealed(self, card: str) -> str:
        """Encrypt a card."""
        return self._box.encrypt(card.encode()).decode()

    def opened(self, sealed: str) -> str:
        """Give the card; the empty text where there is none, or the key is another one than it was sealed with."""
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError):
            return ""


def as_csv(cards: Iterable[Card], origin: str) -> str:
    """Write cards for a mail merge; ``origin`` is the address of the site, without a path."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("seat", "code", "address", "used"))
    for card in cards:
        used = "" if card.used_epoch is None else datetime.fromtimestamp(card.used_epoch, UTC).strftime("%F %R")
        writer.writerow((card.seat, card.code, f"{origin}{card.path}" if card.code else "", used))
    return text.getvalue()
