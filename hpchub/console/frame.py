"""What every page of the console has: the frame of the hub's own pages, in the reader's language, and a strict policy.

Styles, scripts and the logo are the hub's own, from the hub: a page without them is still a page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from hpchub.catalogue.model import in_language
from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.site import Site
from hpchub.console.people import SERVICE, Caller
from hpchub.console.qr import svg_of
from hpchub.console.signin import BASE
from hpchub.console.verbs import Verbs
from hpchub.pages import announcements, assets, branding, moments
from hpchub.pages.language import COOKIE, NAMES, VARY, offered_by
from hpchub.pages.policy import OPENER, new_nonce, strict
from hpchub.text import Number, Speech, in_words, language_of

HUB = "/hub/"
_TEMPLATES = Environment(
    loader=FileSystemLoader([Path(__file__).with_name("templates"), Path(__file__).parents[1] / "templates"]),
    autoescape=True,
)


def language_asked_for(request: Request, site: Site) -> str:
    """Choose the language of an answer: by the switch on the pages, else by what the browser asks for."""
    offered = offered_by(site)
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in offered else language_of(request.headers.get("Accept-Language", ""), offered)


def origin_of(request: Request) -> str:
    """Give the address of the site as the browser knows it, without a path: what people are shown to type."""
    scheme = request.headers.get("X-Forwarded-Proto", "http").split(",")[0].strip()
    return f"{'https' if scheme == 'https' else 'http'}://{request.headers.get('Host', '')}"


def drawn(
    request: Request,
    template: str,
    values: Mapping[str, Any],
    *,
    caller: Caller | None = None,
    xsrf: str = "",
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Draw a page.

    Args:
        request: what it answers.
        template: its name.
        values: what the template names beside what all pages have.
        caller: whom it is drawn for; None where nobody is known.
        xsrf: what its forms carry.
        status_code: HTTP's.
        headers: more than all pages have.
    """
    verbs: Verbs = request.app.state.verbs
    site = verbs.catalogue.site
    language, nonce = language_asked_for(request, site), new_nonce()
    text = _TEMPLATES.get_template(template).render(
        **_of_all_pages(request, site, language, caller),
        nonce=nonce,
        xsrf=xsrf,
        **values,
    )
    return HTMLResponse(
        text,
        status_code,
        {
            "Content-Security-Policy": strict(nonce),
            "Content-Language": language,
            "Cross-Origin-Opener-Policy": OPENER,
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Vary": VARY,
            **(headers or {}),
        },
    )


def _of_all_pages(request: Request, site: Site, language: str, caller: Caller | None) -> dict[str, Any]:
    speech, now, zone = Speech(language), time.time(), zone_of(site.timezone)
    logo = branding.logo_of(site)
    query = f"?{request.url.query}" if request.url.query else ""
    return {
        "_": speech.gettext,
        "ngettext": speech.ngettext,
        "base_url": HUB,
        "events_url": BASE,
        "language_url": f"{BASE}language/",
        "language": language,
        "languages": [(tag, NAMES.get(tag, tag)) for tag in offered_by(site)],
        "path": request.url.path,
        "here": quote(f"{request.url.path}{query}" if request.method == "GET" else BASE, safe=""),
        "asset": lambda name: HUB + assets.path_of(name),
        "static_url": lambda name: f"{HUB}static/{name}",
        "site_title": in_language(site.title, language),
        "in_my_language": partial(in_language, language=language),
        "branding": site.branding,
        "colours": f"{HUB}hpchub/colours/{branding.style_of(site).digest}.css",
        "logo": f"{HUB}hpchub/logo/{logo.digest}" if logo else "",
        "announcements": announcements.shown(site.announcements, now, zone, language),
        "clock": partial(moments.clock, now=now, zone=zone, language=language),
        "age": partial(moments.age, now=now, language=language),
        "duration": moments.duration,
        "in_words": partial(in_words, speech=speech),
        "qr": svg_of,
        "decimal": lambda value, places: in_words(Number(value, places), speech),
        "user": caller,
        "parsed_scopes": {"admin-ui"} if caller and caller.admin else set(),
        "services": [{"href": BASE, "name": SERVICE}] if caller else [],
        "logout_url": f"{HUB}logout",
        "caller": caller,
    }
