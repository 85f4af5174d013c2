"""What the console does by itself: it keeps the hub in step with the events, and ends what is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from hpchub.console.accounts import Accounts
from hpchub.console.helps import tidy
from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.rehearsing import Rehearsals
from hpchub.console.reserving import Reservations
from hpchub.console.seats import Seats
from hpchub.console.verbs import Verbs

log = logging.getLogger(__name__)


async def once(verbs: Verbs) -> None:
    """Make one round.  Raises what the hub and the database raise."""
    # First the hub forgets what is over, so that nothing is started again behind us.
    refusal = await _refusal_of_push(verbs)
    await verbs.clear(for_good=refusal is None)
    await verbs.watch()
    await tidy(verbs)
    window_seconds = verbs.settings.code_tries_minutes * 60
    await asyncio.to_thread(verbs.store.forget_guesses, verbs.clock() - window_seconds)
    if refusal is not None:
        raise refusal


async def _refusal_of_push(verbs: Verbs) -> HubRefused | None:
    # What the hub does not take of the events of now keeps no server of those that are over running.
    try:
        await verbs.push()
    except HubRefused as refusal:
        return refusal
    return None


async def rounds(verbs: Verbs) -> None:
    """Make rounds until cancelled; whoever does not answer is asked again in the next one."""
    # A slurmctld that hangs over a reservation keeps no event open and no server running.
    steps = (
        lambda: once(verbs),
        Reservations(verbs).keep,
        Accounts(verbs).keep,
        Rehearsals(verbs).keep,
        Seats(verbs).keep,
    )
    await asyncio.gather(*(_again(verbs, step) for step in steps))


async def _again(verbs: Verbs, step: Callable[[], Awaitable[None]]) -> None:
    trouble = ""
    while True:
        try:
            await step()
        except (HubSilent, HubRefused, SQLAlchemyError) as error:
            # the same trouble every few seconds is said once
            if str(error) != trouble:
                log.warning("the events were not brought in step with the hub, and are tried again: %s", error)
            trouble = str(error)
        except Exception as error:
            # An answer or a row that nobody foresaw must not end the rounds: no event would end any more.
            if repr(error) != trouble:
                log.exception("the events were not brought in step with the hub, and are tried again")
            trouble = repr(error)
        else:
            trouble = ""
        await asyncio.sleep(verbs.settings.push_seconds)
