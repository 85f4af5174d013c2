"""``/hub/api/hpchub/sessions``: what a job tells the hub, and what clients read of a session."""

from __future__ import annotations

import json
from datetime import UTC
from functools import partial
from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import ValidationError
from sqlalchemy import Text, type_coerce
from tornado import web

from hpchub.engine import SessionOwner, WithEngine
from hpchub.jobs.session import Report, ReportConflict, Session
from hpchub.jobs.troubles import sentences
from hpchub.jobs.waiting import end_of, news, time_limit_epoch
from hpchub.pages.failure import PageError
from hpchub.pages.language import VARY, language_of_request
from hpchub.slurm.model import ClusterView
from hpchub.text import Sentence, translated

_BODY_LIMIT = 64 * 1024


def public(
    session: Session,
    view: ClusterView | None = None,
    language: str = "en",
    active_epoch: float | None = None,
    gpu_percent: int | None = None,
) -> dict[str, Any]:
    """Give what the session's own user may read.

    Args:
        session: the session.
        view: what its cluster said last.
        language: of the sentences, one of :data:`hpchub.text.LANGUAGES`.
        active_epoch: when its server did something last, as JupyterHub was told some minutes ago at most.
        gpu_percent: how busy its GPUs are, as its notebook said last.
    """
    request = session.request
    translate = partial(translated, language=language)
    return {
        "id": session.id,
        "user": request.user,
        "server": request.server_name,
        **news(session, view, translate),
        "profile": request.profile,
        "cluster": request.cluster,
        "partition": request.partition,
        "account": request.account,
        "qos": request.qos,
        "gpus": request.gpus,
        "gpu_type": request.gpu_type,
        "gpu_percent": gpu_percent,
        "cores": request.cores,
        "memory_mb": request.memory_mb,
        "minutes": request.minutes,
        "event": request.event,
        "job_id": session.job_id or None,
        "node": session.node or None,
        "reason": session.reason or None,
        "begun_epoch": session.begun_epoch,
        "active_epoch": active_epoch,
        "ends_epoch": time_limit_epoch(session, view),
        "ended_epoch": session.ended_epoch or None,
        "ending": session.ending,
        "message": end_of(session, translate) or None,
        "log_tail": session.log_tail or None,
        "troubles": sentences(session.troubles, translate),
    }


class SessionFinder(WithEngine):
    """To be put before a handler of JupyterHub's in the bases of a class: it finds sessions by their ids."""

    db: Any
    find_user: Any
    get_token: Any

    def _owner(self, session_id: str) -> tuple[SessionOwner, Session]:
        owner = self.engine.sessions.get(session_id)
        if owner is None or owner.session is None or owner.session.id != session_id:
            raise PageError(404, Sentence("There is no such session."))
        return owner, owner.session

    def of_its_job(self, session_id: str) -> tuple[SessionOwner, Session]:
        """Find a session for its own job, and for nobody else.

        The token itself is what identifies the session: the tokens of an ended session, and of somebody with whom the
        server was shared, carry the same scopes.
        """
        token = self.get_token()
        if token is None:
            raise web.HTTPError(403, "This needs the token of the session's server.")
        owner, session = self._owner(session_id)
        # The user too: SQLite gives the id of a deleted token to a later one.
        if token.id != session.token_id or token.user is not owner.user.orm_user:
            raise web.HTTPError(403, "This token is not the one of this session.")
        return owner, session

    def _recall(self, session_id: str) -> None:
        """After a restart of the hub, load the spawner of a stopped server whose last session this is."""
        if session_id in self.engine.sessions:
            return
        stored = type_coerce(orm.Spawner.state, Text).contains(session_id)
        row = self.db.query(orm.Spawner).filter(stored).first()
        if row is not None:
            self.find_user(row.user.name).get_spawner(row.name)


class _Handler(SessionFinder, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    def _public(self, session: Session) -> dict[str, Any]:
        language = language_of_request(self.request)
        watcher = self.engine.watchers.get(session.request.cluster)
        # What a cache or a proxy keeps is in one language.
        self.set_header("Vary", VARY)
        self.set_header("Content-Language", language)
        owner: Any = self.engine.sessions.get(session.id)
        active = owner.orm_spawner.last_activity if owner is not None else None
        active_epoch = active.replace(tzinfo=UTC).timestamp() if active else None
        gpu_percent = owner.gpu_percent if owner is not None else None
        return public(session, watcher.view if watcher else None, language, active_epoch, gpu_percent)


class SessionsHandler(_Handler):
    """All sessions in the hub's memory whose servers the caller may read."""

    async def get(self) -> None:
        if self.current_user is None:
            raise web.HTTPError(403, "Missing or invalid credentials.")
        readable = [
            owner.session
            for owner in self.engine.sessions.values()
            if owner.session and self.has_scope(f"read:servers!server={owner.user.name}/{owner.name}")
        ]
        readable.sort(key=lambda session: session.begun_epoch)
        self.finish(json.dumps([self._public(session) for session in readable]))


class SessionHandler(_Handler):
    """One session: ``GET`` for whoever may read its server, ``POST`` for its own job."""

    async def get(self, session_id: str) -> None:
        if self.current_user is None:
            raise web.HTTPError(403, "Missing or invalid credentials.")
        self._recall(session_id)
        owner, session = self._owner(session_id)
        await self._get(owner.user.name, owner.name, session=session)

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def _get(self, user_name: str, server_name: str, *, session: Session) -> None:
        self.finish(json.dumps(self._public(session)))

    async def post(self, session_id: str) -> None:
        """Take a report of the job."""
        owner, _ = self.of_its_job(session_id)
        try:
            owner.report(self._report())
        except ReportConflict as conflict:
            raise web.HTTPError(409, str(conflict)) from conflict
        # A job says a thing once: it is answered when it is in the database, so that no restart forgets it.
        if not self.engine.storage.write():
            raise web.HTTPError(503, "The hub's database does not answer; try again.")
        self.set_status(204)

    def _report(self) -> Report:
        if len(self.request.body) > _BODY_LIMIT:
            raise web.HTTPError(400, f"A report has at most {_BODY_LIMIT} bytes.")
        try:
            return Report.model_validate_json(self.request.body)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
            raise web.HTTPError(400, f"Not a report: {wrong[:400]}") from None
