"""What a trainer does with the room of an event: look at it, start all, stop all, restart one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from hpchub.console.answers import HUB_SILENT
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.joins import JoinRefused
from hpchub.console.people import Caller
from hpchub.console.plans import Event, State
from hpchub.console.room import Seat, room
from hpchub.console.store import NoSuchEvent
from hpchub.console.verbs import Verbs
from hpchub.text import Sentence

log = logging.getLogger(__name__)
_STOP_SECONDS, _PAUSE_SECONDS = 90, 0.5


class Rooms:
    """The rooms of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        # Why a notebook was not started, by event and person: shown until the next try, or until a restart.
        self._refusals: dict[str, dict[str, str]] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def look(self, caller: Caller, slug: str, language: str) -> list[Seat]:
        """Give the room of an event of the caller's, its sentences in a language.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        return room(event, await self._verbs.hub.sessions(slug, language), self._refusals.get(slug, {}))

    async def start_all(self, caller: Caller, slug: str, language: str) -> int:
        """Begin to start the notebooks of all who have a seat and none, and of those whom the event names.

        Some at a time, in the background; to ask again is fine.  Gives how many.  Raises
        :class:`~hpchub.console.hub.HubSilent`.
        """
        self._must_be_open(await self._verbs.show(caller, slug))
        event = await asyncio.to_thread(self._verbs.store.seat_all, slug, caller.name, int(self._verbs.clock()))
        await self._verbs.push()
        there = {session.user for session in await self._verbs.hub.sessions(slug, language) if session.phase != "ended"}
        waiting = [each.name for each in event.participants if each.name not in there]
        self._refusals.pop(slug, None)
        for name in waiting:
            self._in_background(self._start_one(event, name, language))
        return len(waiting)

    async def stop_all(self, caller: Caller, slug: str) -> None:
        """Stop all servers of an event of the caller's.  Raises :class:`~hpchub.console.hub.HubSilent`."""
        event = await self._verbs.show(caller, slug)
        await asyncio.to_thread(self._verbs.store.note, slug, caller.name, int(self._verbs.clock()), "stop-all")
        self._refusals.pop(slug, None)
        await asyncio.gather(*(self._verbs.stop_servers(name, slug) for name in event.members))

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
        self._in_background(self._restart_one(event, name, language))

    def _must_be_open(self, event: Event) -> None:
        if event.state(self._verbs.clock()) is not State.OPEN:
            raise JoinRefused(Sentence("The event is not open: nothing of it can start."))

    async def _start_one(self, event: Event, name: str, language: str) -> None:
        try:
            await self._verbs.hub.start(name, event.slug, event.choice(self._verbs.clock()), language)
        except (HubRefused, HubSilent) as refusal:
            says = refusal.sentence if isinstance(refusal, HubRefused) else HUB_SILENT
            log.warning("the notebook of %s in event %s was not started: %s", name, event.slug, refusal)
            self._refusals.setdefault(event.slug, {})[name] = says

    async def _restart_one(self, event: Event, name: str, language: str) -> None:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                while await self._verbs.stop_servers(name, event.slug):  # noqa: ASYNC110 - the hub has no event for it
                    await asyncio.sleep(_PAUSE_SECONDS)
        except (HubSilent, TimeoutError) as error:
            log.warning("the notebook of %s in event %s did not stop: %r", name, event.slug, error)
            self._refusals.setdefault(event.slug, {})[name] = Sentence("It did not stop, so it was not started again.")
            return
        await self._start_one(event, name, language)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way in the background."""
        while self._tasks:
            await asyncio.wait(self._tasks)
