"""What JupyterLab's page asks of its own server: ``…/hpchub/session``, and ``…/hpchub/session/hand``."""

from __future__ import annotations

import json
from typing import Any

from .hub import Hub


def routes(base_url: str, hub: Hub) -> list[tuple[str, type]]:
    """Give the routes of a server below its base URL."""
    # In a function, so that this can be read where there is no Jupyter server.
    from jupyter_server.base.handlers import APIHandler
    from tornado import web

    class SessionHandler(APIHandler):  # type: ignore[misc]  # jupyter_server is not installed where types are checked
        """``GET``: what is known of the session."""

        # A page that only lies open does nothing.
        _track_activity = False

        @web.authenticated
        async def get(self) -> None:
            self.finish(json.dumps(hub.page(self.current_user.username)))

    class HandHandler(APIHandler):  # type: ignore[misc]  # as above
        """``POST``: the person raises a hand; nobody does it for them, not even who is let in to help."""

        @web.authenticated
        async def post(self) -> None:
            body: Any = self.get_json_body()
            if not isinstance(body, dict) or not isinstance(body.get("up"), bool):
                raise web.HTTPError(400, 'Not a hand: {"up": true} or {"up": false} is.')
            if self.current_user.username != hub.owner:
                raise web.HTTPError(403, "Only the person whose notebook it is raises their hand here.")
            if not await hub.raise_hand(body["up"]):
                raise web.HTTPError(503, "The trainers could not be told.")
            self.set_status(204)
            self.finish()

    root = base_url.rstrip("/") + "/hpchub/session"
    return [(root, SessionHandler), (root + "/hand", HandHandler)]
