"""The language of a request: what was chosen by the switch on the pages, else what the browser asks for."""

from __future__ import annotations

from collections.abc import Iterable

from tornado.httputil import HTTPServerRequest

from hpchub.catalogue.site import Site
from hpchub.text import LANGUAGES, language_of

COOKIE = "hpchub-language"
VARY = "Accept-Language, Cookie"
"""The header ``Vary`` of an answer in the reader's language."""
NAMES = {"en": "English", "it": "Italiano"}
"""What a language calls itself; one that is not here is called by its tag."""


def offered_by(site: Site) -> tuple[str, ...]:
    """Give the languages of a site's pages, in the site's order: those that there is a catalogue for."""
    return tuple(language for language in site.languages if language in LANGUAGES) or LANGUAGES[:1]


def language_of_request(request: HTTPServerRequest, offered: Iterable[str] = LANGUAGES) -> str:
    """Choose the language of an answer, which then has the header :data:`VARY`."""
    languages = tuple(offered)
    chosen = request.cookies.get(COOKIE)
    if chosen is not None and chosen.value in languages:
        return str(chosen.value)
    return language_of(request.headers.get("Accept-Language", ""), languages)


def way_back(path: str, base_url: str) -> str:
    """Give the path of one of the hub's own pages that somebody came from; the home page for anything else.

    Args:
        path: what the request says; it may come from a stranger's link.
        base_url: of the hub, with its slash at the end.
    """
    plain = path.isascii() and path.isprintable() and "\\" not in path
    within = path.startswith(base_url) and not path.startswith("//")
    # A page that acts on each visit is none to come back to.
    acting = path.startswith((f"{base_url}logout", f"{base_url}api/", f"{base_url}hpchub/"))
    # Whoever has a card, and no account yet, must not lose it on the way to the words of their language.
    ours = not acting or path.startswith(f"{base_url}hpchub/seat")
    return path if plain and within and ours else f"{base_url}home"
