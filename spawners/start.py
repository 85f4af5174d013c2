"""The start page of one server: what JupyterHub and the engine know, handed to :mod:`hpchub.pages.start`."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Any

from markupsafe import Markup

from hpchub.catalogue.choice import Accepted
from hpchub.catalogue.moments import zone_of
from hpchub.engine import Engine
from hpchub.errors import ChoiceRefused
from hpchub.jobs.expected import expected
from hpchub.jobs.resolve import job_request
from hpchub.pages import moments
from hpchub.pages.expected import in_words
from hpchub.pages.language import language_of_request, offered_by
from hpchub.pages.start.again import recent
from hpchub.pages.start.page import StartPage, start_page
from hpchub.pages.start.panel import Scene
from hpchub.pages.start.wanted import Wanted, wanted_of
from hpchub.text import SOURCE_LANGUAGE, Speech
from hpchub.text import in_words as said_in


def page_of(spawner: Any) -> StartPage:
    """Work out the page of a server (a :class:`~spawners.site.SiteSpawner`) for whoever asks for it now."""
    speech = Speech(_language(spawner))
    engine: Engine = spawner.engine
    catalogue, person = spawner.catalogue, spawner.person

    views, now = engine.views, time.time()
    clock = partial(moments.clock, now=now, zone=zone_of(catalogue.site.timezone), language=speech.language)

    def starts(accepted: Accepted) -> Markup:
        request = job_request(accepted, catalogue, spawner.user.name, spawner.name, secrets.token_hex(16))
        engine.wonder(request)
        return in_words(expected(request, views[request.cluster], engine.estimates, now), speech, clock, now)

    scene = Scene(catalogue, person, views, speech, starts)
    kept = [spawner.user.spawners[name].recent for name in spawner.user.orm_spawners]
    return start_page(scene, _wanted(spawner), recent(kept, spawner.accepted), _blocked(spawner, speech))


def _language(spawner: Any) -> str:
    site = spawner.engine.catalogue.site
    return language_of_request(spawner.handler.request, offered_by(site)) if spawner.handler else SOURCE_LANGUAGE


def _wanted(spawner: Any) -> Wanted:
    """Take what an address says; of a form that was refused what it said, so that nothing has to be picked again."""
    request = spawner.handler.request if spawner.handler else None
    if request is None:
        return Wanted()
    values = request.body_arguments if request.method == "POST" else request.query_arguments
    return wanted_of({name: [each.decode(errors="replace") for each in values[name]] for name in values})


def _blocked(spawner: Any, speech: Speech) -> str:
    try:
        spawner.check_session_limit()
    except ChoiceRefused as refused:
        return said_in(refused, speech)
    return ""
