"""The spawner that JupyterHub is configured with: one server of one person, on whatever cluster the choice names.

It decides what may be started: a choice is validated before anything happens, whichever way it came.  How its session
lives is :mod:`spawners.lasting`; the cluster's backend decides which spawner class runs the job beneath.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC
from typing import Any

from jupyterhub import __version__ as hub_version
from jupyterhub import orm

from hpchub import internal_tls
from hpchub.audit import record
from hpchub.catalogue.choice import Accepted, accept, default_offer
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Offer, Person
from hpchub.catalogue.reasons import echo, silence
from hpchub.environments.own import OwnEnvironment
from hpchub.environments.probe import judged
from hpchub.errors import CertificatesUnreadable, ChoiceRefused, LauncherError, UserError
from hpchub.helping import CACHE_SECONDS
from hpchub.jobs.request import JobRequest
from hpchub.jobs.resolve import job_request
from hpchub.jobs.session import Phase, Session
from hpchub.pages.start.again import remembered
from hpchub.pages.start.page import StartPage
from hpchub.pages.start.wanted import choice_from_form
from hpchub.text import Counted, Joined, Sentence, listed
from spawners import progress
from spawners.errors import Refused
from spawners.lasting import LastingSpawner
from spawners.start import page_of

_OUTER_KEYS = frozenset({"user_options", "display_name"})
"""What a REST start may have around a choice."""


class SiteSpawner(LastingSpawner):
    """One server of one person."""

    @property
    def person(self) -> Person:
        return self.engine.person(self.user.name, (group.name for group in self.user.orm_user.groups))

    @property
    def catalogue(self) -> Catalogue:
        """What is in service, with this person's own environments."""
        return self.engine.catalogue_of(self.user.name)

    async def get_options_form(self) -> StartPage:
        """Give what the start page shows; JupyterHub hands it to the page's template as it is."""
        await self.engine.first_views()
        return page_of(self)

    def run_options_from_form(self, form_data: Mapping[str, list[str]]) -> dict[str, Any] | Refused:
        """Read the form; what it says is judged like any other choice, when the server starts.

        A refusal is returned and not raised: JupyterHub would log it with a traceback.  SpawnPageHandler raises it.
        """
        try:
            return choice_from_form(form_data)
        except ChoiceRefused as refusal:
            return Refused(refusal.sentence, reason="choice")

    async def _run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """Validate the choice, whichever way it came, and make the job request of it.

        This overrides a method of JupyterHub's that is not public, because the public hook logs a refusal with a
        traceback; a test notices if JupyterHub stops calling it.
        """
        await self.engine.first_views()
        try:
            self._check_outer_keys()
            accepted = self._accept(user_options)
            self.check_session_limit()
            self._check_slurm(accepted.offer.cluster)
            request = self._request(accepted)
            await self._look_at_own(accepted.offer)
        except ChoiceRefused as refusal:
            # JupyterHub has stored the options already: a refused choice must not become the next default.
            self.orm_spawner.user_options = self.accepted or {}
            self.db.commit()
            raise Refused(refusal.sentence, reason="choice") from None
        self.accepted = accepted.as_user_options()
        self.recent = remembered(self.recent, self.accepted, time.time())
        self.user_options = self.orm_spawner.user_options = self.accepted
        token = orm.APIToken.find(self.db, self.api_token)
        by = record.actor(self.handler)
        encrypted = self.engine.encrypts
        self.begin(Session(request, token.id, begun_epoch=time.time(), begun_by=by, encrypted=encrypted))
        self.engine.storage.soon(self)

    def _accept(self, asked: Mapping[str, Any]) -> Accepted:
        catalogue, views = self.catalogue, self.engine.views
        if asked:
            try:
                return accept(dict(asked), catalogue, self.person, views)
            except ChoiceRefused:
                if not (self._nothing_was_asked() and asked == self.accepted):
                    raise
        return default_offer(catalogue, self.person, views)

    def _check_outer_keys(self) -> None:
        """Refuse what JupyterHub would leave out without a word: fields beside ``user_options``."""
        if not hasattr(self.handler, "get_server_json_body"):
            return
        keys = set(self.handler.get_json_body() or {})
        foreign = keys - _OUTER_KEYS if keys & _OUTER_KEYS else set()
        if foreign:
            raise ChoiceRefused(
                Sentence(
                    "{field} means nothing beside {fields}. Possible there: user_options, display_name; a choice "
                    "belongs inside user_options.",
                    field=echo(min(foreign)),
                    fields=Joined(sorted(keys & _OUTER_KEYS), Sentence(" and ")),
                )
            )

    def _nothing_was_asked(self) -> bool:
        """Tell a start without a choice from one that asks for the stored choice: only REST knows the difference."""
        body = getattr(self.handler, "get_server_json_body", None)
        return body is not None and body()["user_options"] is None

    def check_session_limit(self) -> None:
        """Refuse one session too many; raises :class:`ChoiceRefused`."""
        limit = self.engine.catalogue.site.session_limit
        others = [spawner for spawner in self.user.spawners.values() if spawner.active and spawner is not self]
        if len(others) >= limit:
            raise ChoiceRefused(
                Sentence(
                    "You have {sessions}, and {most} is the most. Stop one first: {names}.",
                    sessions=Counted("{n} session", "{n} sessions", len(others)),
                    most=limit,
                    names=listed(sorted(spawner.name or Sentence("the default server") for spawner in others)),
                )
            )

    def _check_slurm(self, cluster: str) -> None:
        """Refuse what could not be submitted now: better a sentence at once than a start that hangs."""
        silent = silence(self.catalogue.site, self.engine.views[cluster])
        if silent:
            raise ChoiceRefused(silent)

    def _request(self, accepted: Accepted) -> JobRequest:
        return job_request(accepted, self.catalogue, self.user.name, self.name, secrets.token_hex(16))

    async def _look_at_own(self, offer: Offer) -> None:
        """Refuse an environment of the person's own that cannot be started any more: better now than in the job."""
        environment = self.catalogue.environments[offer.environment]
        if not isinstance(environment, OwnEnvironment):
            return
        target = self.catalogue.site.clusters[offer.cluster].software_target
        try:
            seen = await self.engine.launcher.probe(self.user.name, offer.cluster, environment.path)
            judged(seen, environment.path, target, hub_version)
        except LauncherError as error:
            # It will not submit either, and says so then.
            self.log.warning("%s: %s cannot be looked at: %s", self.user.name, environment.path, error)
        except UserError as error:
            raise ChoiceRefused(error.sentence) from None

    def job_environment(self) -> dict[str, str]:
        """Give the job's environment: JupyterHub's own variables and what the bootstrap needs.

        Raises :class:`CertificatesUnreadable`.
        """
        session = self.session
        if session is None:
            raise RuntimeError("there is no session to make an environment for")
        cluster = self.engine.catalogue.site.clusters[session.request.cluster]
        return {
            **{key: str(value) for key, value in self.get_env().items()},
            "HPCHUB_SESSION": session.id,
            "HPCHUB_ADDRESS": cluster.notebook_address,
            # In an event people let trainers in for a while (hpchub/helping.py).
            **({"HPCHUB_CACHE_SECONDS": str(CACHE_SECONDS)} if session.request.event else {}),
            **self._certificate(session),
        }

    def _certificate(self, session: Session) -> dict[str, str]:
        if not session.encrypted:
            return {}
        site = self.engine.catalogue.site
        try:
            return {internal_tls.VARIABLE: internal_tls.for_session(site, session.id, session.request.minutes)}
        except (OSError, ValueError) as error:
            raise CertificatesUnreadable(str(error)) from error

    @property
    def news(self) -> dict[str, Any]:
        """What has happened so far, as an event of the progress stream."""
        return progress.event(self.session_of_this_start(), self.engine.views)

    def session_of_this_start(self) -> Session | None:
        """While a choice is still being checked, the session here is the last one, which is over."""
        session = self.session
        began = self.orm_spawner.started
        if session is None or not session.over or began is None:
            return session
        return session if session.begun_epoch >= began.replace(tzinfo=UTC).timestamp() else None

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """Tell a waiting person what happens; valid before there is a session."""
        said = None
        while True:
            event = self.news
            if progress.is_news(event, said):
                said = event
                yield event
            session = self.session_of_this_start()
            if session is not None and (session.over or session.phase is Phase.READY):
                return
            await self.signal.wait(1)
