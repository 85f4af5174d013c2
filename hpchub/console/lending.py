"""Which accounts of the site's pool an event is lent, and what it is told of them until it gives them back.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from hpchub.catalogue.console import ConsoleSettings
from hpchub.catalogue.event import Event as HubEvent
from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.console.plans import Event, Lent, State
from hpchub.errors import UserError
from hpchub.text import Sentence, When


class TooFewSeats(UserError):
    """The pool has not as many free accounts as an event wants; the text says how many, and when there are more."""


class SeatUse(StrEnum):
    """What is with an account of the pool."""

    FREE = "free"
    LENT = "lent"
    """Its event is still to come, or goes on."""
    KEPT = "kept"
    """Its event is over, and its files stay a while."""
    DUE = "due"
    """It is to be handed over, and wiped where the site says so, before another event gets it."""


@dataclass(frozen=True, slots=True)
class PoolSeat:
    """An account of the pool, and who has it."""

    account: str
    use: SeatUse
    event: str = ""
    """The event that has it, by its slug."""
    title: str = ""
    until_epoch: int | None = None
    """When it may become another event's."""
    used_epoch: int | None = None
    trouble: str = ""
    """Why it could not be handed over when that was tried last."""


def chosen(
    pool: Sequence[str], wanted: int, loans: Mapping[str, int], busy: Collection[str], zone: tzinfo | None
) -> tuple[str, ...]:
    """Choose accounts for an event, in the order of the pool.

    Args:
        pool: all accounts that may be lent.
        wanted: how many.
        loans: until when those are lent that another event has, in seconds since 1970.
        busy: names of people who take part in something at the same time, this event included.
        zone: in which a time is told.

    Raises:
        TooFewSeats: there are not as many.
    """
    free = [account for account in pool if account not in loans and account not in busy]
    if len(free) >= wanted:
        return tuple(free[:wanted])
    back = sorted(epoch for account, epoch in loans.items() if account in pool and account not in busy)
    lacking = wanted - len(free)
    if lacking > len(back):
        raise TooFewSeats(
            Sentence(
                "{free} of the {n} temporary seats of this site are free for this event; it asks for {wanted}.",
                free=len(free),
                n=len(pool),
                wanted=wanted,
            )
        )
    raise TooFewSeats(
        Sentence(
            "{free} of the {n} temporary seats of this site are free now; this event asks for {wanted}. There are as "
            "many from {when} on, when other events have given theirs back.",
            free=len(free),
            n=len(pool),
            wanted=wanted,
            when=when_of(back[lacking - 1], zone),
        )
    )


def when_of(epoch: float, zone: tzinfo | None) -> When:
    """Give a time as a sentence's fact."""
    return When(datetime.fromtimestamp(epoch, zone).astimezone(zone))


def pool_now(
    pool: Sequence[str],
    lending: Iterable[Event],
    now_epoch: float,
    files_days: int,
    started: Collection[tuple[str, str]],
) -> list[PoolSeat]:
    """Give all accounts of the pool, and those that left it while an event had them, in the order of the pool.

    Args:
        pool: all accounts that may be lent.
        lending: the events that have some.
        now_epoch: in seconds since 1970.
        files_days: the site's.
        started: who of which event (slug and name) ever had a session.
    """
    held: dict[str, PoolSeat] = {}
    for event in lending:
        for seat in event.lent:
            if seat.returned_epoch is None:
                held[seat.account] = PoolSeat(
                    account=seat.account,
                    use=use_of(event, seat, now_epoch, files_days, started=(event.slug, seat.account) in started),
                    event=event.slug,
                    title=event.plan.title,
                    until_epoch=event.kept_until_epoch(files_days),
                    used_epoch=seat.used_epoch,
                    trouble=seat.trouble,
                )
    there = dict.fromkeys((*pool, *held))
    return [held.get(account) or PoolSeat(account, SeatUse.FREE) for account in there]


def use_of(event: Event, seat: Lent, now_epoch: float, files_days: int, *, started: bool) -> SeatUse:
    """Tell what is with a seat that an event has.

    One that nobody took and nothing ran in has no files: it is due as soon as the event's servers are gone.

    Args:
        event: the event.
        seat: one of its temporary seats.
        now_epoch: in seconds since 1970.
        files_days: the site's.
        started: whether it ever had a session in the event.
    """
    if event.state(now_epoch) is not State.OVER:
        return SeatUse.LENT
    if seat.used_epoch is None and not started:
        return SeatUse.DUE if event.cleared_epoch is not None else SeatUse.KEPT
    return SeatUse.KEPT if now_epoch < event.kept_until_epoch(files_days) else SeatUse.DUE


def keeps_files(event: Event, name: str, settings: ConsoleSettings, now_epoch: float) -> bool:
    """Tell whether an event is over, and somebody who had a temporary seat of it may still fetch the files."""
    seat = event.seat_of(name)
    used = seat is not None and seat.used_epoch is not None and settings.files_profile is not None
    until_epoch = event.kept_until_epoch(settings.seat_files_days)
    return used and event.state(now_epoch) is State.OVER and now_epoch < until_epoch


def for_files(lending: Iterable[Event], now_epoch: float, files_days: int, profile: str | None) -> list[HubEvent]:
    """Give, as the hub takes them, the times after events in which those who used a seat come back for their files.

    Args:
        lending: the events that have temporary seats.
        now_epoch: in seconds since 1970.
        files_days: the site's.
        profile: what they may start then; None where the site offers nothing.
    """
    return [
        told
        for event in lending
        if profile is not None and event.state(now_epoch) is State.OVER
        for told in _files_of(event, now_epoch, files_days, profile)
    ]


def _files_of(event: Event, now_epoch: float, files_days: int, profile: str) -> Iterable[HubEvent]:
    until_epoch = event.kept_until_epoch(files_days)
    cards = event.cards_for_the_hub(files_days)
    used = {each.account for each in event.lent if each.used_epoch is not None}
    if now_epoch < until_epoch and any(card.account in used for card in cards):
        yield HubEvent(
            slug=f"{event.slug}{FILES_SUFFIX}",
            title=event.plan.title,
            opens_epoch=event.ends_epoch,
            closes_epoch=until_epoch,
            members=tuple(card.account for card in cards if card.account in used),
            cluster=event.plan.cluster,
            allocation=event.plan.allocation,
            profiles=(profile,),
            seats=tuple(card for card in cards if card.account in used),
        )
