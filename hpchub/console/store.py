"""What the console remembers, as values: every change is one transaction, with its line in the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, object_session, sessionmaker

from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.console.changing import CHANGED_MEANWHILE
from hpchub.console.joins import join_by, new_code
from hpchub.console.model import ActRow, EventRow, ParticipantRow, SeatRow, SessionRow, TrainerRow, WrongCodeRow
from hpchub.console.plans import Event, Lent, Participant, Plan, State
from hpchub.console.rehearsal import Rehearsal
from hpchub.console.report import Used
from hpchub.console.room import SessionTold
from hpchub.console.teams import team_of
from hpchub.errors import UserError
from hpchub.pages.naming import server_name
from hpchub.text import Sentence

Lend = Callable[[Session, EventRow], None]
"""Gives an event its temporary seats, in the transaction that lets it take place."""
_TRIES_TO_NAME = 5
_MOST_OF_A_RECORD = 1000


class NoSuchEvent(UserError):
    """There is none, or none that may be told of."""

    def __init__(self) -> None:
        super().__init__(Sentence("There is no such event, or it is not one of yours."))


class NotNow(UserError):
    """What is asked cannot be done with an event in its state."""


@dataclass(frozen=True, slots=True)
class Act:
    """A line of the record."""

    epoch: int
    who: str
    verb: str
    event: str
    detail: str


class Store:
    """The console's database.

    Args:
        engine: of SQLAlchemy, for a database whose migrations were run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @property
    def sessions(self) -> sessionmaker[Session]:
        """What opens the database, for what other modules keep in it."""
        return self._sessions

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # Reading

    def get(self, slug: str) -> Event:
        """Give an event.  Raises :class:`NoSuchEvent`."""
        with self._sessions() as session:
            row = session.get(EventRow, slug)
            if row is None:
                raise NoSuchEvent
            return _event(row)

    def all(self) -> list[Event]:
        """Give all events, what starts last first."""
        with self._sessions() as session:
            return _sorted(map(_event, session.scalars(select(EventRow))))

    def slugs(self) -> frozenset[str]:
        """Give the names of all events that there ever were."""
        with self._sessions() as session:
            return frozenset(session.scalars(select(EventRow.slug)))

    def of_trainer(self, name: str) -> list[Event]:
        """Give the events that somebody manages, what starts last first."""
        with self._sessions() as session:
            rows = session.scalars(select(EventRow).join(TrainerRow).where(TrainerRow.name == name))
            return _sorted(map(_event, rows))

    def for_person(self, name: str, groups: Collection[str], now_epoch: float) -> list[Event]:
        """Give the events that are not over and that somebody has a seat in, or may join without a code."""
        live = (State.PLANNED, State.OPEN)
        mine = []
        for event in self.not_over(now_epoch):
            invited = name in event.plan.people or not set(event.plan.groups).isdisjoint(groups)
            if event.state(now_epoch) in live and (invited or event.has_seat(name)):
                mine.append(event)
        return mine

    def not_over(self, now_epoch: float) -> list[Event]:
        """Give the events whose end is still to come, closed and refused ones left out."""
        with self._sessions() as session:
            query = select(EventRow).where(
                EventRow.ends_epoch > now_epoch, EventRow.closed_epoch.is_(None), EventRow.refused_epoch.is_(None)
            )
            return _sorted(map(_event, session.scalars(query)))

    def ending_after(self, epoch: float) -> list[Event]:
        """Give the events whose planned end is later than a time."""
        with self._sessions() as session:
            return _sorted(map(_event, session.scalars(select(EventRow).where(EventRow.ends_epoch > epoch))))

    def to_clear(self, now_epoch: float) -> list[Event]:
        """Give the events that are over and may have left servers behind."""
        with self._sessions() as session:
            rows = session.scalars(select(EventRow).where(EventRow.cleared_epoch.is_(None)))
            return [event for event in map(_event, rows) if event.state(now_epoch) is State.OVER]

    def lending(self) -> list[Event]:
        """Give the events that have temporary seats which were not given back, in the order of their ends."""
        with self._sessions() as session:
            holding = select(SeatRow.event_slug).where(SeatRow.returned_epoch.is_(None))
            rows = session.scalars(select(EventRow).where(EventRow.slug.in_(holding)))
            return sorted(map(_event, rows), key=lambda event: (event.ends_epoch, event.slug))

    def by_code(self, code: str) -> Event | None:
        """Give the event that a code opens."""
        with self._sessions() as session:
            row = session.scalars(select(EventRow).where(EventRow.code == code)).one_or_none() if code else None
            return None if row is None else _event(row)

    def record(self, slug: str, verbs: Collection[str] = ()) -> list[Act]:
        """Give what was done with an event, in its order: of these verbs all, else of a very long record the end."""
        with self._sessions() as session:
            query = select(ActRow).where(ActRow.event_slug == slug).order_by(ActRow.id.desc())
            query = query.where(ActRow.verb.in_(verbs)) if verbs else query.limit(_MOST_OF_A_RECORD)
            rows = list(session.scalars(query))
            return [Act(row.epoch, row.who, row.verb, row.event_slug, row.detail) for row in reversed(rows)]

    # Changing

    def create(
        self,
        plan: Plan,
        who: str,
        now_epoch: int,
        *,
        approved: bool,
        taken: Collection[str] = frozenset(),
        lend: Lend | None = None,
    ) -> Event:
        """Make an event of a plan.

        Args:
            plan: the plan.
            who: its creator.
            now_epoch: in seconds since 1970.
            approved: whether nobody has to decide about it.
            taken: names of others' events.
            lend: gives it the temporary seats that it needs once it is approved; what it raises makes no event.
        """
        for _ in range(_TRIES_TO_NAME):
            try:
                with self._sessions.begin() as session:
                    row = EventRow(
                        slug=server_name(plan.title, {*taken, *_with_files(session.scalars(select(EventRow.slug)))}),
                        plan=plan.model_dump(mode="json"),
                        ends_epoch=plan.ends_epoch,
                        created_by=who,
                        created_epoch=now_epoch,
                        approved_epoch=now_epoch if approved else None,
                        refusal="",
                        code=new_code() if plan.by_code else None,
                        trainers=[TrainerRow(name=name) for name in dict.fromkeys((who, *plan.trainers))],
                    )
                    session.add(row)
                    session.flush()
                    _note(session, now_epoch, who, "create", row.slug, plan.title)
                    if approved and lend is not None:
                        lend(session, row)
                    return _event(row)
            except IntegrityError:
                continue  # another one took the slug, or has the same code, in the meantime
        raise RuntimeError("no name for a new event was free")

    def approve(
        self, slug: str, who: str, now_epoch: int, lend: Lend | None = None, digest: str | None = None
    ) -> Event:
        """Let an event take place, with the temporary seats that ``lend`` gives it; ``digest`` is that of its plan.

        Raises :class:`NoSuchEvent`, :class:`NotNow`, and what ``lend`` raises.
        """

        def change(row: EventRow, event: Event) -> None:
            must_be(event, now_epoch, State.REQUESTED)
            if digest not in (None, event.plan.digest):
                raise NotNow(CHANGED_MEANWHILE)
            row.approved_epoch = now_epoch
            session = object_session(row)
            if lend is not None and session is not None:
                lend(session, row)

        return self.change(slug, who, now_epoch, "approve", change)

    def refuse(self, slug: str, who: str, now_epoch: int, why: str) -> Event:
        """Refuse an event that waits for approval.  Raises :class:`NoSuchEvent`, :class:`NotNow`."""

        def change(row: EventRow, event: Event) -> None:
            must_be(event, now_epoch, State.REQUESTED)
            row.refused_epoch, row.refusal, row.code = now_epoch, why, None
            _give_back_all(row, now_epoch)

        return self.change(slug, who, now_epoch, "refuse", change, why)

    def close(self, slug: str, who: str, now_epoch: int) -> Event:
        """End an event before its time, whatever its state.  Raises :class:`NoSuchEvent`, :class:`NotNow`."""

        def change(row: EventRow, event: Event) -> None:
            must_be(event, now_epoch, State.REQUESTED, State.PLANNED, State.OPEN)
            row.closed_epoch, row.code = now_epoch, None
            if now_epoch < event.plan.opens_epoch:
                _give_back_all(row, now_epoch)

        return self.change(slug, who, now_epoch, "close", change)

    def renew_code(self, slug: str, who: str, now_epoch: int) -> Event:
        """Give an event a new code; the old one works no more.  Raises :class:`NoSuchEvent`, :class:`NotNow`."""

        def change(row: EventRow, event: Event) -> None:
            must_be(event, now_epoch, State.REQUESTED, State.PLANNED, State.OPEN)
            if not event.plan.by_code:
                raise NotNow(Sentence("This event was planned without a code: only those whom it names may join."))
            row.code = new_code()

        return self.change(slug, who, now_epoch, "new-code", change)

    def revoke_code(self, slug: str, who: str, now_epoch: int) -> Event:
        """Let nobody join by a code any more; who has joined stays.  Raises :class:`NoSuchEvent`."""

        def change(row: EventRow, event: Event) -> None:
            row.code = None

        return self.change(slug, who, now_epoch, "revoke-code", change)

    def join(self, slug: str, name: str, groups: Collection[str], code: str, now_epoch: int) -> Event:
        """Give a person a seat, unless they have one.

        Raises :class:`NoSuchEvent`, :class:`hpchub.console.joins.JoinRefused`.
        """
        with self._sessions.begin() as session:
            row = _locked(session, slug)
            by = join_by(_event(row), name, groups, code, now_epoch)
            if by is not None:
                row.participants.append(ParticipantRow(name=name, joined_epoch=now_epoch, by=by))
                _note(session, now_epoch, name, "join", slug, by)
            return _event(row)

    def seat_all(self, slug: str, who: str, now_epoch: int) -> Event:
        """Give a seat to everybody whom an event names, as long as there are seats.  Raises :class:`NoSuchEvent`."""
        with self._sessions.begin() as session:
            row = _locked(session, slug)
            event = _event(row)
            waiting = [name for name in event.plan.people if not event.has_seat(name) and name not in event.trainers]
            for name in waiting[: event.seats_left]:
                row.participants.append(ParticipantRow(name=name, joined_epoch=now_epoch, by="list"))
            _note(session, now_epoch, who, "start-all", slug, "")
            return _event(row)

    def note(self, slug: str, who: str, now_epoch: int, verb: str, detail: str = "", *, again: bool = False) -> None:
        """Add a line to the record of an event; ``again`` puts it in place of the same line from before."""
        with self._sessions.begin() as session:
            if again:
                same = {"event_slug": slug, "who": who, "verb": verb, "detail": detail}
                session.execute(delete(ActRow).filter_by(**same))
            _note(session, now_epoch, who, verb, slug, detail)

    def remember(self, slug: str, sessions: Iterable[SessionTold], now_epoch: float) -> None:
        """Keep what the hub tells of an event's sessions."""
        with self._sessions.begin() as session:
            for each in sessions:
                session.merge(
                    SessionRow(
                        id=each.id,
                        event_slug=slug,
                        user=each.user,
                        cluster=each.cluster,
                        job_id=each.job_id or "",
                        gpus=each.gpus,
                        asked_epoch=each.begun_epoch,
                        started_epoch=each.started_epoch,
                        until_epoch=each.ended_epoch or now_epoch,
                        ending=each.ending,
                    )
                )

    def used(self, slug: str) -> list[Used]:
        """Give the sessions of an event that are remembered, in the order in which they were asked for."""
        with self._sessions() as session:
            rows = session.scalars(
                select(SessionRow).where(SessionRow.event_slug == slug).order_by(SessionRow.asked_epoch, SessionRow.id)
            )
            return [
                Used(
                    user=row.user,
                    cluster=row.cluster,
                    job_id=row.job_id,
                    gpus=row.gpus,
                    asked_epoch=row.asked_epoch,
                    started_epoch=row.started_epoch,
                    until_epoch=row.until_epoch,
                    ending=row.ending,
                    accounted_seconds=row.accounted_seconds,
                    accounted_gpus=row.accounted_gpus,
                    core_hours=row.accounted_core_hours,
                )
                for row in rows
            ]

    def cleared(self, slug: str, now_epoch: int) -> None:
        """Remember that nothing of an event is left."""
        with self._sessions.begin() as session:
            session.execute(update(EventRow).where(EventRow.slug == slug).values(cleared_epoch=now_epoch))

    # Guesses

    def guess(self, who: str, now_epoch: int) -> None:
        """Count a wrong code of somebody's."""
        with self._sessions.begin() as session:
            session.add(WrongCodeRow(who=who, epoch=now_epoch))

    def guesses(self, who: str, since_epoch: float) -> tuple[int, int]:
        """Give how many wrong codes of somebody's count, and when the first was given; 0 where there is none."""
        with self._sessions() as session:
            query = select(func.count(), func.min(WrongCodeRow.epoch)).where(
                WrongCodeRow.who == who, WrongCodeRow.epoch > since_epoch
            )
            count, first = session.execute(query).one()
            return count, first or 0

    def forget_guesses(self, before_epoch: float) -> None:
        """Remove what does not count any more."""
        with self._sessions.begin() as session:
            session.execute(delete(WrongCodeRow).where(WrongCodeRow.epoch <= before_epoch))

    def change(
        self,
        slug: str,
        who: str,
        now_epoch: int,
        verb: str,
        change: Callable[[EventRow, Event], None],
        detail: str = "",
    ) -> Event:
        """Change the row of an event, with a line in its record, in one transaction.

        What ``change`` raises takes everything back.  Raises :class:`NoSuchEvent`.
        """
        with self._sessions.begin() as session:
            row = _locked(session, slug)
            change(row, _event(row))
            _note(session, now_epoch, who, verb, slug, detail)
            return _event(row)


