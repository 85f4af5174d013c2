"""The end of who is in a seat: browsers, API tokens and servers, as soon as its event is over.

Whoever clicks is asked about by the click; an API token asks nobody, and a notebook that computes alone clicks nothing,
so all seats are looked at on a timer, and at once when the hub is told other events.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from jupyterhub import orm
from jupyterhub.orm import new_token

from hpchub.signin import record
from hpchub.signin.seats import Seats
from hpchub.text import Sentence

log = logging.getLogger(__name__)

LOOK_SECONDS = 15
STARTING_SECONDS = 60
"""For so long the token of a server that is being started may not yet be that of a session."""
_OF_A_SERVER = "Server at "
"""How JupyterHub begins the note of such a token; anybody can write that."""


class _Owner(Protocol):
    user: Any
    session: Any

    def withdraw(self, sentence: str) -> None: ...


class _Engine(Protocol):
    @property
    def seats(self) -> Seats: ...

    def owners_of_sessions(self) -> Iterable[Any]: ...


def shut_out(user: Any, sessions: Iterable[Any] = ()) -> None:
    """End all browsers and API tokens of an account; the servers of these sessions go on speaking to the hub.

    Args:
        user: JupyterHub's.
        sessions: those whose servers go on.
    """
    user.cookie_id = new_token()
    for token in foreign_tokens(user.api_tokens, {session.token_id for session in sessions}):
        user.db.delete(token)
    for code in list(user.oauth_codes):
        user.db.delete(code)
    user.db.commit()


def foreign_tokens(tokens: Iterable[Any], of_sessions: Collection[int], now: datetime | None = None) -> list[Any]:
    """Give the API tokens by which nobody but a server of a session, running or just being started, may go on."""
    youngest = (now or datetime.now(UTC).replace(tzinfo=None)) - timedelta(seconds=STARTING_SECONDS)
    return [
        token
        for token in tokens
        if token.id not in of_sessions
        and not ((token.note or "").startswith(_OF_A_SERVER) and token.created is not None and token.created > youngest)
    ]


class Rounds:
    """Looks at all seats again and again.

    Args:
        engine: knows seats and sessions.
        app: the running hub.
    """

    def __init__(self, engine: _Engine, app: Any) -> None:
        self._engine, self._app = engine, app
        self._out: set[str] = set()
        """Seats whose browsers are out already."""

    async def run(self) -> None:
        """Go round for ever."""
        changed = self._engine.seats.changed
        while True:
            changed.clear()
            self.go_round()
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)

    def go_round(self) -> None:
        """Look at each seat once; a seat that cannot be looked at is looked at in the next round."""
        accounts = self._engine.seats.accounts
        # Who signed in since it was an ordinary account again is not out yet.
        self._out &= accounts
        for account in sorted(accounts):
            try:
                self._look(account)
            except Exception:
                # a database that is away for a moment
                log.exception("the seat %s could not be looked at", account)

    def _look(self, account: str) -> None:
        seats = self._engine.seats
        if seats.standing(account) is not False:
            self._out.discard(account)
            return
        owners: list[_Owner] = [each for each in self._engine.owners_of_sessions() if each.user.name == account]
        taken = seats.taken(account)
        if seats.lent(account) is None:
            for owner in owners:
                owner.withdraw(_OVER)
        orm_user = orm.User.find(self._app.db, account)
        if orm_user is None:
            return
        user, sessions = self._app.users[orm_user], [owner.session for owner in owners]
        if account in self._out and not foreign_tokens(user.api_tokens, {each.token_id for each in sessions}):
            return
        shut_out(user, sessions)
        if taken is not None and account not in self._out:
            log.info("the seat %s of %s is over: nobody is in it any more", account, taken.event)
            record.write(self._app.eventlog, "seat-ended", username=account, event=taken.event)
        self._out.add(account)


_OVER = Sentence("The event is over, and with it this temporary seat.")
