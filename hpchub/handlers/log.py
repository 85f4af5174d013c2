"""``/hub/api/hpchub/sessions/ID/log``: the end of a session's log, read when somebody asks for it."""

from __future__ import annotations

import json

from jupyterhub.scopes import needs_scope
from tornado import web

from hpchub.errors import LauncherError, SubmitUnclear
from hpchub.handlers.sessions import SessionHandler
from hpchub.jobs.logs import readable
from hpchub.jobs.session import Session


class LogHandler(SessionHandler):
    """The log of one session, for whoever may read the session itself."""

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _get(self, user_name: str, server_name: str, *, session: Session) -> None:
        if not session.job_id:
            raise web.HTTPError(409, "This session has no job yet, and so no log.")
        request = session.request
        try:
            text = await self.engine.launcher.log(request.user, request.cluster, session.id)
        except SubmitUnclear as error:
            self.log.warning("%s: its log cannot be read: %s", session.id, error)
            raise web.HTTPError(503, "The log cannot be read at the moment; try again.") from None
        except LauncherError as error:
            raise web.HTTPError(409, f"There is nothing to read: {error}") from None
        self.finish(json.dumps({"id": session.id, "text": readable(text)}))

    async def post(self, session_id: str) -> None:
        """Refuse it: a log is only read."""
        raise web.HTTPError(405, "Only a GET reads a log.")
