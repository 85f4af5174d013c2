"""What the pages' buttons do: stop a session, change it, name it, forget it, begin another.

All are plain forms, so that every button works without JavaScript; each is answered by a redirect to the page that
shows the result.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future, url_escape_path, url_path_join
from tornado import web

from hpchub.audit.handlers import note_stop
from hpchub.catalogue.choice import accept
from hpchub.errors import ChoiceRefused
from hpchub.handlers.spawn import SpawnPageHandler
from hpchub.pages.failure import PageError
from hpchub.pages.language import way_back
from hpchub.pages.naming import server_name as new_server_name
from hpchub.pages.naming import tidy
from hpchub.pages.page import Page
from hpchub.text import Sentence, in_words

_CANCEL_SECONDS = 2
"""How long a start may take to notice that it is cancelled."""


class _Action(Page, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """A form's POST about one server."""

    def _spawner(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        user = self.find_user(user_name)
        if user is None or (server_name and server_name not in user.orm_spawners):
            raise PageError(404, Sentence("There is no such session."))
        return user, user.spawners[server_name]

    def _done(self) -> None:
        """Go back to the page with the button, whatever it shows by now."""
        self.redirect(way_back(self.get_argument("next", ""), self.hub.base_url))


async def stop_server(handler: Any, user: Any, spawner: Any) -> None:
    """Stop a server that waits, starts or runs; returns when it has stopped, or when that takes longer than usual."""
    note_stop(handler, user, spawner.name)
    if spawner.pending and spawner.pending != "stop":
        start = spawner._spawn_future
        if start is not None:
            start.cancel()
            await asyncio.wait({start}, timeout=_CANCEL_SECONDS)
    if spawner.active and not spawner.pending:
        await handler.stop_single_user(user, spawner.name)
    # A session that ended by itself is seen off without one.
    stop = getattr(spawner, "_stop_future", None)
    if stop is not None:
        await asyncio.wait({stop}, timeout=handler.slow_stop_timeout)


class StopHandler(_Action):
    """``POST /hub/hpchub/stop/USER[/SERVER]``."""

    @web.authenticated
    async def post(self, user_name: str, server_name: str | None = None) -> None:
        await self._post(user_name, server_name or "")

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _post(self, user_name: str, server_name: str) -> None:
        await stop_server(self, *self._spawner(user_name, server_name))
        self._done()


class ForgetHandler(_Action):
    """``POST /hub/hpchub/forget/USER/SERVER``: a stopped server with a name, and what is known of its last session."""

    @web.authenticated
    async def post(self, user_name: str, server_name: str) -> None:
        await self._post(user_name, server_name)

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _post(self, user_name: str, server_name: str) -> None:
        user, spawner = self._spawner(user_name, server_name)
        if spawner.active:
            raise PageError(409, Sentence("This session has not ended yet: stop it first."))
        await maybe_future(user._delete_spawner(spawner))
        self.db.delete(spawner.orm_spawner)
        user.spawners.pop(server_name, None)
        self.db.commit()
        self._done()


class RenameHandler(_Action):
    """``POST /hub/hpchub/rename/USER[/SERVER]`` with ``name``: what the person calls it; empty for its first name."""

    @web.authenticated
    async def post(self, user_name: str, server_name: str | None = None) -> None:
        await self._post(user_name, server_name or "")

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _post(self, user_name: str, server_name: str) -> None:
        _, spawner = self._spawner(user_name, server_name)
        spawner.orm_spawner.display_name = tidy(self.get_argument("name", "")) or server_name
        self.db.commit()
        self._done()


class AnotherHandler(_Action):
    """``POST /hub/hpchub/another/USER`` with ``name``: a place for one more session, and the page that fills it."""

    @web.authenticated
    async def post(self, user_name: str) -> None:
        await self._post(user_name)

    @needs_scope("servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _post(self, user_name: str) -> None:
        user = self.find_user(user_name)
        if user is None:
            raise PageError(404, Sentence("There is no such person."))
        title = tidy(self.get_argument("name", ""))
        name = new_server_name(title, user.orm_spawners)
        await self._check_named_server_request(user, name, title or name)
        user.get_or_create_spawner(name, title or name)
        self.db.commit()
        self.redirect(url_path_join(self.hub.base_url, "spawn", user.escaped_name, url_escape_path(name)))


class ChangeHandler(SpawnPageHandler):
    """``POST /hub/hpchub/change/USER[/SERVER]`` with the fields of the spawn page: another choice instead of this one.

    The choice is judged before anything is stopped.
    """

    def get(self, *_: str) -> None:
        """Refuse it: the spawn page has its own address."""
        raise PageError(405, Sentence("Only a POST changes a session."))

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _post(self, user_name: str, server_name: str, display_name: str) -> None:
        user = self.find_user(user_name)
        if user is None or server_name not in user.orm_spawners:
            raise PageError(404, Sentence("There is no such session."))
        spawner = user.spawners[server_name]
        fields = {name: [value.decode() for value in values] for name, values in self.request.body_arguments.items()}
        options = spawner.run_options_from_form(fields)
        try:
            if isinstance(options, SpawnException):
                raise options
            accept(options, spawner.catalogue, spawner.person, self.engine.views)
        except (SpawnException, ChoiceRefused) as refusal:
            raise PageError(400, in_words(refusal, self.speech)) from None
        await stop_server(self, user, spawner)
        await super()._post(user_name=user_name, server_name=server_name, display_name=display_name)
