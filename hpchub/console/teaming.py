"""What people do with teams: a trainer moves people, and people choose theirs where the plan lets them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hpchub.console.model import EventRow, ParticipantRow
from hpchub.console.people import Caller
from hpchub.console.plans import Event, State
from hpchub.console.store import NoSuchEvent, NotNow
from hpchub.console.teams import named
from hpchub.console.verbs import NotAllowed, PlanRefused, Verbs
from hpchub.text import Sentence, listed


class Teaming:
    """The teams of all events.

    Args:
        verbs: give events, memory and hub, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    async def arrange(self, caller: Caller, slug: str, teams: Mapping[str, str]) -> Event:
        """Put people of an event of the caller's into teams.

        It holds from the next start of a notebook on.  Raises :class:`~hpchub.console.store.NoSuchEvent` where one of
        them has no seat and is not named either, :class:`~hpchub.console.verbs.PlanRefused` for a team that is none.

        Args:
            caller: a trainer of the event.
            slug: the event.
            teams: names of teams by names of people; empty for no team.
        """
        await self._verbs.show(caller, slug)
        return await self._changed(caller, slug, teams)

    async def choose(self, caller: Caller, slug: str, team: str) -> Event:
        """Put the caller, who has a seat, into a team of their choice.

        Raises as :meth:`arrange`, and :class:`~hpchub.console.verbs.NotAllowed` where people do not choose.
        """
        event = await self._verbs.open_to(caller, slug)
        if not event.has_seat(caller.name):
            raise NoSuchEvent
        if not event.plan.choose_team:
            raise NotAllowed(Sentence("In this event the trainer says who is in which team."))
        if event.team_of(caller.name) == team:
            return event
        return await self._changed(caller, slug, {caller.name: team})

    async def _changed(self, caller: Caller, slug: str, teams: Mapping[str, str]) -> Event:
        now_epoch = int(self._verbs.clock())
        detail = ", ".join(f"{person}: {team or '-'}" for person, team in teams.items())

        def change(row: EventRow, event: Event) -> None:
            if event.state(now_epoch) is State.OVER:
                raise NotNow(Sentence("This event is over."))
            for person, team in teams.items():
                _put(row, event, person, team, now_epoch)

        event = await asyncio.to_thread(
            self._verbs.store.change, slug, caller.name, now_epoch, "team", change, detail[:1000]
        )
        return await self._verbs.told(event)


def _put(row: EventRow, event: Event, person: str, team: str, now_epoch: int) -> None:
    if team and named(event.plan.teams, team) is None:
        possible = listed(each.name for each in event.plan.teams)
        raise PlanRefused(Sentence("There is no team {name}. Possible: {names}.", name=team, names=possible))
    for each in row.participants:
        if each.name == person:
            each.team = team
            return
    if person not in event.plan.people or not event.seats_left:
        raise NoSuchEvent
    # whom the event names takes a seat by it, as by "start all"
    row.participants.append(ParticipantRow(name=person, joined_epoch=now_epoch, by="list", team=team))
