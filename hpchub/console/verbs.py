"""What people can do with events: the same for the pages, the API and the command line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote

from hpchub.catalogue.console import ConsoleSettings
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.seats import FILES_SUFFIX, pool_of
from hpchub.console.cards import Seal
from hpchub.console.hub import Finding, Hub, HubRefused, HubSilent
from hpchub.console.joins import NO_SUCH_CODE, JoinRefused, as_typed
from hpchub.console.known_seats import KnownSeats
from hpchub.console.lending import TooFewSeats, keeps_files
from hpchub.console.people import Caller
from hpchub.console.plans import Event, Plan, State, mistakes
from hpchub.console.report import Report, report
from hpchub.console.reservation import can_be_made
from hpchub.console.room import SessionTold
from hpchub.console.seat_store import Lending, SeatStore
from hpchub.console.store import Act, NoSuchEvent, Store
from hpchub.console.telling import Telling
from hpchub.errors import UserError
from hpchub.text import SOURCE_LANGUAGE, Counted, Joined, Sentence

log = logging.getLogger(__name__)
_MINUTE_SECONDS = 60
_AFTER_SECONDS = 600
"""For so long after an event its sessions may still end."""


class NotAllowed(UserError):
    """The caller may not do this."""


class PlanRefused(UserError):
    """A plan that cannot be; the text has a sentence for each mistake."""


class TooManyGuesses(UserError):
    """Somebody gave too many wrong codes.

    Args:
        seconds: after which they may try again.
    """

    def __init__(self, seconds: int) -> None:
        minutes = -(-seconds // _MINUTE_SECONDS)
        says = Counted(
            "Too many wrong codes. Try again in {n} minute.", "Too many wrong codes. Try again in {n} minutes.", minutes
        )
        super().__init__(says)
        self.seconds = seconds


class Verbs:
    """All that a caller may do; methods raise :class:`hpchub.errors.UserError` where they may not, or it cannot be.

    Args:
        store: the console's memory.
        hub: which is told of every change.
        catalogue: gives the site's files as they are now.
        seal: encrypts the cards of temporary seats.
        clock: gives seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        hub: Hub,
        catalogue: Callable[[], Catalogue],
        seal: Seal,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.hub, self.clock = store, hub, clock
        self.seats = SeatStore(store.sessions, seal)
        self._seal, self._seats_known = seal, KnownSeats(hub, self.seats)
        self._telling = Telling(store)
        self._catalogue = catalogue
        self._pushing = asyncio.Lock()
        self._next_push: asyncio.Future[None] | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The site's files as they are now."""
        return self._catalogue()

    @property
    def settings(self) -> ConsoleSettings:
        """The site's block ``console``."""
        settings = self.catalogue.site.console
        if settings is None:
            raise RuntimeError("the site has no console")
        return settings

    def may_create(self, caller: Caller) -> bool:
        """Tell whether a caller is a trainer."""
        return caller.is_trainer(self.settings.trainer_group)

    # Trainers and administrators

    async def managed(self, caller: Caller) -> list[Event]:
        """Give the events that a caller manages, what starts last first; to administrators all."""
        if caller.admin:
            return await asyncio.to_thread(self.store.all)
        return await asyncio.to_thread(self.store.of_trainer, caller.name)

    async def show(self, caller: Caller, slug: str) -> Event:
        """Give an event of the caller's."""
        event = await asyncio.to_thread(self.store.get, slug)
        if not caller.manages(event):
            raise NoSuchEvent
        return event

    async def record(self, caller: Caller, slug: str) -> list[Act]:
        """Give what was done with an event of the caller's."""
        await self.show(caller, slug)
        return await asyncio.to_thread(self.store.record, slug)

    async def capacity(self, caller: Caller, slug: str, language: str) -> list[Finding]:
        """Tell whether Slurm carries an event of the caller's, and what is missing, in a language.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self.show(caller, slug)
        others = await asyncio.to_thread(self.store.not_over, self.clock())
        plans = [other.for_capacity() for other in others if other.slug != slug]
        return await self.hub.capacity(event.for_capacity(), plans, language)

    async def create(self, caller: Caller, plan: Plan) -> Event:
        """Make an event of a plan.

        Who may not spend its allocation asks for it only, and an administrator decides.  Raises
        :class:`~hpchub.console.hub.HubSilent`.
        """
        if not self.may_create(caller):
            raise NotAllowed(Sentence("Only trainers create events."))
        wrong = list(mistakes(plan, self.catalogue, self.clock()))
        if wrong:
            raise PlanRefused(Joined(wrong))
        await self.check_reservation(plan)
        approved, taken = await self.decides(caller, plan), await self.hub.event_names()
        try:
            event = await asyncio.to_thread(
                self.store.create,
                plan,
                caller.name,
                self._now(),
                approved=approved,
                taken=taken,
                lend=self.lends(caller),
            )
        except TooFewSeats as refusal:
            raise PlanRefused(refusal.sentence) from refusal
        return await self.told(event)

    def lends(self, caller: Caller) -> Lending:
        """Give what lends an event the temporary seats that its plan asks for, when a caller lets it take place."""
        site = self.catalogue.site
        return Lending(
            pool=pool_of(site),
            files_days=self.settings.seat_files_days,
            zone=zone_of(site.timezone),
            seal=self._seal,
            who=caller.name,
            now_epoch=self._now(),
        )

    async def check_reservation(self, plan: Plan) -> None:
        """Refuse a reservation that is made for another event: it would go away with that one."""
        name = plan.reservation
        if name is None or not can_be_made(self.catalogue.site, plan.cluster, name):
            return
        others = await asyncio.to_thread(self.store.not_over, self.clock())
        if any((other.plan.cluster, other.plan.reservation) == (plan.cluster, name) for other in others):
            raise PlanRefused(Sentence("Reservation {name} is that of another event. Choose another name.", name=name))

    async def decides(self, caller: Caller, plan: Plan) -> bool:
        """Tell whether a plan of a caller's needs no approval.  Raises :class:`~hpchub.console.hub.HubSilent`."""
        if caller.admin or self.settings.approval == "admin":
            return caller.admin
        # "Start all" submits jobs as others, which this allocation pays: that is for those whose allocation it is.
        return caller.name in await self.hub.associated(plan.for_capacity("event", [caller.name]))

    async def approve(self, caller: Caller, slug: str, plan_digest: str | None = None) -> Event:
        """Let an event take place, if its plan is still the one of this digest; None for whatever it is."""
        await self._administered(caller, slug)
        who, lend = caller.name, self.lends(caller)
        return await self.told(await asyncio.to_thread(self.store.approve, slug, who, self._now(), lend, plan_digest))

    async def refuse(self, caller: Caller, slug: str, why: str) -> Event:
        """Refuse an event that waits for approval."""
        await self._administered(caller, slug)
        return await asyncio.to_thread(self.store.refuse, slug, caller.name, self._now(), why)

    async def close(self, caller: Caller, slug: str) -> Event:
        """End an event now."""
        await self.show(caller, slug)
        return await self.told(await asyncio.to_thread(self.store.close, slug, caller.name, self._now()))

    async def renew_code(self, caller: Caller, slug: str) -> Event:
        """Give an event a new code instead of the one that it has."""
        await self.show(caller, slug)
        return await asyncio.to_thread(self.store.renew_code, slug, caller.name, self._now())

    async def revoke_code(self, caller: Caller, slug: str) -> Event:
        """Let nobody join by a code any more."""
        await self.show(caller, slug)
        return await asyncio.to_thread(self.store.revoke_code, slug, caller.name, self._now())

    async def _administered(self, caller: Caller, slug: str) -> None:
        await self.show(caller, slug)
        if not caller.admin:
            raise NotAllowed(Sentence("Only administrators approve or refuse events."))

    # Participants

    async def mine(self, caller: Caller) -> list[Event]:
        """Give the events that a caller has a seat in, or may join without a code.

        Of those that are over the ones whose files they may still fetch in a temporary seat.
        """
        live = await asyncio.to_thread(self.store.for_person, caller.name, caller.groups, self.clock())
        lending = await asyncio.to_thread(self.store.lending)
        return [*live, *(event for event in lending if keeps_files(event, caller.name, self.settings, self.clock()))]

    async def opened_by(self, caller: Caller, typed: str) -> Event:
        """Give the event that a code opens; a wrong one counts as a guess.

        Raises :class:`hpchub.console.joins.JoinRefused`, :class:`TooManyGuesses`.
        """
        await self._guard(caller)
        event = await asyncio.to_thread(self.store.by_code, as_typed(typed))
        if event is None or event.state(self.clock()) not in (State.PLANNED, State.OPEN):
            await asyncio.to_thread(self.store.guess, caller.name, self._now())
            raise JoinRefused(NO_SUCH_CODE, wrong_code=True)
        return event

    async def open_to(self, caller: Caller, slug: str) -> Event:
        """Give an event that a caller has a seat in, manages, or may join without a code."""
        for event in await self.mine(caller):
            if event.slug == slug:
                return event
        return await self.show(caller, slug)

    async def join(self, caller: Caller, *, code: str = "", slug: str = "") -> Event:
        """Give the caller a seat in the event that a code opens, or in one that they are invited to.

        The hub knows it when this returns, so that they can start at once.  Raises
        :class:`hpchub.console.joins.JoinRefused`, :class:`TooManyGuesses`, :class:`~hpchub.console.hub.HubSilent`.
        """
        if not caller.person:
            raise NotAllowed(Sentence("Only people have seats."))
        event = await (self.opened_by(caller, code) if code else self.open_to(caller, slug))
        joined = await asyncio.to_thread(
            self.store.join, event.slug, caller.name, caller.groups, as_typed(code), self._now()
        )
        await self.push()
        return joined

    async def start(self, caller: Caller, slug: str, language: str) -> str:
        """Start the caller's server of an event, unless it runs already; give the path of the page to wait on.

        Raises :class:`~hpchub.console.hub.HubRefused` with the hub's sentence, :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self.open_to(caller, slug)
        if caller.name not in event.members or event.state(self.clock()) is not State.OPEN:
            raise JoinRefused(Sentence("This event is not open, or you have no seat in it."))
        server = await self.hub.start(caller.name, slug, lambda: event.choice(self.clock(), caller.name), language)
        return f"spawn-pending/{quote(caller.name, safe='')}/{quote(server, safe='')}"

    async def _guard(self, caller: Caller) -> None:
        window = self.settings.code_tries_minutes * _MINUTE_SECONDS
        count, first = await asyncio.to_thread(self.store.guesses, caller.name, self.clock() - window)
        if count >= self.settings.code_tries:
            log.warning("%s gave %d wrong codes of events within %d minutes", caller.name, count, window // 60)
            raise TooManyGuesses(max(int(first + window - self.clock()), 1))

    # The hub

    async def push(self) -> None:
        """Tell the hub the events of now.  Raises :class:`~hpchub.console.hub.HubSilent`."""
        # Those who come while the hub is being told share the next push: a room that joins costs two, and none of
        # them overtakes one that has read more.
        if self._next_push is None:
            self._next_push = asyncio.ensure_future(self._push())
        await asyncio.shield(self._next_push)

    async def _push(self) -> None:
        async with self._pushing:
            self._next_push = None
            await self._push_now()
        # Not while others wait for their push: of a large pool it takes a while.
        await self._seats_known.make_users()

    async def _push_now(self) -> None:
        # Before the hub forgets an event: with it go the cards that were used.
        await self._seats_known.learn()
        days, profile = self.settings.seat_files_days, self.settings.files_profile
        news = await asyncio.to_thread(self._telling.news, self.clock(), days, profile)
        slugs = await asyncio.to_thread(self.store.slugs)
        ours = slugs | {f"{slug}{FILES_SUFFIX}" for slug in slugs}
        if await self.hub.push(news.events, ours - news.left_out):
            log.info("the hub was told the events of now")

    async def clear(self, *, for_good: bool = True) -> None:
        """Stop the servers of events that are over.  Raises :class:`~hpchub.console.hub.HubSilent`.

        Args:
            for_good: whether the hub was told that they are over; else they are looked at again.
        """
        over = await asyncio.to_thread(self.store.to_clear, self.clock())
        sessions = await self.hub.sessions_by_event(SOURCE_LANGUAGE) if over else {}
        for event in over:
            # Those too who were members once, and whose servers could not be stopped when they left.
            names = {*event.members, *_with_a_notebook(sessions.get(event.slug, ()))}
            left = await asyncio.gather(*(self.still_there(name, event.slug) for name in names))
            if for_good and not any(left):
                log.info("event %s is over and nothing of it runs any more", event.slug)
                await asyncio.to_thread(self.store.cleared, event.slug, self._now())

    async def watch(self) -> None:
        """Remember the sessions of events that are open, or have just ended, and stop those of who is no member.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        ending = await asyncio.to_thread(self.store.ending_after, self.clock() - _AFTER_SECONDS)
        watched = [event.slug for event in ending if self._is_watched(event)]
        sessions = await self.hub.sessions_by_event(SOURCE_LANGUAGE) if watched else {}
        for slug in watched:
            await asyncio.to_thread(self.store.remember, slug, sessions.get(slug, []), self.clock())
        # The members as they are after the sessions were asked for: who joined meanwhile is one.
        for event in await asyncio.to_thread(self.store.not_over, self.clock()) if watched else ():
            for name in _with_a_notebook(sessions.get(event.slug, ())) - {*event.members}:
                await self.still_there(name, event.slug)

    async def stop_all(self, event: Event) -> None:
        """Stop all servers of an event.  Raises :class:`~hpchub.console.hub.HubSilent`."""
        there = _with_a_notebook(await self.hub.sessions(event.slug, SOURCE_LANGUAGE))
        await asyncio.gather(*(self.stop_servers(name, event.slug) for name in {*event.members, *there}))

    def _is_watched(self, event: Event) -> bool:
        ended = event.closed_epoch or event.plan.ends_epoch
        after = self.clock() - ended < _AFTER_SECONDS and event.state(self.clock()) is State.OVER
        return event.state(self.clock()) is State.OPEN or after

    async def report(self, caller: Caller, slug: str) -> Report:
        """Sum up an event of the caller's, as far as it has gone."""
        event = await self.show(caller, slug)
        return report(event, await asyncio.to_thread(self.store.used, slug))

    async def stop_servers(self, user: str, slug: str) -> int:
        """Stop a person's servers of an event; give how many there still are.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        mine = [server for server in await self.hub.servers(user) if server.event == slug and not server.stopped]
        for server in mine:
            if not server.stopping:
                log.info("event %s: stopping server %r of %s", slug, server.name, user)
                try:
                    await self.hub.stop(user, server.name)
                except HubRefused as refusal:
                    # it may be in the middle of something; the next round looks again
                    log.warning("server %r of %s was not stopped: %s", server.name, user, refusal)
        return len(mine)

    async def still_there(self, user: str, slug: str) -> int:
        """Stop a person's servers of an event as :meth:`stop_servers`; where nobody knows of any, take it for one."""
        try:
            return await self.stop_servers(user, slug)
        except (HubSilent, HubRefused) as error:
            # what the hub cannot say of one person keeps nobody else's servers running
            log.warning("event %s: the servers of %s are not known at the moment: %s", slug, user, error)
            return 1

    async def told(self, event: Event) -> Event:
        """Tell the hub of an event that was changed, as soon as it can be told; give the event."""
        try:
            await self.push()
        except (HubSilent, HubRefused) as error:
            log.warning("the hub was not told of event %s yet: %s", event.slug, error)
        return event

    def _now(self) -> int:
        return int(self.clock())


def _with_a_notebook(sessions: Iterable[SessionTold]) -> frozenset[str]:
    return frozenset(each.user for each in sessions if each.phase != "ended")
