"""What the console remembers of help: raised hands, consents, messages; every change with its line in the record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hpchub.catalogue.event import MOST_MESSAGES, Helper, Message
from hpchub.catalogue.event import Event as HubEvent
from hpchub.console.help import ALL_TRAINERS, Consent, Need, Said
from hpchub.console.model import ActRow, MessageRow, ParticipantRow
from hpchub.console.store import NoSuchEvent, Store

_MOST_SAID = 50


class HelpStore:
    """The part of the database that is about help.

    Args:
        store: the console's memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # Reading

    def needs(self, slug: str) -> dict[str, Need]:
        """Give how everybody with a seat in an event stands to help, by name."""
        with self._store.sessions() as session:
            rows = session.scalars(select(ParticipantRow).where(ParticipantRow.event_slug == slug))
            return {row.name: _need(row) for row in rows}

    def said(self, slug: str, most: int = _MOST_SAID) -> list[Said]:
        """Give what the trainers of an event said last, the newest first."""
        with self._store.sessions() as session:
            return _said(session, slug, most)

    def with_consent(self) -> list[tuple[str, Need]]:
        """Give everybody who lets a trainer in, with the slug of the event, also where that has ended by itself."""
        with self._store.sessions() as session:
            rows = session.scalars(select(ParticipantRow).where(ParticipantRow.helper.is_not(None)))
            return [(row.event_slug, _need(row)) for row in rows]

    def with_help(self, event: HubEvent, now_epoch: float) -> HubEvent:
        """Add to an event what the hub is told of help: the last messages, raised hands, who is let in.

        Raises :class:`pydantic.ValidationError` where the hub would refuse it.
        """
        query = select(ParticipantRow).where(ParticipantRow.event_slug == event.slug).order_by(ParticipantRow.id)
        with self._store.sessions() as session:
            rows, said = list(session.scalars(query)), _said(session, event.slug, MOST_MESSAGES)
        ours = self._store.get(event.slug) if any(each.team is not None for each in said) else None

        def told(each: Said) -> Message:
            to = None
            if ours is not None and each.team is not None:
                to = tuple(row.name for row in rows if each.is_for(ours.team_of(row.name)))
            return Message(epoch=each.epoch, who=each.who, says=each.says, to=to)

        # A copy with changes would not be checked.
        return HubEvent.model_validate(
            {
                **dict(event),
                "messages": tuple(map(told, reversed(said))),
                "hands": tuple(row.name for row in rows if row.hand_epoch is not None),
                "helpers": tuple(helper for row in rows for helper in _helpers(row, event.trainers, now_epoch)),
            }
        )

    # Changing

    def hand(self, slug: str, name: str, who: str, now_epoch: int, *, up: bool, says: str) -> None:
        """Raise or lower somebody's hand.  Raises :class:`~hpchub.console.store.NoSuchEvent`."""

        def change(row: ParticipantRow) -> None:
            row.hand_epoch = (row.hand_epoch or now_epoch) if up else None
            row.hand_says = says if up else ""

        self._change(slug, name, who, now_epoch, "hand-up" if up else "hand-down", change, again=True)

    def lower_all(self, slug: str, who: str, now_epoch: int) -> None:
        """Lower all hands of an event."""
        with self._store.sessions.begin() as session:
            for row in session.scalars(select(ParticipantRow).where(ParticipantRow.event_slug == slug)):
                row.hand_epoch, row.hand_says = None, ""
            _write(session, slug, who, now_epoch, "hands-down")

    def say(self, slug: str, who: str, now_epoch: int, says: str, team: str | None) -> Said:
        """Keep a message."""
        with self._store.sessions.begin() as session:
            session.add(MessageRow(event_slug=slug, epoch=now_epoch, who=who, says=says, team=team))
            _write(session, slug, who, now_epoch, "message", team or "")
        return Said(now_epoch, who, says, team)

    def ask(self, slug: str, name: str, who: str, now_epoch: int) -> None:
        """Note that a trainer asks to be let in.  Raises :class:`~hpchub.console.store.NoSuchEvent`."""

        def change(row: ParticipantRow) -> None:
            row.asked_by = who

        self._change(slug, name, who, now_epoch, "ask-in", change, again=True)

    def let_in(self, slug: str, name: str, now_epoch: int, consent: Consent) -> None:
        """Keep a consent of somebody's, instead of the one before.  Raises the same."""

        def change(row: ParticipantRow) -> None:
            row.helper, row.helper_until_epoch = consent.helper, consent.until_epoch
            row.helper_session, row.asked_by = consent.session_id, None

        self._change(slug, name, name, now_epoch, "let-in", change, consent.helper or "all trainers")

    def keep_out(self, slug: str, name: str, who: str, now_epoch: int) -> None:
        """End a consent, or decline a trainer's wish for one.  Raises the same."""

        def change(row: ParticipantRow) -> None:
            row.helper = row.helper_until_epoch = row.helper_session = row.asked_by = None

        self._change(slug, name, who, now_epoch, "keep-out", change)

    def forget(self, slug: str, name: str, who: str, now_epoch: int, consent: Consent) -> None:
        """End a consent that is over, unless another was given meanwhile; a trainer's wish stays.  Raises the same."""

        def change(row: ParticipantRow) -> None:
            if _need(row).consent == consent:
                row.helper = row.helper_until_epoch = row.helper_session = None

        self._change(slug, name, who, now_epoch, "keep-out", change)

    def _change(
        self,
        slug: str,
        name: str,
        who: str,
        now_epoch: int,
        verb: str,
        change: Callable[[ParticipantRow], None],
        detail: str = "",
        *,
        again: bool = False,
    ) -> None:
        with self._store.sessions.begin() as session:
            query = select(ParticipantRow).where(ParticipantRow.event_slug == slug, ParticipantRow.name == name)
            row = session.scalars(query.with_for_update()).one_or_none()
            if row is None:
                raise NoSuchEvent
            change(row)
            if not session.is_modified(row):
                return  # what changes nothing would fill the record
            told = " ".join(filter(None, ("" if who == name else name, detail)))
            _write(session, slug, who, now_epoch, verb, told, again=again)


def _write(
    session: Session, slug: str, who: str, now_epoch: int, verb: str, detail: str = "", *, again: bool = False
) -> None:
    if again:
        # a hand that goes up and down all day is one line each
        session.execute(delete(ActRow).filter_by(event_slug=slug, who=who, verb=verb, detail=detail))
    session.add(ActRow(epoch=now_epoch, who=who, verb=verb, event_slug=slug, detail=detail))


def _need(row: ParticipantRow) -> Need:
    consent = None
    if row.helper is not None:
        consent = Consent(row.helper, row.helper_until_epoch or 0, row.helper_session or "")
    return Need(row.name, row.hand_epoch, row.hand_says, row.asked_by, consent)


def _said(session: Session, slug: str, most: int) -> list[Said]:
    query = select(MessageRow).where(MessageRow.event_slug == slug).order_by(MessageRow.id.desc()).limit(most)
    return [Said(row.epoch, row.who, row.says, row.team) for row in session.scalars(query)]


def _helpers(row: ParticipantRow, trainers: Collection[str], now_epoch: float) -> Iterable[Helper]:
    until_epoch = row.helper_until_epoch or 0
    if row.helper is None or not row.helper_session or until_epoch <= now_epoch:
        return
    if row.helper == ALL_TRAINERS or (row.helper in trainers and row.helper != row.name):
        helper = None if row.helper == ALL_TRAINERS else row.helper
        yield Helper(owner=row.name, session=row.helper_session, helper=helper, until_epoch=until_epoch)