def _give_back_all(row: EventRow, now_epoch: int) -> None:
    """Let other events have the temporary seats of one that never opened: nobody was in them, and nothing ran there."""
    for seat in row.lent:
        if seat.returned_epoch is None and seat.used_epoch is None:
            seat.returned_epoch, seat.card_digest, seat.card_sealed = now_epoch, None, ""


def _with_files(slugs: Iterable[str]) -> Iterator[str]:
    # An event and what its temporary seats fetch their files in are two to the hub (hpchub.console.lending).
    for slug in slugs:
        yield from (slug, f"{slug}{FILES_SUFFIX}", slug.removesuffix(FILES_SUFFIX))


def _locked(session: Session, slug: str) -> EventRow:
    # For the one seat that is left two people come at once; SQLite locks all of itself instead (database.py).
    row = session.scalars(select(EventRow).where(EventRow.slug == slug).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchEvent
    return row


def _note(session: Session, now_epoch: int, who: str, verb: str, slug: str, detail: str) -> None:
    session.add(ActRow(epoch=now_epoch, who=who, verb=verb, event_slug=slug, detail=detail))


def must_be(event: Event, now_epoch: int, *states: State) -> None:
    """Raise :class:`NotNow` unless an event is in one of some states."""
    state = event.state(now_epoch)
    if state not in states:
        raise NotNow(
            Sentence("This cannot be done: the event {title} is {state}.", title=event.plan.title, state=STATES[state])
        )


STATES = {
    State.REQUESTED: Sentence("waiting for approval"),
    State.REFUSED: Sentence("refused"),
    State.PLANNED: Sentence("planned"),
    State.OPEN: Sentence("open"),
    State.OVER: Sentence("over"),
}
"""What people call a state."""


def _sorted(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (-event.plan.starts_epoch, event.slug))


def _event(row: EventRow) -> Event:
    plan = Plan.model_validate_json(json.dumps(row.plan))
    return Event(
        slug=row.slug,
        plan=plan,
        created_by=row.created_by,
        created_epoch=row.created_epoch,
        trainers=tuple(each.name for each in row.trainers),
        code=row.code,
        participants=tuple(
            Participant(each.name, each.joined_epoch, each.by, team_of(plan.teams, each.name, each.team))
            for each in row.participants
        ),
        approved_epoch=row.approved_epoch,
        lent=tuple(
            Lent(each.account, each.card_digest, each.used_epoch, each.returned_epoch, each.trouble)
            for each in row.lent
        ),
        refused_epoch=row.refused_epoch,
        refusal=row.refusal,
        closed_epoch=row.closed_epoch,
        cleared_epoch=row.cleared_epoch,
        rehearsal=None if row.rehearsal is None else Rehearsal.model_validate(row.rehearsal),
    )
