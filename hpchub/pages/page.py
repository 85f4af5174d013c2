"""What every page of the hub has, whoever wrote its handler: a language, the site's look, a strict policy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote

from jupyterhub.apihandlers import APIHandler

from hpchub.catalogue.event import Event, Message
from hpchub.catalogue.model import in_language
from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.offers import profile_offers
from hpchub.engine import WithEngine
from hpchub.jobs.session import Phase, Session
from hpchub.jobs.sooner import Sooner, sooner
from hpchub.jobs.waiting import end_of
from hpchub.pages import announcements, assets, branding, moments, policy, servers
from hpchub.pages.away import WithDatabase
from hpchub.pages.language import NAMES, VARY, language_of_request, offered_by
from hpchub.pages.policy import new_nonce
from hpchub.pages.words import amount
from hpchub.slurm.reasons import competes
from hpchub.text import Speech, in_words, translated


class Page(WithDatabase, WithEngine):
    """To be put before a handler of JupyterHub's in the bases of a class; see :func:`as_page`."""

    request: Any
    hub: Any

    _token_authenticated = False
    """JupyterHub 6.1 reads it of a person whose sign-in has ended, where nothing has set it, and logs a traceback."""

    @cached_property
    def nonce(self) -> str:
        return new_nonce()

    @cached_property
    def speech(self) -> Speech:
        """The words of the reader's language."""
        return Speech(language_of_request(self.request, offered_by(self.engine.catalogue.site)))

    @property
    def content_security_policy(self) -> str:
        """What JupyterHub puts into the header of every answer."""
        return policy.strict(self.nonce)

    def render_template(self, name: str, sync: bool = False, **values: Any) -> Any:
        """Render a page; JupyterHub gives its values, and :meth:`template_namespace` those of all pages."""
        # Among the other values: JupyterHub's sign-in page comes here twice with the same ones where it shows an error.
        values["of_jupyterhub"] = name in policy.OF_JUPYTERHUB
        if values["of_jupyterhub"]:
            self.set_header("Content-Security-Policy", policy.loose())  # type: ignore[attr-defined]
        self.set_header("Vary", VARY)  # type: ignore[attr-defined]
        self.set_header("Cross-Origin-Opener-Policy", policy.OPENER)  # type: ignore[attr-defined]
        self.set_header("Referrer-Policy", "same-origin")  # type: ignore[attr-defined]
        return super().render_template(name, sync=sync, **values)  # type: ignore[misc]

    @property
    def template_namespace(self) -> dict[str, Any]:
        """Everything that a template may name beside what its own handler gives."""
        of_jupyterhub: Mapping[str, Any] = super().template_namespace  # type: ignore[misc]
        site, language = self.engine.catalogue.site, self.speech.language
        now = time.time()
        logo = branding.logo_of(site)
        base: str = self.hub.base_url
        return {
            **of_jupyterhub,
            "_": self.speech.gettext,
            "ngettext": self.speech.ngettext,
            "language": language,
            "languages": [(tag, NAMES.get(tag, tag)) for tag in offered_by(site)],
            "path": self.request.path,
            "here": quote(self.request.uri, safe=""),
            "nonce": self.nonce,
            "asset": lambda name: base + assets.path_of(name),
            "site_title": in_language(site.title, language),
            "in_my_language": partial(in_language, language=language),
            "branding": site.branding,
            "colours": f"{base}hpchub/colours/{branding.style_of(site).digest}.css",
            "logo": f"{base}hpchub/logo/{logo.digest}" if logo else "",
            "announcements": announcements.shown(site.announcements, now, zone_of(site.timezone), language),
            "clock": partial(moments.clock, now=now, zone=zone_of(site.timezone), language=language),
            "age": partial(moments.age, now=now, language=language),
            "duration": moments.duration,
            "in_words": partial(in_words, speech=self.speech),
            "end_of": lambda session: end_of(session, partial(translated, language=language)),
            "amount": partial(amount, speech=self.speech),
            "waiting_of": self._waiting_of,
            "sooner_of": self._sooner_of,
            "cluster_title": self._cluster_title,
            "cards_of": self._cards_of,
            "message_of": self._message_of,
            "lends_seats": bool(site.console and site.console.seats),
        }

    def _sooner_of(self, spawner: Any) -> Sooner | None:
        """Find what could start at once instead of a session that is in line for a place."""
        session: Session | None = spawner.session_of_this_start()
        if session is None or session.phase is not Phase.QUEUED or not competes(session.reason):
            return None
        catalogue, views = spawner.catalogue, self.engine.views
        profile = catalogue.profiles.get(session.request.profile)
        if profile is None:
            return None
        return sooner(session.request, profile_offers(catalogue, spawner.person, profile, views), views, time.time())

    def _waiting_of(self, spawner: Any) -> servers.Waiting:
        return servers.waiting(spawner.session_of_this_start(), self.engine.views, self.speech.language)

    def _cluster_title(self, name: str) -> str:
        return in_language(self.engine.catalogue.site.clusters[name].title, self.speech.language)

    def _message_of(self, user: Any) -> tuple[Event, Message] | None:
        return self.engine.events.last_message(user.name, (group.name for group in user.groups), time.time())

    def _cards_of(self, user: Any, with_named: bool) -> list[servers.Card]:
        names = ["", *(sorted(filter(None, user.orm_spawners)) if with_named else ())]
        spawners = [user.spawners[name] for name in names]
        catalogue = spawners[0].catalogue
        return [servers.card(spawner, catalogue, self.engine.views, self.speech) for spawner in spawners]


def as_page(handler: type) -> type:
    """Make a page handler of JupyterHub's one of ours; ours and what is no page stay as they are."""
    if issubclass(handler, Page | APIHandler) or not hasattr(handler, "template_namespace"):
        return handler
    return type(handler.__name__, (Page, handler), {"__module__": __name__, "__doc__": handler.__doc__})


class WithOurPages:
    """To be put before an authenticator in the bases of a class: its pages for signing in become ours."""

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Give the authenticator's own routes, each with a page of ours."""
        theirs = super().get_handlers(app)  # type: ignore[misc]
        return [(route[0], as_page(route[1]), *route[2:]) for route in theirs]
