"""What a person reads in JupyterLab, by the names that ``session.js`` uses."""

from __future__ import annotations

from collections.abc import Iterator

from hpchub.text import LANGUAGES, translated

WORDS = {
    "this_session": "This session",
    "left": "{time} left",
    "nearly_over": "less than 1 min left",
    "over": "The time is over",
    "warning": "This notebook stops in {time}, at {clock}. Save your work: files stay, what runs and variables do not.",
    "ends": "This notebook stops at {clock}.",
    "what_stays": "Save your work before: files stay; what still runs, and the variables of a notebook, do not.",
    "longer": "Under “My sessions” you start again with the same choice, and see what else is possible.",
    "my_sessions": "My sessions",
    "raise_hand": "Raise hand",
    "hand_is_up": "Hand is up",
    "lower_hand": "Hand is up: lower it",
    "hand_was_raised": "Your hand is up. The trainers see it.",
    "not_told": "The trainers could not be told. Try again, or call one of them.",
    "messages": "Messages from the trainers",
    "no_messages": "No messages so far.",
    "read": "Read it",
    "helps": "{name} can see and use this notebook until {clock}.",
    "close": "Close",
}


def messages() -> Iterator[str]:
    """Give everything of this module's that is translated."""
    yield from WORDS.values()


def in_languages() -> dict[str, dict[str, str]]:
    """Give all of it in each language, by the language's tag."""
    return {language: {name: translated(text, language) for name, text in WORDS.items()} for language in LANGUAGES}
