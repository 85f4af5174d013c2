"""What can go wrong with the files of an event while its session starts all the same.  Pure.

The job says which, and a detail; :mod:`hpchub.jobs.prepare` runs without this package and repeats the words, which a
test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

MOST_OF_A_DETAIL = 300


class Trouble(StrEnum):
    """A word for each."""

    MATERIAL = "material"
    LATE = "late"
    TOOL = "tool"
    BRANCH = "branch"
    FILE = "file"
    HOME = "home"
    SHARED = "shared"
    TEAM = "team"


Troubles = Annotated[
    dict[Trouble, Annotated[str, StringConstraints(max_length=MOST_OF_A_DETAIL)]], Field(max_length=len(Trouble))
]
"""What went wrong, each with a detail: the words of git or of the system, a name, a number of seconds."""

SENTENCES: Mapping[Trouble, str] = {
    Trouble.MATERIAL: "The material of the event could not be fetched: {detail}",
    Trouble.LATE: "The material of the event was not there after {detail} seconds.",
    Trouble.TOOL: "The material of the event could not be fetched: the environment has no {detail}.",
    Trouble.BRANCH: "The material of the event could not be fetched: its repository has no branch {detail}.",
    Trouble.FILE: "The material of the event is there, but it has no {detail}.",
    Trouble.HOME: "The folder of the event in your home could not be made: {detail}",
    Trouble.SHARED: "The shared folder of the event cannot be used: {detail}",
    Trouble.TEAM: "The folder of the team cannot be used: {detail}",
}
ADVICE = (
    "Your notebook works all the same. Tell a trainer of the event; when it is mended, stop your notebook and start it "
    "again, and this file goes away."
)
"""For whoever finds the note beside the place of the material."""


def sentences(troubles: Mapping[str, str], translate: Callable[[str], str] = str) -> list[str]:
    """Say what went wrong, a sentence each; a word of another version is left out.

    Args:
        troubles: the details by their words.
        translate: gives an English sentence in the reader's language.
    """
    return [translate(SENTENCES[each]).format(detail=troubles[each]) for each in Trouble if each in troubles]


def visible(detail: str) -> str:
    """Give a detail as it may be shown: on one line, without what a terminal would act on."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in detail).split())[:MOST_OF_A_DETAIL]


def messages() -> Iterator[str]:
    """Give everything of this module's that is translated."""
    yield from (*SENTENCES.values(), ADVICE)
