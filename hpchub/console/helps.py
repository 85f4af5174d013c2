"""What people do about help: raise a hand, say something to the room, let a trainer in and out again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from hpchub.console.help import ALL_TRAINERS, Consent, Need, Said
from hpchub.console.help_store import HelpStore
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.looks import Looks
from hpchub.console.people import Caller
from hpchub.console.plans import Event, State
from hpchub.console.room import CARD_UNUSED, Seat, SessionTold, last_of_each
from hpchub.console.rooms import Rooms
from hpchub.console.store import NoSuchEvent, NotNow
from hpchub.console.tiles import Tile, tiles
from hpchub.console.verbs import NotAllowed, PlanRefused, Verbs
from hpchub.text import SOURCE_LANGUAGE, Sentence, listed

log = logging.getLogger(__name__)
_MINUTE_SECONDS = 60
BY = "console"
"""Who ends a consent whose time is over, in the record."""
_LIVE = ("starting", "ready")
"""Phases of a session that somebody can be let into."""


@dataclass(frozen=True, slots=True)
class Member:
    """What somebody with a seat sees of it."""

    seat: Seat | None
    """None where the hub does not answer."""
    need: Need
    consent: Consent | None
    """By which a trainer may enter now."""
    said: list[Said]
    """The trainers' messages to them, the newest first."""


