"""Temporary seats in the console's database: every change is one transaction, with its line in the event's record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session, sessionmaker

from hpchub.console.cards import Card, Seal, digest_of, new_card
from hpchub.console.hub import TakenTold
from hpchub.console.lending import chosen
from hpchub.console.model import ActRow, EventRow, ParticipantRow, SeatRow, SessionRow
from hpchub.console.plans import Plan
from hpchub.console.store import NoSuchEvent, NotNow
from hpchub.text import Sentence

_DAY_SECONDS = 24 * 3600
BY = "console"
"""Who does in the record what the console does by itself."""


@dataclass(frozen=True, slots=True)
class Lending:
    """Lends accounts of the pool to events, in the transaction that lets them take place.

    To call it again is fine: it lends what is missing, and takes back what the plan does not ask for any more.  Raises
    :class:`~hpchub.console.lending.TooFewSeats`, and :class:`~hpchub.console.store.NotNow` where some are to be taken
    from an event that is open.
    """

    pool: Sequence[str]
    files_days: int
    """The site's."""
    zone: tzinfo | None
    seal: Seal
    who: str
    now_epoch: int

    def __call__(self, session: Session, row: EventRow) -> None:
        wanted = int(row.plan.get("temporary_seats") or 0)
        kept = [seat for seat in row.lent if seat.returned_epoch is None]
        if wanted < len(kept):
            self._take_back(session, row, kept, len(kept) - wanted)
        elif wanted > len(kept):
            self._lend(session, row, wanted - len(kept))

    def _lend(self, session: Session, row: EventRow, number: int) -> None:
        if session.get_bind().dialect.name == "postgresql":
            # One after the other, so that two events never choose the same; SQLite locks all of itself (database.py).
            session.execute(text("LOCK TABLE seats IN SHARE ROW EXCLUSIVE MODE"))
        own = {seat.account for seat in row.lent}
        rows = session.execute(
            select(SeatRow.account, EventRow).join(EventRow).where(SeatRow.returned_epoch.is_(None))
        ).all()
        loans = {account: _until_epoch(event, self.files_days) for account, event in rows if event.slug != row.slug}
        busy = {*own, *_people_beside(session, row, _until_epoch(row, self.files_days))}
        accounts = chosen(self.pool, number, loans, busy, self.zone)
        for account in accounts:
            card = new_card()
            row.lent.append(
                SeatRow(account=account, card_digest=digest_of(card), card_sealed=self.seal.sealed(card), trouble="")
            )
            row.participants.append(ParticipantRow(name=account, joined_epoch=self.now_epoch, by="seat"))
        _note(session, self.now_epoch, self.who, "lend-seats", row.slug, ", ".join(accounts))
        session.flush()

    def _take_back(self, session: Session, row: EventRow, kept: Sequence[SeatRow], number: int) -> None:
        if self.now_epoch >= _plan(row).opens_epoch:
            raise NotNow(Sentence("While an event is open it keeps its temporary seats: somebody may be in them."))
        names = {seat.account for seat in kept[-number:]}
        # Their rows go altogether, so that the same account can be lent to this event once more.
        row.lent = [seat for seat in row.lent if seat.account not in names]
        row.participants = [each for each in row.participants if each.name not in names]
        _note(session, self.now_epoch, self.who, "return-seats", row.slug, ", ".join(sorted(names)))
        session.flush()


