"""What people read, in their language: gettext catalogues whose keys are the English texts.

A language is one file, ``hpchub/locale/<language>.po``; nothing is compiled.  What it leaves out stays English.
Texts have their facts in braces (``Stop {name}``), in templates and in Python alike.

Where a page is made, a :class:`Speech` says a text.  What is decided before anybody knows who will read it, a refusal
or a note, is a :class:`Sentence`: the page says it by :func:`in_words`.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Self

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import Markup, escape

FOLDER = Path(__file__).with_name("locale")
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))
"""The languages that there are, by their tags of BCP 47."""

LONGEST_LIST = 12
"""Names that are told, if not otherwise said; of the others only how many there are."""

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
        """Say a text with its facts; a fact that is a sentence is said in the same language."""
        return translated(message, self.language).format(**self._said(facts))

    def say_number(self, one: str, many: str, number: int, **facts: object) -> str:
        """Say a text whose words depend on a number, its fact ``n``."""
        return _translations(self.language).ngettext(one, many, number).format(n=number, **self._said(facts))

    def gettext(self, message: str, **facts: object) -> Markup:
        """The same as :meth:`say`, as markup; ``_`` in templates."""
        return escape(translated(message, self.language)).format(**self._said(facts))

    def ngettext(self, one: str, many: str, number: int, **facts: object) -> Markup:
        """The same as :meth:`say_number`, as markup; ``ngettext`` in templates."""
        return escape(_translations(self.language).ngettext(one, many, number)).format(n=number, **self._said(facts))

    def _said(self, facts: dict[str, object]) -> dict[str, object]:
        return {name: fact.in_language(self) if isinstance(fact, Sentence) else fact for name, fact in facts.items()}


class Sentence(str):
    """A text and its facts, which anybody can be told in their own language.

    It *is* its English text: logs, JSON and comparisons need nothing else.  What a method of ``str`` makes of it is
    plain text, so that sentences are put together as facts of another one, or by :class:`Joined`.
    """

    __slots__ = ("facts", "message")
    message: str
    facts: dict[str, object]

    def __new__(cls, message: str, /, **facts: object) -> Self:
        sentence = super().__new__(cls, message.format(**facts))
        sentence.message, sentence.facts = message, facts
        return sentence

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Give the same one, which nobody changes: ``dataclasses.asdict`` copies every value."""
        return self

    def in_language(self, speech: Speech) -> str:
        """Say it in a language; what the catalogue leaves out stays English."""
        return speech.say(self.message, **self.facts)


class Counted(Sentence):
    """A text whose words depend on a number, its fact ``n``."""

    __slots__ = ("many", "number")
    many: str
    number: int

    def __new__(cls, one: str, many: str, number: int, /, **facts: object) -> Self:
        sentence = super().__new__(cls, one if number == 1 else many, n=number, **facts)
        sentence.message, sentence.many, sentence.number, sentence.facts = one, many, number, facts
        return sentence

    def in_language(self, speech: Speech) -> str:
        return speech.say_number(self.message, self.many, self.number, **self.facts)


class Joined(Sentence):
    """Texts one after the other; each of them, and what stands between them, is a sentence or plain text."""

    __slots__ = ("between", "parts")
    parts: tuple[str, ...]
    between: str

    def __new__(cls, parts: Iterable[str], between: str = " ") -> Self:
        together = tuple(parts)
        sentence = super().__new__(cls, "{text}", text=str(between).join(together))
        sentence.parts, sentence.between = together, between
        return sentence

    def in_language(self, speech: Speech) -> str:
        return in_words(self.between, speech).join(in_words(part, speech) for part in self.parts)


class Number(Sentence):
    """A number with so many decimals, its digits grouped as a language does (``40,000``, ``40.000``)."""

    __slots__ = ("decimals", "value")
    value: float
    decimals: int

    def __new__(cls, value: float, decimals: int = 0) -> Self:
        sentence = super().__new__(cls, "{text}", text=f"{value:,.{decimals}f}")
        sentence.value, sentence.decimals = value, decimals
        return sentence

    def in_language(self, speech: Speech) -> str:
        places = "." + "0" * self.decimals if self.decimals else ""
        return format_decimal(self.value, f"#,##0{places}", locale=speech.language)


LOCALES = {SOURCE_LANGUAGE: "en_GB"}
"""Where a language is written in several ways: the day before the month, as all over Europe."""


def locale_of(language: str) -> str:
    """Name the locale by which Babel writes times of a language."""
    return LOCALES.get(language, language)


class When(Sentence):
    """A day, or a time with its zone, as a language writes it; its plain text is ``2026-03-01``, or
    ``2026-03-01 09:00 +0100``.
    """

    __slots__ = ("moment",)
    moment: date | datetime

    def __new__(cls, moment: date | datetime) -> Self:
        has_time = isinstance(moment, datetime)
        sentence = super().__new__(cls, "{text}", text=moment.strftime("%Y-%m-%d %H:%M %z" if has_time else "%Y-%m-%d"))
        sentence.moment = moment
        return sentence

    def in_language(self, speech: Speech) -> str:
        locale = locale_of(speech.language)
        if isinstance(self.moment, datetime):
            return format_datetime(self.moment, "d MMM y HH:mm (xxx)", locale=locale)
        return format_date(self.moment, "d MMM y", locale=locale)


NONE = Sentence("none")


def listed(names: Iterable[str], most: int = LONGEST_LIST) -> Sentence:
    """Join distinct names in their order; a long list is cut and says so."""
    distinct = list(dict.fromkeys(names))
    shown = Joined(distinct[:most], ", ")
    if len(distinct) > most:
        return Sentence("{names} and {n} more", names=shown, n=len(distinct) - most)
    return shown if distinct else NONE


def in_words(said: BaseException | str, speech: Speech) -> str:
    """Say a sentence, or an error that has one (``sentence``), in a language; other text stays as it is."""
    text = getattr(said, "sentence", said)
    return text.in_language(speech) if isinstance(text, Sentence) else str(text)


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
