"""The start page without a hub: its values and its HTML, drawn by the page's own templates."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader

from hpchub.catalogue.choice import Accepted
from hpchub.catalogue.model import Catalogue, in_language
from hpchub.catalogue.rules import Person
from hpchub.pages import moments
from hpchub.pages.start.page import StartPage, start_page
from hpchub.pages.start.panel import Scene
from hpchub.pages.start.wanted import address, wanted_of
from hpchub.slurm.model import ClusterView
from hpchub.text import Speech

TEMPLATES = Path(__file__).parents[2] / "hpchub" / "templates"
PATH = "/hub/spawn"


def starts_now(accepted: Accepted) -> str:
    """Stand for what is expected of a cluster's queue."""
    return "starts now"


def scene(
    person: Person,
    catalogue: Catalogue,
    views: Mapping[str, ClusterView],
    language: str = "en",
    starts: Any = starts_now,
) -> Scene:
    """Somebody looks at a world."""
    return Scene(catalogue, person, views, Speech(language), starts)


def look(
    where: Scene,
    wanted: Mapping[str, object] | None = None,
    earlier: Iterable[Mapping[str, Any]] = (),
    blocked: str = "",
) -> StartPage:
    """Work out the page of an address with these arguments."""
    arguments = {name: [str(value)] for name, value in (wanted or {}).items()}
    return start_page(where, wanted_of(arguments), earlier, blocked)


@cache
def environment() -> Environment:
    """What JupyterHub makes of our templates; its pages come from an environment with the same settings."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


def drawn(where: Scene, page: StartPage, error: str = "") -> str:
    """Draw the page with everything around it."""
    now, language, site = time.time(), where.speech.language, where.catalogue.site
    user = SimpleNamespace(name=where.person.name, escaped_name=where.person.name)
    return (
        environment()
        .get_template("spawn.html")
        .render(
            _=where.speech.gettext,
            ngettext=where.speech.ngettext,
            language=language,
            languages=[("en", "English"), ("it", "Italiano")],
            path=PATH,
            here="",
            nonce="nonce",
            xsrf="xsrf",
            base_url="/hub/",
            asset=lambda name: f"/hub/hpchub/static/0/{name}",
            static_url=lambda name: f"/hub/static/{name}",
            site_title=in_language(site.title, language),
            in_my_language=partial(in_language, language=language),
            branding=site.branding,
            colours="/hub/hpchub/colours/0.css",
            announcements=[],
            services=[],
            parsed_scopes={},
            logout_url="/hub/logout",
            clock=partial(moments.clock, now=now, zone=None, language=language),
            age=partial(moments.age, now=now, language=language),
            user=user,
            for_user=user,
            start=page,
            start_path=PATH,
            to=partial(address, PATH, next=page.wanted.next_path),
            address=address,
            posted=bool(error),
            error_message=error,
        )
    )
