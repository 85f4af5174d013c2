"""What a trainer does with the room of an event: look at it, start all, stop all, restart one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping

from hpchub.console.answers import HUB_SILENT
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.joins import JoinRefused
from hpchub.console.people import Caller
from hpchub.console.plans import Event, State
from hpchub.console.room import Seat, SessionTold, room
from hpchub.console.store import NoSuchEvent
from hpchub.console.verbs import Verbs
from hpchub.text import Sentence

log = logging.getLogger(__name__)
_STOP_SECONDS, _PAUSE_SECONDS = 90, 0.5


class _CalledOff(Exception):
    """Somebody stopped the room before it was this start's turn."""


class Rooms:
    """The rooms of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        # Why a notebook was not started, by event and person: shown until the next try, or until a restart.
        self._refusals: dict[str, dict[str, str]] = {}
        # What is about to start, by event and person: a start that is not here any more was called off.
        self._starts: dict[tuple[str, str], object] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def look(self, caller: Caller, slug: str, language: str) -> list[Seat]:
        """Give the room of an event of the caller's, its sentences in a language.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        return self.seats(event, await self._verbs.hub.sessions(slug, language))

    def seats(self, event: Event, sessions: Iterable[SessionTold], name: str = "") -> list[Seat]:
        """Give the room of an event by its sessions, or one person's seat in it."""
        now_epoch, idle_minutes = self._verbs.clock(), self._verbs.settings.idle_minutes
        # Of an event that is over nothing was to start any more: what did not is no failure.
        is_over = event.state(now_epoch) is State.OVER
        refusals = {} if is_over else self._refusals.get(event.slug, {})
        return room(event, sessions, refusals, now_epoch, idle_minutes, name)

    async def start_all(self, caller: Caller, slug: str, language: str) -> int:
        """Begin to start the notebooks of all who have a seat and none, and of those whom the event names.

        Some at a time, in the background; to ask again is fine.  Gives how many.  Raises
        :class:`~hpchub.console.hub.HubSilent`.
        """
        self._must_be_open(await self._verbs.show(caller, slug))
        event = await asyncio.to_thread(self._verbs.store.seat_all, slug, caller.name, int(self._verbs.clock()))
        await self._verbs.push()
        there = {session.user for session in await self._verbs.hub.sessions(slug, language) if session.phase != "ended"}
        there.update(name for begun, name in self._starts if begun == slug)
        waiting = [each.name for each in event.participants if each.name not in there]
        self._refusals.pop(slug, None)
        for name in waiting:
            self._in_background(self._start_one(event, name, language, self._begin(slug, name)))
        return len(waiting)

    async def stop_all(self, caller: Caller, slug: str) -> None:
        """Stop all servers of an event of the caller's, also those that still wait for their turn to start.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        await asyncio.to_thread(self._verbs.store.note, slug, caller.name, int(self._verbs.clock()), "stop-all")
        self._refusals.pop(slug, None)
        self._starts = {start: mark for start, mark in self._starts.items() if start[0] != slug}
        await self._verbs.stop_all(event)

    async def restart(self, caller: Caller, slug: str, name: str, language: str) -> None:
        """Begin to stop and start again the notebook of somebody with a seat.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        self._must_be_open(event)
        if not event.has_seat(name):
            raise NoSuchEvent
        await asyncio.to_thread(self._verbs.store.note, slug, caller.name, int(self._verbs.clock()), "restart", name)
        self._refusals.get(slug, {}).pop(name, None)
        self._in_background(self._restart_one(event, name, language, self._begin(slug, name)))

    def _must_be_open(self, event: Event) -> None:
        if event.state(self._verbs.clock()) is not State.OPEN:
            raise JoinRefused(Sentence("The event is not open: nothing of it can start."))

    def _begin(self, slug: str, name: str) -> object:
        mark = self._starts[slug, name] = object()
        return mark

    async def _start_one(self, event: Event, name: str, language: str, mark: object) -> None:
        start = (event.slug, name)

        def choice() -> Mapping[str, str | int]:
            if self._starts.get(start) is not mark:
                raise _CalledOff
            return event.choice(self._verbs.clock(), name)

        try:
            await self._verbs.hub.start(name, event.slug, choice, language)
        except _CalledOff:
            return
        except (HubRefused, HubSilent) as refusal:
            if self._starts.get(start) is mark:
                says = refusal.sentence if isinstance(refusal, HubRefused) else HUB_SILENT
                log.warning("the notebook of %s in event %s was not started: %s", name, event.slug, refusal)
                self._refusals.setdefault(event.slug, {})[name] = says
        finally:
            called_off = self._starts.get(start) is not mark
            if not called_off:
                del self._starts[start]
        if called_off and start not in self._starts:
            # It was called off when the hub had been asked, and perhaps did not know it yet when it was to stop it.
            await self._stopped(event, name)

    async def _restart_one(self, event: Event, name: str, language: str, mark: object) -> None:
        if await self._stopped(event, name):
            await self._start_one(event, name, language, mark)
        elif self._starts.get((event.slug, name)) is mark:
            del self._starts[event.slug, name]
            self._refusals.setdefault(event.slug, {})[name] = Sentence("It did not stop, so it was not started again.")

    async def _stopped(self, event: Event, name: str) -> bool:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                while await self._verbs.stop_servers(name, event.slug):  # noqa: ASYNC110 - the hub has no event for it
                    await asyncio.sleep(_PAUSE_SECONDS)
        except (HubSilent, HubRefused, TimeoutError) as error:
            log.warning("the notebook of %s in event %s did not stop: %r", name, event.slug, error)
            return False
        return True

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way in the background."""
        while self._tasks:
            await asyncio.wait(self._tasks)
