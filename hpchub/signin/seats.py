"""Which accounts are seats, and who may be in them: by the events that the hub was told, and the cards that were used.

An account that an event lends belongs to whoever brings its card; an ordinary sign-in to it is refused.  That goes on
after the event, until the account is handed over: what the seat left there is nobody else's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path

from hpchub.catalogue.event import Event
from hpchub.errors import HpchubError
from hpchub.signin import cards
from hpchub.signin.cards import Seat, Taken
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.tries import Tries
from hpchub.text import Counted, Sentence
from hpchub.whole import write_whole

log = logging.getLogger(__name__)

WRONG_CODES, WRONG_CODES_MINUTES = 10, 10
"""How many wrong codes one browser, or one person who is signed in, may give within so many minutes."""
_RECORDED, _RECORDED_MINUTES = 60, 10
"""How many refused codes whose digests begin alike are recorded within so many minutes: whoever throws their cookies
away must not fill the record.  It keeps no card from opening its seat."""


class SeatsUnreadable(HpchubError):
    """The file cannot be read or written: nobody knows which cards were used."""


class Seats:
    """Knows and keeps which accounts were taken by which card.

    Args:
        file: where it is kept.
        events: gives the events that the hub was told.
        pool: gives the accounts that the site lends.
    """

    def __init__(self, file: Path, events: Callable[[], Sequence[Event]], pool: Callable[[], Collection[str]]) -> None:
        self._file, self._events, self._pool = file, events, pool
        self._taken: dict[str, Taken] = {}
        self._indexed: Sequence[Event] = ()
        self._lent: dict[str, list[Seat]] = {}
        """The seats of the events that are indexed."""
        self._problem = ""
        self._guesses = Tries(WRONG_CODES, WRONG_CODES_MINUTES)
        self._records = Tries(_RECORDED, _RECORDED_MINUTES)
        self.changed = asyncio.Event()
        """Set where another look at all seats is due at once: an event has ended."""
        try:
            found = json.loads(file.read_text(encoding="ascii"))
            self._taken = {account: Taken(**each) for account, each in found.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self._problem = f"{file}: {error}"
            log.error("which seats were taken cannot be read, so no card opens one: %s", self._problem)

    @property
    def accounts(self) -> frozenset[str]:
        """All accounts that are seats now, or were and are not handed over."""
        return frozenset(self._by_account()) | self._taken.keys()

    def lent(self, account: str) -> Seat | None:
        """Give the seat that an account of the pool is now; whoever is in one stays in when it leaves the pool."""
        if account not in self._pool() and account not in self._taken:
            return None
        return cards.lent(self._by_account().get(account, ()), time.time())

    def _by_account(self) -> dict[str, list[Seat]]:
        events = self._events()
        if events is not self._indexed:
            self._indexed, self._lent = events, cards.by_account(events)
        return self._lent

    def taken(self, account: str) -> Taken | None:
        """Give what is kept of an account that somebody took."""
        return self._taken.get(account)

    def standing(self, account: str) -> bool | None:
        """Tell whether whoever is signed in to an account is the one with its card.

        None: it is no seat.  False: nobody may be in it, because it was not taken yet or because its event is over.
        """
        seat, taken = self.lent(account), self._taken.get(account)
        if seat is None:
            return None if taken is None else False
        return taken is not None and seat.goes_on(taken)

    def not_handed_over(self) -> Mapping[str, Taken]:
        """Give what is kept of all accounts that somebody took, by their names."""
        return self._taken

    def opened(self, code: str, zone: tzinfo | None = None) -> Seat:
        """Find the seat that a card opens now; the code is in its normal form.

        Raises:
            SignInRefused: it opens none.
            SeatsUnreadable: nobody knows whether it was used.
        """
        self._check_readable()
        return cards.opened(code, self._events(), self._pool(), self._taken, time.time(), zone)

    def take(self, code: str) -> Seat:
        """Spend a card, and give the seat; on the disk when this returns, so that it opens it once.

        Raises as :meth:`opened`.
        """
        seat = self.opened(code)
        before = self._taken.get(seat.account)
        event = before.event if before is not None else seat.event.slug
        self._write({**self._taken, seat.account: Taken(event, cards.digest_of(code), int(time.time()))})
        return seat

    @contextmanager
    def taking(self, code: str) -> Iterator[Seat]:
        """Spend a card for what is done inside; where that fails, the card opens its seat as before.

        Raises as :meth:`opened`.
        """
        taken = self._taken
        seat = self.take(code)
        ours = self._taken[seat.account]
        try:
            yield seat
        except BaseException:
            if self._taken.get(seat.account) is ours:
                self._undo(seat.account, taken.get(seat.account))
            raise

    def _undo(self, account: str, before: Taken | None) -> None:
        others = {name: each for name, each in self._taken.items() if name != account}
        try:
            self._write(others if before is None else {**others, account: before})
        except SeatsUnreadable as error:
            log.error("the card of %s stays spent, though nobody is in: %s", account, error)

    def hand_over(self, account: str) -> None:
        """Forget who took an account, once nothing of theirs is left.  Raises :class:`SeatsUnreadable`."""
        self._check_readable()
        if account in self._taken:
            self._write({name: each for name, each in self._taken.items() if name != account})

    def check_guesses(self, who: str) -> None:
        """Let nobody go on who has just given many wrong codes.

        Args:
            who: the person or the browser, never an address: a room has one address.

        Raises:
            SignInRefused: they have to wait.
        """
        wait_seconds = self._guesses.wait(who)
        if wait_seconds:
            raise _too_many(wait_seconds)

    def note_guess(self, who: str) -> None:
        """Count a wrong code."""
        self._guesses.take(who)

    def is_recorded(self, code: str) -> bool:
        """Tell whether a refused code is to be recorded."""
        return not self._records.take(cards.digest_of(code)[0])

    def _check_readable(self) -> None:
        if self._problem:
            raise SeatsUnreadable(self._problem)

    def _write(self, taken: dict[str, Taken]) -> None:
        try:
            write_whole(self._file, json.dumps({name: asdict(each) for name, each in taken.items()}, indent=1).encode())
        except OSError as error:
            raise SeatsUnreadable(f"{self._file}: {error.strerror}") from None
        self._taken = taken


def _too_many(seconds: int) -> SignInRefused:
    return SignInRefused(
        "seat-too-often",
        Sentence("You have typed many wrong codes."),
        Sentence("Wait for {duration}, then try again.", duration=Counted("{n} second", "{n} seconds", seconds)),
        429,
        seconds,
    )
