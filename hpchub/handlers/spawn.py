"""The two ways to start a server: the API, and the spawn page, whose GET shows it and whose POST alone starts a job."""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.users import UserServerAPIHandler
from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future
from tornado import web

from hpchub.admission import Admitted
from hpchub.pages.page import Page


class StartHandler(Admitted, UserServerAPIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """JupyterHub's API of one server; its POST waits for its turn."""


class SpawnPageHandler(Admitted, Page, SpawnHandler):  # type: ignore[misc]  # JupyterHub has no types
    """JupyterHub's spawn page without its two surprises.

    Its GET with a query starts a server, so that a link in a chat could spend somebody's budget; and it logs a refused
    choice with a traceback, as if the hub had failed.
    """

    async def prepare(self) -> None:
        """Refuse bytes that are no text: JupyterHub would fail on them, with a traceback."""
        await super().prepare()
        try:
            for values in self.request.arguments.values():
                b"".join(values).decode()
        except UnicodeDecodeError:
            raise web.HTTPError(400, "The address or the form has characters that are no text.") from None

    def _get_user_options(self, query_options: dict[str, list[str]]) -> dict[str, list[str]]:
        """Take no options from a link: JupyterHub starts a server if there are any."""
        return {}

    async def _wrap_spawn_single_user(
        self,
        user: Any,
        server_name: str,
        display_name: str,
        spawner: Any,
        pending_url: str,
        options: dict[str, Any] | SpawnException | None = None,
    ) -> None:
        """Start a server; show a refused choice on the page, with what is possible."""
        if self.request.method != "POST":
            raise web.HTTPError(405, "Only a POST starts a server.")
        try:
            if isinstance(options, SpawnException):
                raise options
            await super()._wrap_spawn_single_user(user, server_name, display_name, spawner, pending_url, options)
        except SpawnException as refusal:
            self.set_status(refusal.status_code)
            spawner.handler = self  # the form is in this reader's language
            form = await self._render_form(
                for_user=user,
                spawner_options_form=await maybe_future(spawner.get_options_form()),
                message=refusal.jupyterhub_message,
            )
            self.finish(form)
