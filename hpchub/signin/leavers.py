"""The running servers of people who may start no more: they go on, or end after a while, by the site's policy.

Whoever clicks is asked about by the click; a notebook that computes alone clicks nothing, so these people are asked
about on a timer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from hpchub.catalogue.sign_in import OpenIdConnect
from hpchub.signin.refusal import SignInRefused

log = logging.getLogger(__name__)

ENDED = "ended"
"""The reason of an end that the provider has said: nobody knows why."""
ROUNDS_A_REFRESH = 4
"""A person is asked about as soon as what is known of them is too old, give or take this part of that age."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended somebody's sign-in."""

    refused: SignInRefused
    since_epoch: float | None
    """Since when; None where it is no reason to end anything that runs: it may be a fault of the provider's."""


class Owner(Protocol):
    """Who holds a session that is not over: the spawner of a server."""

    user: Any

    def withdraw(self, sentence: str) -> None: ...


def must_end(ended: Ended, rules: OpenIdConnect, now: float) -> bool:
    """Tell whether the servers of somebody whose sign-in has ended end now, by the policy of a site."""
    if ended.since_epoch is None or rules.running_servers == "go-on":
        return False
    if ended.refused.reason == ENDED and rules.running_servers != "end":
        return False
    return now >= ended.since_epoch + rules.grace_minutes * 60


class Leavers:
    """Asks again about everybody who has a server, and ends what the policy says.

    Args:
        rules: the site's.
        look: what is known of a person by now: why their sign-in has ended, or None while it has not.
        owners: all that have a session which is not over.
    """

    def __init__(
        self,
        rules: OpenIdConnect,
        look: Callable[[Any], Awaitable[Ended | None]],
        owners: Callable[[], Iterable[Owner]],
    ) -> None:
        self._rules, self._look, self._owners = rules, look, owners

    async def run(self) -> None:
        """Go round for ever."""
        while True:
            await self.go_round()
            await asyncio.sleep(self._rules.refresh_seconds / ROUNDS_A_REFRESH)

    async def go_round(self) -> None:
        """Ask about each person once, one after the other: a thousand at a time would be a burden to the provider."""
        people: dict[str, tuple[Any, list[Owner]]] = {}
        for owner in self._owners():
            people.setdefault(owner.user.name, (owner.user, []))[1].append(owner)
        for user, owners in people.values():
            try:
                ended = await self._look(user)
            except Exception:
                # a database that is away for a moment: the others are asked about, and all of them in the next round
                log.exception("%s could not be asked about", user.name)
                continue
            if ended is not None and must_end(ended, self._rules, time.time()):
                log.warning("%s may start no more (%s): the servers end", user.name, ended.refused.reason)
                for owner in owners:
                    owner.withdraw(ended.refused.sentence)
