"""Changes an event after it was created: by the same rules as at its creation, each with its line in the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session, object_session

from hpchub.console.answers import wrong_in_model
from hpchub.console.changing import (
    CHANGED_MEANWHILE,
    WHAT_RUNS,
    changed_fields,
    in_a_line,
    moment,
    needs_approval,
    obstacles,
)
from hpchub.console.joins import new_code
from hpchub.console.lending import TooFewSeats
from hpchub.console.model import ActRow, EventRow, TrainerRow
from hpchub.console.people import Caller
from hpchub.console.plans import LONGEST_DAYS, Event, Plan, State, mistakes
from hpchub.console.prolonging import PROLONG_ASKED
from hpchub.console.rehearsal import Trouble
from hpchub.console.reservation import has_own_reservation
from hpchub.console.reserving import DECISIVE, was_reserved
from hpchub.console.store import NotNow, must_be
from hpchub.console.verbs import NotAllowed, PlanRefused, Verbs
from hpchub.text import Joined, Sentence

_CHANGEABLE = (State.REQUESTED, State.PLANNED, State.OPEN)


class Changes:
    """The changes of all events.

    Args:
        verbs: give events, memory, hub and site, and say whose an event is.
    """

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    async def change(self, caller: Caller, slug: str, changes: Mapping[str, Any]) -> Event:
        """Give an event of the caller's another plan.

        One that an administrator has to approve again is not open to anybody until then; one that is open already is
        not changed without an administrator.

        Args:
            caller: who asks.
            slug: the event.
            changes: the fields of its plan that shall be others, with their values as in JSON.

        Raises :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        try:
            # as the database reads it: in JSON a tuple is a list
            after = Plan.model_validate_json(json.dumps({**event.plan.model_dump(mode="json"), **changes}))
        except ValidationError as error:
            raise PlanRefused(wrong_in_model(error)) from None
        wrong = list(mistakes(after, self._verbs.catalogue, self._verbs.clock()))
        if wrong:
            raise PlanRefused(Joined(wrong))
        return await self._apply(caller, event, after, "change")

    async def extend(self, caller: Caller, slug: str, ends_epoch: int) -> Event:
        """Let an event end at a later time.

        Sessions that would have ended with it are prolonged where ``hpchub-reserve`` is there and they run in a
        reservation of its own; others keep the time limit that they began with.  Raises
        :class:`~hpchub.console.hub.HubSilent`.
        """
        event = await self._verbs.show(caller, slug)
        if ends_epoch <= event.plan.ends_epoch:
            raise PlanRefused(Sentence("The new end is not after the one that it has."))
        try:
            after = Plan.model_validate({**event.plan.model_dump(), "ends_epoch": ends_epoch})
        except ValidationError:
            raise PlanRefused(Sentence("An event lasts at most {n} days.", n=LONGEST_DAYS)) from None
        if event.approved_epoch is not None and not await self._verbs.decides(caller, after):
            raise NotAllowed(Sentence("Ask an administrator to let this event end later: that needs their approval."))
        return await self._apply(caller, event, after, "extend")

    async def _apply(self, caller: Caller, event: Event, after: Plan, verb: str) -> Event:
        before, now_epoch = event.plan, int(self._verbs.clock())
        if before == after:
            return event
        if (before.cluster, before.reservation) != (after.cluster, after.reservation):
            await self._verbs.check_reservation(after)
        approved = event.approved_epoch is not None
        decided = not (approved and needs_approval(before, after)) or await self._verbs.decides(caller, after)
        if not decided and event.state(now_epoch) is State.OPEN:
            raise NotAllowed(Sentence("Ask an administrator to change this: the event is open, and it needs approval."))
        acts = [act.verb for act in await asyncio.to_thread(self._verbs.store.record, event.slug, DECISIVE)]
        lend = self._verbs.lends(caller)
        can_prolong = has_own_reservation(self._verbs.catalogue.site, after.cluster, after.reservation)

        def change(row: EventRow, now: Event) -> None:
            must_be(now, now_epoch, *_CHANGEABLE)
            if (now.plan, now.approved_epoch) != (before, event.approved_epoch):
                raise NotNow(CHANGED_MEANWHILE)
            wrong = list(obstacles(now, after, now_epoch, reserved=was_reserved(acts)))
            if wrong:
                raise PlanRefused(Joined(wrong))
            _write(row, now, after, now_epoch, can_prolong)
            if not decided:
                row.approved_epoch = None
            elif approved:
                lend(_session_of(row), row)

        detail = moment(after.ends_epoch) if verb == "extend" else in_a_line(before, after)
        store = self._verbs.store
        try:
            changed = await asyncio.to_thread(store.change, event.slug, caller.name, now_epoch, verb, change, detail)
        except TooFewSeats as refusal:
            raise PlanRefused(refusal.sentence) from refusal
        told = await self._verbs.told(changed)
        await self._stop_those_who_left(event, changed)
        return told

    async def _stop_those_who_left(self, before: Event, after: Event) -> None:
        """Stop the servers of those who have no part in an event any more; those that are left, a round stops."""
        for name in set(before.members) - set(after.members):
            await self._verbs.still_there(name, after.slug)


def _write(row: EventRow, event: Event, after: Plan, now_epoch: int, can_prolong: bool) -> None:
    """Write a plan into the row of an event, with what follows from it."""
    before = event.plan
    row.plan, row.ends_epoch = after.model_dump(mode="json"), after.ends_epoch
    if before.by_code != after.by_code:
        row.code = new_code() if after.by_code else None
    wanted = tuple(dict.fromkeys((event.created_by, *after.trainers)))
    # By name: rows that are deleted and made again in one step would meet each other.
    for gone in [each for each in row.trainers if each.name not in wanted]:
        row.trainers.remove(gone)
    there = {each.name for each in row.trainers}
    row.trainers.extend(TrainerRow(name=name) for name in wanted if name not in there)
    tried_something_else = WHAT_RUNS.intersection(changed_fields(before, after))
    if tried_something_else and event.rehearsal is not None:
        called_off = event.rehearsal.failed(Trouble.CALLED_OFF)
        row.rehearsal = called_off.model_dump(mode="json") if event.rehearsal.under_way else None
    if can_prolong and event.state(now_epoch) is State.OPEN and after.ends_epoch > before.ends_epoch:
        asked = ActRow(epoch=now_epoch, who="console", verb=PROLONG_ASKED, event_slug=row.slug)
        asked.detail = moment(before.ends_epoch)
        _session_of(row).add(asked)


def _session_of(row: EventRow) -> Session:
    session = object_session(row)
    if session is None:
        raise RuntimeError("a row that is changed belongs to a transaction")
    return session
