"""What people read, in their language: gettext catalogues whose keys are the English texts.

A language is one file, ``hpchub/locale/<language>.po``; nothing is compiled.  What it leaves out stays English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

FOLDER = Path(__file__).with_name("locale")
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))
"""The languages that there are, by their tags of BCP 47."""

_WISH = re.compile(r"\s*(?P<tag>[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)\s*(;\s*q\s*=\s*(?P<weight>[01](\.\d{0,3})?)\s*)?")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Read the translations into a language, by their English texts; empty for a language without a catalogue."""
    if language == SOURCE_LANGUAGE or language not in LANGUAGES:
        return {}
    with (FOLDER / f"{language}.po").open("rb") as file:
        entries = read_po(file, locale=language, abort_invalid=True)
    return {str(entry.id): str(entry.string) for entry in entries if entry.id and entry.string and not entry.fuzzy}


def translated(message: str, language: str) -> str:
    """Give a text in a language, with its placeholders as they are; English where there is no translation."""
    return catalogue(language).get(message, message)


def language_of(header: str, offered: Iterable[str] = LANGUAGES) -> str:
    """Choose a language by a request's ``Accept-Language`` (RFC 9110, 12.5.4); English where none of them is offered.

    A wish for a country's variant (``it-CH``) is served by the language itself.
    """
    languages = list(offered)
    wishes = [match for part in header.split(",") if (match := _WISH.fullmatch(part))]
    # sorted() keeps the order of equals: what is named first is wanted more
    for wish in sorted(wishes, key=lambda wish: -float(wish["weight"] or 1)):
        language = wish["tag"].split("-", 1)[0].lower()
        if language in languages and float(wish["weight"] or 1) > 0:
            return language
    return SOURCE_LANGUAGE
