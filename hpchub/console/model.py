"""The console's tables, for SQLite and PostgreSQL.

Times are seconds since 1970.  A change here needs a migration (``hpchub/console/migrations``); a test compares both.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Of constraints, so that migrations can name them on every database."""


class Base(DeclarativeBase):
    """Base of the tables."""

    metadata = MetaData(naming_convention=NAMES)


class EventRow(Base):
    """An event: what was planned, and what has become of it."""

    __tablename__ = "events"

    slug: Mapped[str] = mapped_column(String(63), primary_key=True)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A :class:`hpchub.console.plans.Plan` as JSON."""
    ends_epoch: Mapped[int] = mapped_column(BigInteger, index=True)
    """The plan's own, to look for what is over."""
    created_by: Mapped[str] = mapped_column(String(255))
    created_epoch: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str | None] = mapped_column(String(16), unique=True)
    approved_epoch: Mapped[int | None] = mapped_column(BigInteger)
    refused_epoch: Mapped[int | None] = mapped_column(BigInteger)
    refusal: Mapped[str] = mapped_column(Text, default="")
    closed_epoch: Mapped[int | None] = mapped_column(BigInteger)
    cleared_epoch: Mapped[int | None] = mapped_column(BigInteger)
    rehearsal: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """How a seat was tried before the event: who, when, and what came of it; null before the first try."""
    trainers: Mapped[list[TrainerRow]] = relationship(
        cascade="all, delete-orphan", order_by="TrainerRow.id", lazy="selectin"
    )
    participants: Mapped[list[ParticipantRow]] = relationship(
        cascade="all, delete-orphan", order_by="ParticipantRow.id", lazy="selectin"
    )
    lent: Mapped[list[SeatRow]] = relationship(cascade="all, delete-orphan", order_by="SeatRow.id", lazy="selectin")


class TrainerRow(Base):
    """Somebody whose event it is."""

    __tablename__ = "trainers"
    __table_args__ = (Index("uq_trainers_event_slug_name", "event_slug", "name", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_slug: Mapped[str] = mapped_column(ForeignKey("events.slug"))
    name: Mapped[str] = mapped_column(String(255), index=True)


class ParticipantRow(Base):
    """Somebody with a seat."""

    __tablename__ = "participants"
    __table_args__ = (Index("uq_participants_event_slug_name", "event_slug", "name", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_slug: Mapped[str] = mapped_column(ForeignKey("events.slug"))
    name: Mapped[str] = mapped_column(String(255), index=True)
    joined_epoch: Mapped[int] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column("joined_by", String(8))
    team: Mapped[str | None] = mapped_column(String(63))
    hand_epoch: Mapped[int | None] = mapped_column(BigInteger)
    """Since when they ask for help."""
    hand_says: Mapped[str] = mapped_column(Text, default="")
    asked_by: Mapped[str | None] = mapped_column(String(255))
    """The trainer who asks to be let into their server."""
    helper: Mapped[str | None] = mapped_column(String(255))
    """The trainer whom they let into their server; empty for all trainers of the event."""
    helper_until_epoch: Mapped[int | None] = mapped_column(BigInteger)
    helper_session: Mapped[str | None] = mapped_column(String(32))
    """The session that they let them into: its end ends it."""


class SeatRow(Base):
    """A temporary seat: an account of the site's pool, lent to an event until its files are gone."""

    __tablename__ = "seats"
    __table_args__ = (
        Index("uq_seats_event_slug_account", "event_slug", "account", unique=True),
        Index(
            "uq_seats_account_lent",
            "account",
            unique=True,
            sqlite_where=text("returned_epoch IS NULL"),
            postgresql_where=text("returned_epoch IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_slug: Mapped[str] = mapped_column(ForeignKey("events.slug"), index=True)
    account: Mapped[str] = mapped_column(String(32))
    card_digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the card that opens it now, in hexadecimal."""
    card_sealed: Mapped[str] = mapped_column(Text, default="")
    """The same card, encrypted, so that it can be printed again; empty once it was used."""
    used_epoch: Mapped[int | None] = mapped_column(BigInteger)
    """When somebody took the seat by a card for the first time."""
    returned_epoch: Mapped[int | None] = mapped_column(BigInteger)
    """When it was free for another event again."""
    trouble: Mapped[str] = mapped_column(Text, default="")
    """Why it could not be wiped when that was tried last."""


class MessageRow(Base):
    """What a trainer said to the whole room, or to a team."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    event_slug: Mapped[str] = mapped_column(ForeignKey("events.slug"), index=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(String(255))
    says: Mapped[str] = mapped_column(Text)
    team: Mapped[str | None] = mapped_column(String(63))
    """Null for everybody."""


class ActRow(Base):
    """Something that somebody did: the record, which only grows."""

    __tablename__ = "acts"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(32))
    event_slug: Mapped[str] = mapped_column(String(63), index=True)
    detail: Mapped[str] = mapped_column(Text, default="")


class SessionRow(Base):
    """A session of an event, as the hub told it last."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_slug: Mapped[str] = mapped_column(ForeignKey("events.slug"), index=True)
    user: Mapped[str] = mapped_column("user_name", String(255))
    cluster: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(String(32))
    gpus: Mapped[int] = mapped_column(Integer)
    asked_epoch: Mapped[float] = mapped_column(Float)
    started_epoch: Mapped[float | None] = mapped_column(Float)
    until_epoch: Mapped[float] = mapped_column(Float)
    ending: Mapped[str | None] = mapped_column(String(32))
    accounted_seconds: Mapped[int | None] = mapped_column(BigInteger)
    """How long its job ran by Slurm's accounting; null while that is not known."""
    accounted_gpus: Mapped[int | None] = mapped_column(Integer)
    accounted_core_hours: Mapped[float | None] = mapped_column(Float)
    """What the site charges for it, in core-hours."""


class WrongCodeRow(Base):
    """A code that opened nothing; the code itself is not kept."""

    __tablename__ = "wrong_codes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    who: Mapped[str] = mapped_column(String(255), index=True)
    epoch: Mapped[int] = mapped_column(BigInteger, index=True)
