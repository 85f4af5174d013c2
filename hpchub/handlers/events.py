"""``/hub/api/hpchub/events``: the active events, pushed by the console."""

from __future__ import annotations

from collections import Counter

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import ValidationError
from tornado import web

from hpchub.engine import Engine
from hpchub.events import EVENTS, wrong_in

BODY_LIMIT = 8 * 1024 * 1024


class EventsHandler(APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For the console and for scripts, who may change groups too: an event decides who may use what."""

    @property
    def _engine(self) -> Engine:
        engine: Engine = self.settings["hpchub"]
        return engine

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        self.finish(EVENTS.dump_json(self._engine.events.events))

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
        try:
            self._engine.events.replace(events)
        except OSError as error:
            raise web.HTTPError(503, f"The events cannot be kept: {error.strerror}.") from error
        self.set_status(204)
