"""Texts in languages: what a catalogue must have, and which language a browser is answered in."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po
from markupsafe import Markup

from hpchub.console import forms
from hpchub.jobs import refusals, troubles, waiting
from hpchub.jobs.endings import CANCELLED_BY, SENTENCES
from hpchub.lab import words
from hpchub.pages import servers
from hpchub.slurm import reasons
from hpchub.text import FOLDER, LANGUAGES, Speech, language_of, translated

REPOSITORY = Path(__file__).parents[2]
TEMPLATES = [path for path in sorted((REPOSITORY / "hpchub").rglob("*.html")) if path.parent.name == "templates"]
SCRIPTS = sorted((REPOSITORY / "hpchub" / "static").glob("*.js"))
MODULES = [path for package in ("hpchub", "spawners") for path in sorted((REPOSITORY / package).rglob("*.py"))]
TEXTS_OF = {
    **dict.fromkeys(("_", "gettext", "say", "Sentence"), 1),
    **dict.fromkeys(("ngettext", "say_number", "Counted"), 2),
}
"""What a text is given to (hpchub/text.py), and how many of the first arguments are texts."""
KEYWORDS = {name: None if count == 1 else (1, 2) for name, count in TEXTS_OF.items()}
"""The same for Babel."""


def extracted(paths: list[Path], method: str) -> Iterator[str]:
    """Every text that is given to one of the keywords, in both numbers where it has two."""
    for path in paths:
        for _, message, _, _ in extract_from_file(method, path, keywords=KEYWORDS):
            yield from (message,) if isinstance(message, str) else message


def given(paths: list[Path]) -> Iterator[tuple[str, ast.expr]]:
    """The same for modules: Babel does not look into the arguments of a call that it has taken a text from."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                yield from ((name, text) for text in node.args[: TEXTS_OF.get(name, 0)])


def written(paths: list[Path]) -> Iterator[str]:
    """The texts of :func:`given` that stand there; the others come from tables, each with its ``messages()``."""
    for _, text in given(paths):
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield text.value


OTHERS = [language for language in LANGUAGES if language != "en"]
MESSAGES = sorted(
    {
        *reasons.messages(),
        *SENTENCES.values(),
        *CANCELLED_BY.values(),
        *refusals.TEXTS.values(),
        *troubles.messages(),
        *waiting.messages(),
        *servers.messages(),
        *forms.messages(),
        *words.messages(),
        *extracted(TEMPLATES, "jinja2"),
        *written(MODULES),
        *extracted(SCRIPTS, "javascript"),
    }
)
THE_SAME = {
    "Branch",
    "burst buffer",
    "Cluster",
    "Job",
    "Log",
    "Notebook",
    "Password",
    "QOS",
    "Team",
    "{n} core",
    "{n} GPU",
    "{n} job",
}
"""Words that other languages have taken over."""


@cache
def entries(language: str) -> dict[str, tuple[str, ...]]:
    """What a catalogue has for each English text: for one with a number, the same forms for both of its numbers."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        found = [entry for entry in read_po(file, locale=language) if entry.id and not entry.fuzzy]
    return {message: tuple(map(str, _many(entry.string))) for entry in found for message in map(str, _many(entry.id))}


def _many(one_or_more: object) -> tuple[object, ...]:
    return tuple(one_or_more) if isinstance(one_or_more, list | tuple) else (one_or_more,)


def placeholders(message: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(message) if field is not None}


def test_italian_is_there() -> None:
    assert LANGUAGES == ("en", "it")


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("message", MESSAGES)
def test_everything_that_people_read_is_translated(message: str, language: str) -> None:
    assert message in entries(language), "add it to the catalogue"
    for text in entries(language)[message]:
        assert text, "it has no translation yet"
        assert placeholders(text) == placeholders(message)
        assert message in THE_SAME or text != message


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_nothing_that_nobody_says(language: str) -> None:
    assert sorted(entries(language)) == MESSAGES


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_nothing_that_is_left_out_when_it_is_read(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        assert [entry.id for entry in read_po(file, locale=language) if entry.fuzzy] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    source = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<script>.*?</script>|<!.*?>", " ", path.read_text(), flags=re.DOTALL)
    for told in ("aria-label", "title", "alt", "placeholder"):
        assert re.findall(rf'\b{told}="[^"{{]*[A-Za-z]', source) == []
    assert re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]*>", " ", source)) == []


def test_a_sentence_has_its_text_where_it_is_made() -> None:
    paths = [path for path in MODULES if path != REPOSITORY / "hpchub" / "text.py"]
    sentences = [text for name, text in given(paths) if name in ("Sentence", "Counted")]
    assert [ast.unparse(text) for text in sentences if not isinstance(text, ast.Constant)] == []
    assert len(sentences) > 50


def test_a_text_names_its_facts_and_escapes_them_in_markup() -> None:
    speech = Speech("it")
    assert speech.say("Stop {name}", name="<b>") == "Ferma <b>"
    assert speech.gettext("Stop {name}", name="<b>") == Markup("Ferma &lt;b&gt;")
    assert speech.gettext("Stop {name}", name=Markup("<b>x</b>")) == Markup("Ferma <b>x</b>")


@pytest.mark.parametrize(
    ("language", "number", "text"),
    [("en", 1, "1 GPU"), ("en", 4, "4 GPUs"), ("it", 1, "1 GPU"), ("it", 4, "4 GPU")],
)
def test_a_text_with_a_number(language: str, number: int, text: str) -> None:
    assert Speech(language).say_number("{n} GPU", "{n} GPUs", number) == text
    assert str(Speech(language).ngettext("{n} GPU", "{n} GPUs", number)) == text


def test_no_text_stays_no_text() -> None:
    assert translated("", "it") == ""


def test_what_is_not_translated_stays_english() -> None:
    assert translated("No such sentence.", "it") == "No such sentence."
    assert translated("The session was stopped.", "en") == "The session was stopped."


@pytest.mark.parametrize("language", ["xx", "../it", "", "IT"])
def test_a_language_that_is_not_there_is_english(language: str) -> None:
    assert translated("The session was stopped.", language) == "The session was stopped."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("it", "it"),
        ("it-IT,it;q=0.9,en-US;q=0.8,en;q=0.7", "it"),
        ("en-US,en;q=0.9,it;q=0.8", "en"),
        ("fr, it;q=0.5, en;q=0.4", "it"),
        ("en;q=0.4, it;q=0.5", "it"),
        ("it;q=0, en;q=0.1", "en"),
        ("fr-CH, de", "en"),
        ("IT", "it"),
        ("*", "en"),
        ("it;q=nonsense", "en"),
        ("../../etc/passwd", "en"),
        (",;,=,it-", "en"),
        ("é, it", "it"),
    ],
)
def test_the_language_of_a_browser(header: str, language: str) -> None:
    assert language_of(header) == language


def test_only_an_offered_language_is_chosen() -> None:
    assert language_of("it, de;q=0.5", ("en", "de")) == "de"


def test_a_long_header_costs_no_time() -> None:
    assert language_of("a-" * 20_000 + ",it") == "it"