class SeatStore:
    """What the console remembers of temporary seats.

    Args:
        sessions: what opens the database.
        seal: encrypts the cards.
    """

    def __init__(self, sessions: sessionmaker[Session], seal: Seal) -> None:
        self._sessions, self._seal = sessions, seal

    # Reading

    def lent(self) -> frozenset[str]:
        """Give the accounts that any event has."""
        with self._sessions() as session:
            return frozenset(session.scalars(select(SeatRow.account).where(SeatRow.returned_epoch.is_(None))))

    def started(self) -> frozenset[tuple[str, str]]:
        """Give who of which event (slug and name) ever had a session, of the events that have seats now."""
        with self._sessions() as session:
            lending = select(SeatRow.event_slug).where(SeatRow.returned_epoch.is_(None))
            rows = session.execute(
                select(SessionRow.event_slug, SessionRow.user).where(SessionRow.event_slug.in_(lending)).distinct()
            )
            return frozenset((slug, user) for slug, user in rows)

    # Cards

    def cards(self, slug: str, who: str, now_epoch: int) -> list[Card]:
        """Give the cards of an event's seats, which its record says."""
        with self._sessions.begin() as session:
            rows = session.scalars(_seats_of(slug).order_by(SeatRow.id)).all()
            _note(session, now_epoch, who, "show-cards", slug, str(len(rows)))
            return [Card(row.account, self._seal.opened(row.card_sealed), row.used_epoch) for row in rows]

    def new_cards(self, slug: str, accounts: Iterable[str] | None, who: str, now_epoch: int) -> None:
        """Make new cards; the old ones open nothing once the hub was told.

        Args:
            slug: the event.
            accounts: whose; None for all seats of the event.
            who: asks.
            now_epoch: in seconds since 1970.

        Raises :class:`NoSuchEvent` where one of them is no seat of the event.
        """
        with self._sessions.begin() as session:
            rows = {row.account: row for row in session.scalars(_seats_of(slug).with_for_update())}
            names = list(rows) if accounts is None else list(accounts)
            for name in names:
                if name not in rows:
                    raise NoSuchEvent
                card = new_card()
                rows[name].card_digest, rows[name].card_sealed = digest_of(card), self._seal.sealed(card)
            _note(session, now_epoch, who, "new-cards", slug, ", ".join(names))

    def used(self, taken: Mapping[str, TakenTold]) -> None:
        """Remember which seats were taken by a card, and when; of a used card no copy is kept.

        Args:
            taken: by their accounts, as the hub tells it.
        """
        with self._sessions.begin() as session:
            rows = session.scalars(
                select(SeatRow).where(SeatRow.returned_epoch.is_(None), SeatRow.card_sealed != "").with_for_update()
            )
            for row in rows:
                told = taken.get(row.account)
                if told is None or not told.is_of(row.event_slug):
                    continue
                # By the one before it where a new card was made just when somebody came: theirs is the seat all the
                # same, and the new card is still to be used.
                by_this_card = told.card == row.card_digest
                if by_this_card:
                    row.card_sealed = ""
                if by_this_card or row.used_epoch is None:
                    again = "" if row.used_epoch is None else "again"
                    _note(session, told.epoch, row.account, "take-seat", row.event_slug, again)
                if row.used_epoch is None:
                    row.used_epoch = told.epoch
                    joined = select(ParticipantRow).filter_by(event_slug=row.event_slug, name=row.account)
                    for participant in session.scalars(joined):
                        participant.joined_epoch = told.epoch

    # Giving back

    def give_back(self, slug: str, accounts: Sequence[str], who: str, now_epoch: int) -> None:
        """Let other events have accounts that an event had."""
        with self._sessions.begin() as session:
            rows = session.scalars(_seats_of(slug).where(SeatRow.account.in_(accounts)).with_for_update()).all()
            for row in rows:
                row.returned_epoch, row.card_digest, row.card_sealed, row.trouble = now_epoch, None, "", ""
            if rows:
                _note(session, now_epoch, who, "return-seats", slug, ", ".join(row.account for row in rows))

    def troubled(self, slug: str, account: str, says: str, now_epoch: int) -> None:
        """Remember why an account could not be handed over; the record says the same trouble once."""
        with self._sessions.begin() as session:
            for row in session.scalars(_seats_of(slug).where(SeatRow.account == account)):
                if row.trouble != says:
                    row.trouble = says
                    _note(session, now_epoch, BY, "return-refused", slug, f"{account}: {says}")


def _seats_of(slug: str) -> Select[SeatRow]:
    return select(SeatRow).where(SeatRow.event_slug == slug, SeatRow.returned_epoch.is_(None))


def _plan(row: EventRow) -> Plan:
    return Plan.model_validate_json(json.dumps(row.plan))


def _until_epoch(row: EventRow, files_days: int) -> int:
    days = row.plan.get("seat_files_days")
    return int(row.closed_epoch or row.ends_epoch) + (files_days if days is None else int(days)) * _DAY_SECONDS


def _people_beside(session: Session, row: EventRow, until_epoch: int) -> set[str]:
    """Give the names of those who take part in the event, or in one that goes on at the same time."""
    others = session.scalars(
        select(EventRow).where(
            EventRow.ends_epoch > _plan(row).opens_epoch,
            EventRow.closed_epoch.is_(None),
            EventRow.refused_epoch.is_(None),
        )
    )
    found: set[str] = set()
    for other in (row, *others):
        theirs = _plan(other)
        if theirs.opens_epoch < until_epoch:
            found.update(theirs.people, (each.name for each in other.trainers))
            found.update(each.name for each in other.participants if each.by != "seat")
    return found


def _note(session: Session, now_epoch: int, who: str, verb: str, slug: str, detail: str) -> None:
    session.add(ActRow(epoch=now_epoch, who=who, verb=verb, event_slug=slug, detail=detail))
