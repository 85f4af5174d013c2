"""What people read, in their language: gettext catalogues whose keys are the English texts.

A language is one file, ``hpchub/locale/<language>.po``; nothing is compiled.  What it leaves out stays English.
Texts have their facts in braces (``Stop {name}``), in templates and in Python alike.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

FOLDER = Path(__file__).with_name("locale")
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))
"""The languages that there are, by their tags of BCP 47."""

_WISH = re.compile(r"\s*(?P<tag>[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*)\s*(;\s*q\s*=\s*(?P<weight>[01](\.\d{0,3})?)\s*)?")


@cache
def _translations(language: str) -> gettext.NullTranslations:
    if language == SOURCE_LANGUAGE or language not in LANGUAGES:
        return gettext.NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as file:
        entries = read_po(file, locale=language, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def translated(message: str, language: str) -> str:
    """Give a text in a language, with its placeholders as they are; English where there is no translation."""
    # gettext answers an empty text with the head of the catalogue
    return _translations(language).gettext(message) if message else ""


class Speech:
    """The words of one language: plain text for Python, markup for templates.

    In markup the facts are escaped, so that a text can never bring in an element; a fact that is markup itself stays
    what it is.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def say(self, message: str, **facts: object) -> str:
        """Say a text with its facts."""
        return translated(message, self.language).format(**facts)

    def say_number(self, one: str, many: str, number: int, **facts: object) -> str:
        """Say a text whose words depend on a number, its fact ``n``."""
        return _translations(self.language).ngettext(one, many, number).format(n=number, **facts)

    def gettext(self, message: str, **facts: object) -> Markup:
        """The same as :meth:`say`, as markup; ``_`` in templates."""
        return escape(translated(message, self.language)).format(**facts)

    def ngettext(self, one: str, many: str, number: int, **facts: object) -> Markup:
        """The same as :meth:`say_number`, as markup; ``ngettext`` in templates."""
        return escape(_translations(self.language).ngettext(one, many, number)).format(n=number, **facts)


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