class Helps:
    """Help in the rooms of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
        rooms: make seats of sessions.
    """

    def __init__(self, verbs: Verbs, rooms: Rooms) -> None:
        self._verbs, self._rooms = verbs, rooms
        self.looks = Looks(verbs.hub)
        self._store = HelpStore(verbs.store)

    # Trainers

    async def needs(self, caller: Caller, slug: str) -> dict[str, Need]:
        """Give how everybody with a seat in an event of the caller's stands to help, by name."""
        await self._verbs.show(caller, slug)
        return await asyncio.to_thread(self._store.needs, slug)

    async def say(self, caller: Caller, slug: str, says: str, team: str | None) -> Said:
        """Say something to the room of an event of the caller's, or to one team of it; at least one character."""
        event = await self._verbs.show(caller, slug)
        if not says:
            # The hub takes none, and would be told of no other change either.
            raise PlanRefused(Sentence("There is nothing to read in this message."))
        teams = [each.name for each in event.plan.teams]
        if team is not None and team not in teams:
            raise PlanRefused(Sentence("There is no team {name}. Possible: {names}.", name=team, names=listed(teams)))
        if event.state(self._verbs.clock()) not in (State.PLANNED, State.OPEN):
            raise NotNow(Sentence("The event does not take place, or is over: nobody would read it."))
        said = await asyncio.to_thread(self._store.say, slug, caller.name, self._now(), says, team)
        await self._tell()
        return said

    async def lower_all(self, caller: Caller, slug: str) -> None:
        """Lower all hands of an event of the caller's."""
        await self._verbs.show(caller, slug)
        await asyncio.to_thread(self._store.lower_all, slug, caller.name, self._now())
        await self._tell()

    async def ask_in(self, caller: Caller, slug: str, name: str) -> None:
        """Ask somebody with a seat to let the caller, a trainer of the event, into their notebook."""
        event = await self._verbs.show(caller, slug)
        if caller.name not in event.trainers:
            raise NotAllowed(Sentence("Only a trainer of the event is let in."))
        await asyncio.to_thread(self._store.ask, slug, name, caller.name, self._now())

    # Participants, and those who speak for them

    async def hand(self, caller: Caller, slug: str, name: str, *, up: bool, says: str = "") -> None:
        """Raise or lower somebody's hand.

        They do both themselves, or the hub does for them, which asked their notebook; trainers lower it.
        """
        event = await asyncio.to_thread(self._verbs.store.get, slug)
        own = caller.hub or (caller.person and caller.name == name)
        if not event.has_seat(name) or not (own or caller.manages(event)):
            raise NoSuchEvent
        if up and not own:
            raise NotAllowed(Sentence("People raise their own hands; a trainer lowers them."))
        if up:
            self._must_be_open(event)
        who = name if own else caller.name
        await asyncio.to_thread(self._store.hand, slug, name, who, self._now(), up=up, says=says)
        await self._tell()

    async def messages(self, caller: Caller, slug: str) -> list[Said]:
        """Give what the trainers of an event said to the caller, the newest first; to trainers all."""
        event = await asyncio.to_thread(self._verbs.store.get, slug)
        if not caller.manages(event) and not event.has_seat(caller.name):
            raise NoSuchEvent
        said = await asyncio.to_thread(self._store.said, slug)
        if caller.manages(event):
            return said
        team = event.team_of(caller.name)
        return [each for each in said if each.is_for(team)]

    async def need(self, slug: str, name: str) -> Need:
        """Give how somebody with a seat stands to help.  Raises :class:`~hpchub.console.store.NoSuchEvent`."""
        needs = await asyncio.to_thread(self._store.needs, slug)
        if name not in needs:
            raise NoSuchEvent
        return needs[name]

    async def let_in(self, caller: Caller, slug: str, name: str, helper: str, minutes: int) -> Consent:
        """Let a trainer, or with :data:`ALL_TRAINERS` all of them, into the caller's notebook of an event.

        Until so many minutes have passed, or the event, or the notebook, ends.  Nobody consents for somebody else, so
        ``name`` is the caller's.  Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await asyncio.to_thread(self._verbs.store.get, slug)
        if not event.has_seat(name) or not (caller.manages(event) or (caller.person and caller.name == name)):
            raise NoSuchEvent
        if not (caller.person and caller.name == name):
            raise NotAllowed(Sentence("Only whose notebook it is lets somebody in."))
        self._must_be_open(event)
        if helper != ALL_TRAINERS and helper not in event.trainers:
            names = listed(event.trainers)
            raise PlanRefused(
                Sentence("{name} is no trainer of this event. Possible: {names}.", name=helper, names=names)
            )
        session = await self._session(caller.name, slug)
        if session is None:
            raise NotNow(Sentence("You have no notebook of this event that runs: there is nothing to look at."))
        until_epoch = min(self._now() + minutes * _MINUTE_SECONDS, event.ends_epoch)
        consent = Consent(helper, until_epoch, session.id)
        await asyncio.to_thread(self._store.let_in, slug, caller.name, self._now(), consent)
        await self._tell()
        return consent

    async def keep_out(self, caller: Caller, slug: str, name: str) -> None:
        """End a consent, or a trainer's wish for one: by whose notebook it is, or by a trainer of the event."""
        event = await asyncio.to_thread(self._verbs.store.get, slug)
        own = caller.person and caller.name == name
        if not event.has_seat(name) or not (own or caller.manages(event)):
            raise NoSuchEvent
        await asyncio.to_thread(self._store.keep_out, slug, name, caller.name, self._now())
        await self._tell()

    # What the pages show

    async def member(self, caller: Caller, event: Event, language: str) -> Member:
        """Give what somebody with a seat sees of it; where the hub does not answer, without the notebook."""
        needs, said = await asyncio.to_thread(self._store.needs, event.slug), await self.messages(caller, event.slug)
        try:
            sessions = [each for each in await self.looks.sessions(event.slug, language) if each.user == caller.name]
        except (HubSilent, HubRefused):
            return Member(None, needs[caller.name], None, said)
        (seat,) = self._rooms.seats(event, sessions, caller.name)
        if seat.says == CARD_UNUSED:
            seat = replace(seat, says="")  # they are here, and the console will hear of it within seconds
        consent = needs[caller.name].consent_now(seat.session_id, self._verbs.clock())
        return Member(seat, needs[caller.name], consent if seat.active else None, said)

    async def tiles(self, caller: Caller, event: Event, language: str) -> list[Tile]:
        """Give the room of an event of the caller's.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        needs = await self.needs(caller, event.slug)
        seats = self._rooms.seats(event, await self.looks.sessions(event.slug, language))
        return tiles(seats, needs, caller.name, event.trainers, self._verbs.clock())

    async def _session(self, name: str, slug: str) -> SessionTold | None:
        session = last_of_each(await self._verbs.hub.sessions(slug, SOURCE_LANGUAGE)).get(name)
        return session if session is not None and session.phase in _LIVE else None

    def _must_be_open(self, event: Event) -> None:
        if event.state(self._verbs.clock()) is not State.OPEN:
            raise NotNow(Sentence("The event is not open."))

    async def _tell(self) -> None:
        try:
            await self._verbs.push()
        except (HubSilent, HubRefused) as error:
            # it is told in the next round
            log.warning("the hub was not told of somebody who needs help, or of a message: %s", error)

    def _now(self) -> int:
        return int(self._verbs.clock())


async def tidy(verbs: Verbs) -> None:
    """Forget the consents that have ended by themselves.  Raises :class:`~hpchub.console.hub.HubSilent`.

    The hub lets nobody in by one that has ended, whether or not it is here still.
    """
    store = HelpStore(verbs.store)
    given = await asyncio.to_thread(store.with_consent)
    if not given:
        return
    sessions = await verbs.hub.sessions_by_event(SOURCE_LANGUAGE)
    for slug, need in given:
        session = last_of_each(sessions.get(slug, [])).get(need.name)
        live = session.id if session is not None and session.phase in _LIVE else ""
        if need.consent is not None and need.consent_now(live, verbs.clock()) is None:
            await asyncio.to_thread(store.forget, slug, need.name, BY, int(verbs.clock()), need.consent)
