"""The end of who is in a seat: browsers, API tokens and servers, as soon as its event is over.

Whoever clicks is asked about by the click; an API token asks nobody, and a notebook that computes alone clicks nothing,
so all seats are looked at on a timer, and at once when the hub is told other events.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from jupyterhub import orm
from jupyterhub.orm import new_token
from sqlalchemy.exc import SQLAlchemyError

from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.jobs.session import Session
from hpchub.signin import cards, record
from hpchub.signin.cards import Seat
from hpchub.signin.seats import Seats
from hpchub.text import Sentence

log = logging.getLogger(__name__)

LOOK_SECONDS = 15


class Owner(Protocol):
    """Whose session is: a spawner of ours."""

    user: Any
    session: Session | None

    def withdraw(self, sentence: str) -> None: ...


class _Engine(Protocol):
    @property
    def seats(self) -> Seats: ...

    def owners_of_sessions(self) -> Iterable[Any]: ...


def shut_out(user: Any, sparing: Collection[int] = ()) -> None:
    """End all browsers and API tokens of an account.

    Args:
        user: JupyterHub's.
        sparing: the ids of the tokens that stay, from :func:`tokens_of_servers`.
    """
    user.cookie_id = new_token()
    for token in [each for each in user.api_tokens if each.id not in sparing]:
        user.db.delete(token)
    for code in list(user.oauth_codes):
        user.db.delete(code)
    user.db.commit()


def tokens_of_servers(user: Any, owners: Iterable[Owner]) -> set[int]:
    """Give the ids of the tokens by which an account's servers, running or being started, speak to the hub.

    Never by a token's note or age: whoever is in the account chooses those.

    Args:
        user: JupyterHub's.
        owners: those of the account's sessions.
    """
    # JupyterHub names it here as soon as it is made; its session begins later, after other work has had its turn.
    named = (spawner.api_token for spawner in user.spawners.values())
    started = [orm.APIToken.find(user.db, token) for token in named if token]
    return {token.id for token in started if token is not None} | _of_sessions(owners)


def _of_sessions(owners: Iterable[Owner]) -> set[int]:
    return {owner.session.token_id for owner in owners if owner.session is not None}


def withdraw_of_others(owners: Iterable[Owner], seat: Seat) -> None:
    """End the sessions of who was in an account before this event lent it; those that were started for it go on."""
    slug = seat.event.slug.removesuffix(FILES_SUFFIX)
    for owner in owners:
        session = owner.session
        event = session.request.event if session is not None else None
        by_itself = session is not None and session.begun_by == seat.account
        if by_itself or (event and event.removesuffix(FILES_SUFFIX) != slug):
            owner.withdraw(cards.LENT)


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
            await self.go_round()
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)

    async def go_round(self) -> None:
        """Look at each seat once; a seat that cannot be looked at is looked at in the next round."""
        seats = self._engine.seats
        empty = sorted(account for account in seats.accounts if seats.standing(account) is False)
        # Who signed in since it was an ordinary account again, or since somebody took it, is not out yet.
        self._out &= set(empty)
        owners: defaultdict[str, list[Owner]] = defaultdict(list)
        for owner in self._engine.owners_of_sessions():
            owners[owner.user.name].append(owner)
        try:
            for account, tokens in self._tokens_of(empty).items():
                self._try_to_look(account, owners[account], tokens)
                # a room of a thousand seats must not hold up whoever clicks meanwhile
                await asyncio.sleep(0)
        except SQLAlchemyError as error:
            self._app.db.rollback()
            log.error("the seats could not be looked at, and are in the next round: %s", error)

    def _tokens_of(self, accounts: Sequence[str]) -> dict[str, set[int]]:
        """Give the ids of all API tokens of those accounts that are users of the hub, in one query."""
        token = orm.APIToken
        rows = self._app.db.query(orm.User.name, token.id).outerjoin(token, token.user_id == orm.User.id)
        found: dict[str, set[int]] = {}
        for account, token_id in rows.filter(orm.User.name.in_(accounts)):
            found.setdefault(account, set()).update(() if token_id is None else (token_id,))
        return found

    def _try_to_look(self, account: str, owners: list[Owner], tokens: set[int]) -> None:
        try:
            self._look(account, owners, tokens)
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("the seat %s could not be looked at", account)

    def _look(self, account: str, owners: list[Owner], tokens: set[int]) -> None:
        seats = self._engine.seats
        if seats.standing(account) is not False:
            # taken since the round began
            return
        seat, taken = seats.lent(account), seats.taken(account)
        if seat is not None:
            withdraw_of_others(owners, seat)
        else:
            for owner in owners:
                owner.withdraw(_OVER)
        if account in self._out and tokens <= _of_sessions(owners):
            return
        user = self._app.users[orm.User.find(self._app.db, account)]
        sparing = tokens_of_servers(user, owners)
        if account in self._out and tokens <= sparing:
            return
        shut_out(user, sparing)
        if taken is not None and account not in self._out:
            log.info("the seat %s of %s is over: nobody is in it any more", account, taken.event)
            record.write(self._app.eventlog, "seat-ended", username=account, event=taken.event)
        self._out.add(account)


_OVER = Sentence("The event is over, and with it this temporary seat.")
