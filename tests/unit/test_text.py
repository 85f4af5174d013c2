"""Texts in languages: what a catalogue must have, and which language a browser is answered in."""

from __future__ import annotations

import string

import pytest
from babel.messages.pofile import read_po

from hpchub.jobs import refusals, waiting
from hpchub.jobs.endings import CANCELLED_BY, SENTENCES
from hpchub.slurm import reasons
from hpchub.text import FOLDER, LANGUAGES, catalogue, language_of, translated

OTHERS = [language for language in LANGUAGES if language != "en"]
MESSAGES = sorted(
    {
        *reasons.messages(),
        *SENTENCES.values(),
        *CANCELLED_BY.values(),
        *refusals.TEXTS.values(),
        *waiting.messages(),
    }
)
THE_SAME = {"burst buffer"}
"""Words that other languages have taken over."""


def placeholders(message: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(message) if field is not None}


def test_italian_is_there() -> None:
    assert LANGUAGES == ("en", "it")


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("message", MESSAGES)
def test_everything_that_people_read_is_translated(message: str, language: str) -> None:
    assert message in catalogue(language), "add it to the catalogue"
    assert placeholders(translated(message, language)) == placeholders(message)
    assert message in THE_SAME or translated(message, language) != message


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_nothing_that_nobody_says(language: str) -> None:
    assert sorted(catalogue(language)) == MESSAGES


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_finished(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        entries = [entry for entry in read_po(file, locale=language) if entry.id]
    assert [entry.id for entry in entries if entry.fuzzy or not entry.string] == []


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
