"""The two ways to start a server: the API, and the spawn page, whose GET shows it and whose POST alone starts a job."""

from __future__ import annotations

from functools import partial
from typing import Any

from jupyterhub.apihandlers.users import UserServerAPIHandler
from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import maybe_future, url_escape_path, url_path_join

from hpchub.admission import Admitted
from hpchub.audit.handlers import Acting, note_stop
from hpchub.pages.failure import PageError
from hpchub.pages.page import Page
from hpchub.pages.start.page import StartPage
from hpchub.pages.start.wanted import SHOW, address, wanted_of
from hpchub.text import Sentence, in_words


class StartHandler(Acting, Admitted, UserServerAPIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """JupyterHub's API of one server; its POST waits for its turn."""

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def delete(self, user_name: str, server_name: str = "") -> None:
        """Stop the server; a start that is interrupted ends before JupyterHub comes to stopping it."""
        user = self.find_user(user_name)
        if user is not None:
            note_stop(self, user, server_name)
        await super().delete(user_name, server_name)


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
            raise PageError(400, Sentence("The address or the form has characters that are no text.")) from None

    def post(self, *names: str, **more: str) -> Any:
        """Start a server; a browser without scripts is only shown the page again with what was picked."""
        if SHOW not in self.request.body_arguments:
            return super().post(*names, **more)
        wanted = wanted_of({name: [self.get_body_argument(name)] for name in self.request.body_arguments})
        self.redirect(address(self.request.path, wanted.choice, next=wanted.next_path), status=303)
        return None

    async def _render_form(
        self, for_user: Any, spawner_options_form: StartPage, message: str = "", html_message: str = ""
    ) -> Any:
        """Draw the page; JupyterHub gives what the spawner made, and the user whose server it is for."""
        server_name = next(iter(self.path_args[1:]), "") or ""
        path = url_path_join(self.hub.base_url, "spawn")
        if server_name or for_user is not self.current_user:
            path = url_path_join(path, for_user.escaped_name, url_escape_path(server_name)).rstrip("/")
        next_path = spawner_options_form.wanted.next_path
        return await self.render_template(
            "spawn.html",
            for_user=for_user,
            start=spawner_options_form,
            start_path=path,
            server_title=for_user.spawners[server_name].display_name or server_name if server_name else "",
            to=partial(address, path, next=next_path),
            address=address,
            posted=self.request.method == "POST",
            error_message=message,
        )

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
            raise PageError(405, Sentence("Only a POST starts a server."))
        try:
            if isinstance(options, SpawnException):
                raise options
            await super()._wrap_spawn_single_user(user, server_name, display_name, spawner, pending_url, options)
        except SpawnException as refusal:
            self.set_status(refusal.status_code)
            spawner.handler = self  # the page is in this reader's language
            form = await self._render_form(
                for_user=user,
                spawner_options_form=await maybe_future(spawner.get_options_form()),
                message=in_words(refusal, self.speech),
            )
            self.finish(form)
