"""JupyterHub's API with an eye on who does something about somebody else, and on who stops a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from jupyterhub import orm
from jupyterhub.apihandlers import APIHandler
from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler

from hpchub.audit import record

CHANGES = ("POST", "PUT", "PATCH", "DELETE")
_ABOUT_SIGN_IN = ("authorizations", "oauth2")
_OF_SOMEBODY = ("users", "shares", "share-codes")
"""Whose first name in the address is that of a person."""


def audited(handler: type) -> type:
    """Make a handler of JupyterHub's API one that writes into the audit record; what is no such handler stays."""
    eye = Opening if issubclass(handler, OAuthAuthorizeHandler) else Acting
    if issubclass(handler, Opening | Acting) or not issubclass(handler, OAuthAuthorizeHandler | APIHandler):
        return handler
    return type(handler.__name__, (eye, handler), {"__module__": __name__, "__doc__": handler.__doc__})


def about_another(by: str, method: str, segments: Sequence[str]) -> str | None:
    """Tell about whom a request of the API is; empty for the hub as a whole, None where it is none to write down.

    Args:
        by: who asks.
        method: HTTP's.
        segments: the parts of the path after ``/hub/api``.
    """
    if not by or method not in CHANGES or not segments or segments[0] in _ABOUT_SIGN_IN:
        return None
    whose = segments[1] if segments[0] in _OF_SOMEBODY and len(segments) > 1 else ""
    return None if whose == by else whose


class Acting:
    """To be put before an API handler of JupyterHub's in the bases of a class: its changes are written down."""

    _by = ""
    _token_authenticated = False
    """As in :class:`hpchub.pages.page.Page`."""

    async def prepare(self: Any) -> None:
        """Note who asks: somebody who is deleted has no name afterwards."""
        await super().prepare()  # type: ignore[misc]  # of the handler that it is mixed into
        self._by = record.actor(self)

    def on_finish(self: Any) -> None:
        """Write a change that succeeded."""
        super().on_finish()  # type: ignore[misc]  # likewise
        path = self.request.path
        segments = [unquote(each) for each in path.removeprefix(f"{self.hub.base_url}api/").split("/")]
        whose = about_another(self._by, self.request.method, segments)
        if whose is not None and self.get_status() < 400:
            record.changed(self.eventlog, self._by, whose, self.request.method, path)

    async def stop_single_user(self: Any, user: Any, server_name: str = "") -> Any:
        """Stop a server, which is the doing of whoever asks."""
        note_stop(self, user, server_name)
        return await super().stop_single_user(user, server_name)  # type: ignore[misc]  # likewise


class Opening:
    """To be put before JupyterHub's way into a server: whoever is let in to another person's is written down."""

    def send_oauth_response(self: Any, headers: Any, body: Any, status: int) -> None:
        """Answer; an answer with a code is one that lets in."""
        super().send_oauth_response(headers, body, status)  # type: ignore[misc]  # of JupyterHub's handler
        if status != 302 or "code=" not in headers.get("Location", ""):
            return
        client = self.db.query(orm.OAuthClient).filter_by(identifier=self.get_argument("client_id", "")).first()
        spawner, by = client.spawner if client else None, record.actor(self)
        if spawner is not None and spawner.user.name != by:
            record.opened(self.eventlog, by, spawner.user.name, spawner.name)


def note_stop(handler: Any, user: Any, server_name: str) -> None:
    """Note who stops a session, before that is done."""
    spawner = user.spawners.get(server_name)
    session = getattr(spawner, "session", None)
    if session is not None and not session.over:
        session.stopped_by = record.actor(handler)
