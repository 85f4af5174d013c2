"""Who is let into whose notebook: what people consented to in the console, as shares of JupyterHub's.

The console tells the hub, with the events, whom somebody lets into which session and until when; the hub alone grants
and takes away.  So the console holds no right to enter a notebook or to pass one on, and a consent ends in time while
the console is down.  Our shares have an end, which those that JupyterHub's own API grants never have: others are left
alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from hpchub.catalogue.event import Event, Helper
from hpchub.jobs.session import Phase, Session

log = logging.getLogger(__name__)

SECONDS = 1.0
"""How often the shares are compared with the consents: so much later one that has ended is gone."""
CACHE_SECONDS = 30
"""For how long a notebook server of an event takes the hub's word about who may enter: JupyterHub's own 300 s would
keep a trainer in for so long after the end of a consent."""


class SharedServer(Protocol):
    """A server that may be shared: its spawner."""

    orm_spawner: Any
    session: Session | None


def wanted(
    events: Iterable[Event], servers: Mapping[str, SharedServer], now_epoch: float
) -> list[tuple[SharedServer, Helper]]:
    """Give the consents that are good now.

    Whoever is let in is a trainer of the event, which is open, and the session is one of the event's, its owner's, and
    lives: what the console tells can open nothing else.

    Args:
        events: as the console told them.
        servers: by the id of the session that lives there, or was the last.
        now_epoch: the time.
    """
    good = []
    for event in events:
        if not event.is_open(now_epoch):
            continue
        for helper in event.let_in:
            server = servers.get(helper.session)
            if server is not None and now_epoch < helper.until_epoch and _may_be_let_in(event, helper, server):
                good.append((server, helper))
    return good


def _may_be_let_in(event: Event, helper: Helper, server: SharedServer) -> bool:
    session = server.session
    return (
        session is not None
        and session.id == helper.session
        and session.phase not in (Phase.ENDING, Phase.ENDED)
        and session.request.event == event.slug
        and session.request.user == helper.owner
        and helper.helper in event.trainers
        and helper.helper != helper.owner
    )


class Helping:
    """Keeps JupyterHub's shares as the consents say.

    Args:
        changed: is called once other consents are good than before: nothing else happens when one ends by itself.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        # After a restart of the hub there may be some whose consent has ended meanwhile.
        self._any = True
        self._changed = changed
        self._good: list[Helper] = []

    async def run(
        self, events: Callable[[], Iterable[Event]], servers: Mapping[str, Any], clock: Callable[[], float] = time.time
    ) -> None:
        """Compare again and again, until cancelled.

        Args:
            events: gives those of now.
            servers: as in :func:`wanted`, kept up to date by others.
            clock: gives seconds since 1970.
        """
        from jupyterhub.app import JupyterHub  # where this runs it is loaded, and the engine is used elsewhere, too

        while True:
            await asyncio.sleep(SECONDS)
            good = wanted(events(), servers, clock())
            database = JupyterHub.instance().db if JupyterHub.initialized() else None
            if (good or self._any) and database is not None:
                self._keep(database, good)
            before, self._good = self._good, [helper for _, helper in good]
            if self._good != before:
                self._changed()

    def _keep(self, database: Any, good: list[tuple[SharedServer, Helper]]) -> None:
        try:
            self._any = in_step(database, good)
        except SQLAlchemyError as error:
            database.rollback()
            log.error("the consents could not be brought into the database, and are tried again: %s", error)


def in_step(database: Any, good: Sequence[tuple[SharedServer, Helper]]) -> bool:
    """Grant what is wanted and revoke what is not any more; tell whether there is any.

    Args:
        database: JupyterHub's session of SQLAlchemy.
        good: what :func:`wanted` gave.
    """
    from jupyterhub import orm

    ours = database.query(orm.Share).filter(orm.Share.expires_at.is_not(None), orm.Share.user_id.is_not(None))
    there = {(share.spawner_id, share.user.name): share for share in ours}
    for server, consent in good:
        ends = datetime.fromtimestamp(consent.until_epoch, UTC).replace(tzinfo=None)
        share = there.pop((server.orm_spawner.id, consent.helper), None)
        if share is None:
            _grant(database, server.orm_spawner, consent, ends)
        elif share.expires_at != ends:
            share.expires_at = ends
            database.commit()
    for share in there.values():
        log.info("%s is let into server %r of %s no more", share.user.name, share.spawner.name, share.owner.name)
        orm.Share.revoke(database, share.spawner, share.user)
    return bool(good)


def _grant(database: Any, spawner: Any, consent: Helper, ends: datetime) -> None:
    # What Share.grant() does, but with an end from the start: one without an end would never be ours again.
    from jupyterhub import orm

    helper = orm.User.find(database, consent.helper)
    # Somebody may have shared it by JupyterHub's own API, which is for them to end.
    if helper is None or orm.Share.find(database, spawner, helper) is not None:
        return
    owner = spawner.user
    log.info("%s lets %s into server %r until %s (UTC)", owner.name, helper.name, spawner.name, ends)
    scopes = [f"access:servers!server={owner.name}/{spawner.name}"]
    database.add(orm.Share(owner=owner, spawner=spawner, user=helper, scopes=scopes, expires_at=ends))
    database.commit()
