"""``/hub/api/hpchub/events``: the active events, pushed by the console."""

from __future__ import annotations

from collections import Counter

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import ValidationError
from tornado import web

from hpchub.audit.handlers import Acting
from hpchub.catalogue.event import Event, SeatCard
from hpchub.engine import WithEngine
from hpchub.events import EVENTS, wrong_in

BODY_LIMIT = 8 * 1024 * 1024


def _seats_of(events: tuple[Event, ...]) -> dict[str, tuple[SeatCard, ...]]:
    return {event.slug: event.seats for event in events if event.seats}


class EventsHandler(Acting, WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For the console and for scripts, who may change groups too: an event decides who may use what."""

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        self.finish(EVENTS.dump_json(self.engine.events.events))

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def put(self) -> None:
        """Replace the set."""
        if len(self.request.body) > BODY_LIMIT:
            raise web.HTTPError(400, f"The events have at most {BODY_LIMIT} bytes.")
        try:
            events = EVENTS.validate_json(self.request.body)
        except ValidationError as error:
            raise web.HTTPError(400, f"Not a list of events: {wrong_in(error)}") from None
        twice = [slug for slug, count in Counter(event.slug for event in events).items() if count > 1]
        if twice:
            raise web.HTTPError(400, f"Not a list of events: {twice[0]} is there twice.")
        before = _seats_of(self.engine.events.events)
        try:
            self.engine.events.replace(events)
        except OSError as error:
            raise web.HTTPError(503, f"The events cannot be kept: {error.strerror}.") from error
        if _seats_of(self.engine.events.events) != before:
            self.engine.seats.changed.set()
        self.set_status(204)
