"""``/hub/api/hpchub/sessions/ID/log``, and ``/hub/hpchub/log/ID`` for people: the end of a session's log.

It is read when somebody asks for it.
"""

from __future__ import annotations

import json
import logging

from jupyterhub.handlers import BaseHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from hpchub.engine import Engine
from hpchub.errors import LauncherError, SubmitUnclear
from hpchub.handlers.sessions import SessionFinder, SessionHandler
from hpchub.jobs.logs import readable
from hpchub.jobs.session import Session
from hpchub.pages.failure import PageError
from hpchub.pages.page import Page
from hpchub.text import Sentence

log = logging.getLogger(__name__)


async def log_of(session: Session, engine: Engine) -> str:
    """Read the end of a session's log.

    Raises:
        tornado.web.HTTPError: there is none, or it cannot be read now; the text may be shown.
    """
    if not session.job_id:
        raise PageError(409, Sentence("This session has no job yet, and so no log."))
    request = session.request
    try:
        return readable(await engine.launcher.log(request.user, request.cluster, session.id))
    except SubmitUnclear as error:
        log.warning("%s: its log cannot be read: %s", session.id, error)
        raise PageError(503, Sentence("The log cannot be read at the moment; try again.")) from None
    except LauncherError as error:
        raise PageError(409, Sentence("There is nothing to read: {error}", error=error)) from None


class LogHandler(SessionHandler):
    """The log of one session, for whoever may read the session itself."""

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _get(self, user_name: str, server_name: str, *, session: Session) -> None:
        self.finish(json.dumps({"id": session.id, "text": await log_of(session, self.engine)}))

    async def post(self, session_id: str) -> None:
        """Refuse it: a log is only read."""
        raise web.HTTPError(405, "Only a GET reads a log.")


class LogPageHandler(Page, SessionFinder, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """The same as a page."""

    @web.authenticated
    async def get(self, session_id: str) -> None:
        self._recall(session_id)
        owner, session = self._owner(session_id)
        await self._get(owner.user.name, owner.name, session=session)

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _get(self, user_name: str, server_name: str, *, session: Session) -> None:
        text = await log_of(session, self.engine)
        self.finish(await self.render_template("log.html", session=session, text=text))
