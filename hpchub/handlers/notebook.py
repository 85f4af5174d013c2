"""``/hub/api/hpchub/sessions/ID/room`` and ``…/hand``: what a notebook server asks and says while it runs."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import closing
from typing import Any

from jupyterhub.apihandlers import APIHandler
from pydantic import ValidationError
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from hpchub.catalogue.event import Event
from hpchub.config import secret
from hpchub.console.people import SERVICE
from hpchub.engine import SessionOwner
from hpchub.errors import CatalogueError
from hpchub.events import wrong_in
from hpchub.handlers.sessions import SessionFinder
from hpchub.jobs.notebook import Hand, Use, end_epoch, event_of, pause_seconds, told
from hpchub.jobs.session import Session
from hpchub.pages.failure import PageError
from hpchub.text import Sentence

CONSOLE_SECONDS = 10
"""How long the console may take to note a hand."""


class _OfItsJob(SessionFinder, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For the server of a session alone, known by its token."""

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Ask no provider of identities: the server speaks by itself, whether or not its person is there."""
        return user

    def _event_of(self, session: Session) -> Event | None:
        return event_of(session, self.engine.events.events)

    def _not_over(self, session: Session) -> None:
        if session.over:
            raise PageError(409, Sentence("This session is over."))


class RoomHandler(_OfItsJob):
    """``GET``: what the notebook shows; with ``If-None-Match`` and ``Prefer: wait`` when there is something new.

    The answer's ``Retry-After`` says when to ask again.
    """

    def compute_etag(self) -> str:
        """Name an answer by what is in it."""
        return _tag(b"".join(self._write_buffer))

    async def get(self, session_id: str) -> None:
        owner, session = self.of_its_job(session_id)
        self._not_over(session)
        self._note_use(owner)
        waited = await self._wait(session)
        self._not_over(session)
        self.set_header("Retry-After", 0 if waited else self._pause_seconds(session))
        self.finish(self._told(session))

    def _note_use(self, owner: SessionOwner) -> None:
        sent = self.get_query_argument("gpu_percent", "")
        try:
            owner.gpu_percent = Use.model_validate({"gpu_percent": sent or None}).gpu_percent
        except ValidationError as error:
            raise web.HTTPError(400, f"Not a use of GPUs: {wrong_in(error)}") from None

    def _told(self, session: Session) -> bytes:
        view = self.engine.views.get(session.request.cluster)
        return json.dumps(told(session, view, self._event_of(session), time.time())).encode()

    async def _wait(self, session: Session) -> bool:
        """Hold the answer back until it is another than the one that the server has; tell whether it could wait."""
        notebooks = self.engine.notebooks
        # A proxy that compresses the answer makes its name a weak one.
        known = self.request.headers.get("If-None-Match", "").removeprefix("W/")
        wishes = "wait" in self.request.headers.get("Prefer", "")
        if not wishes or notebooks.full or self._event_of(session) is None:
            return False
        until = time.monotonic() + notebooks.wait_seconds
        while known == _tag(self._told(session)) and not session.over and not self.request.connection.stream.closed():
            left = until - time.monotonic()
            if left <= 0:
                break
            await notebooks.news(left)
        return True

    def _pause_seconds(self, session: Session) -> int:
        event, view = self._event_of(session), self.engine.views.get(session.request.cluster)
        return pause_seconds(end_epoch(session, view, event), event is not None, time.time())


class HandHandler(_OfItsJob):
    """``POST``: the person at the notebook raises a hand, or lowers it; the console keeps it."""

    async def post(self, session_id: str) -> None:
        _, session = self.of_its_job(session_id)
        self._not_over(session)
        try:
            hand = Hand.model_validate_json(self.request.body)
        except ValidationError as error:
            raise web.HTTPError(400, f"Not a hand: {wrong_in(error)}") from None
        event = self._event_of(session)
        if event is None:
            raise PageError(409, Sentence("This session belongs to no event that is open."))
        await self._tell_the_console(event.slug, session.request.user, hand)
        # What the console pushes next says the same; the notebook need not wait for that.
        self.engine.events.note_hand(event.slug, session.request.user, hand.up)
        self.set_status(204)

    async def _tell_the_console(self, slug: str, user: str, hand: Hand) -> None:
        site = self.engine.catalogue.site
        if site.console is None:
            raise PageError(409, Sentence("This session belongs to no event that is open."))
        try:
            request = HTTPRequest(
                f"{site.console.url.rstrip('/')}/services/{SERVICE}/api/events/{slug}/hands/{user}",
                method="POST",
                headers={
                    "Authorization": f"token {secret(site, 'console-token')}",
                    "Content-Type": "application/json",
                },
                body=hand.model_dump_json(),
                request_timeout=CONSOLE_SECONDS,
            )
            # JupyterHub puts curl in place of AsyncHTTPClient where it finds it, which asks the site's proxy.
            with closing(SimpleAsyncHTTPClient(force_instance=True)) as client:
                await client.fetch(request)
        except (OSError, HTTPClientError, CatalogueError) as error:
            self.log.error("the console was not told of the hand of %s in %s: %s", user, slug, error)
            raise PageError(503, Sentence("The trainers could not be told. Try again, or call one of them.")) from error


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
