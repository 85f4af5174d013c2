"""What an address or a form of the start page says, and the addresses of its states.  Pure.

Nothing is judged here: what comes in is for :mod:`hpchub.pages.start.panel`, which shows what is nearest to it, or for
:func:`hpchub.catalogue.choice.accept`, which starts it or refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from hpchub.errors import ChoiceRefused
from hpchub.text import Sentence

START = "start"
"""The button that starts."""
SHOW = "show"
"""The button of a browser without scripts that shows the page again with what was picked."""
FIELDS = ("profile", "allocation", "cluster", "size", "minutes", "qos", "event")
"""Of a choice; the same names in forms, addresses and ``user_options``."""
MOST_CHARACTERS = 200
"""Of a value that an address may bring; what is longer is cut, and then it is no offer."""
MOST_PORTIONS = 100
"""Of a long list; an address may ask for no more."""
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page is to show."""

    choice: Mapping[str, str] = field(default_factory=dict)
    """Fields of a choice as they came, which may mean nothing; none of them is empty."""
    search: str = ""
    """Words that profiles must have."""
    sector: str = ""
    """The only sector whose profiles are listed; empty for all."""
    more: int = 1
    """How many portions of a long list are shown."""
    next_path: str = ""
    """Where JupyterHub shall lead once the notebook runs; empty for its own way."""


def wanted_of(values: Mapping[str, Sequence[str]]) -> Wanted:
    """Read the arguments of a request; of a field that is there twice the last one counts."""
    last = {name: each[-1][:MOST_CHARACTERS].strip() for name, each in values.items() if each}
    return Wanted(
        choice={name: last[name] for name in FIELDS if last.get(name)},
        search=" ".join(last.get("search", "").split()),
        sector=last.get("sector", ""),
        more=_portions(last.get("more", "")),
        next_path=last.get("next", ""),
    )


def _portions(text: str) -> int:
    portions = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 1
    return portions if 1 <= portions <= MOST_PORTIONS else 1


def choice_from_form(formdata: Mapping[str, Sequence[str]]) -> dict[str, str | int]:
    """Take the choice of a form whose start button was pressed; fields that are none of a choice's are ignored.

    Raises :class:`ChoiceRefused` if no profile was picked, since an empty choice would start the last one again.
    """
    values = {name: value for name in FIELDS if (value := _only(formdata, name)) is not None}
    if not _only(formdata, START) or "profile" not in values:
        raise ChoiceRefused(Sentence("Nothing was picked: choose one of the profiles, and press its button."))
    choice: dict[str, str | int] = {
        # a select has no other way to leave something open
        name: value
        for name, value in values.items()
        if value or name not in ("qos", "event")
    }
    minutes = values.get("minutes", "")
    # Longer or other text stays text and is refused as such.
    if minutes.isascii() and minutes.isdigit() and len(minutes) <= _MOST_DIGITS:
        choice["minutes"] = int(minutes)
    return choice


def _only(formdata: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = formdata.get(name, ())
    if len(values) > 1:
        raise ChoiceRefused(Sentence("The form has a field twice; load the page again."))
    return values[0] if values else None


def address(path: str, choice: Mapping[str, object] | None = None, **more: str) -> str:
    """Give the address of a state of the page: a path, what is known of a choice, and other arguments."""
    pairs = [(name, str((choice or {}).get(name) or "")) for name in FIELDS]
    query = urlencode([(name, value) for name, value in [*pairs, *more.items()] if value], safe="/")
    return f"{path}?{query}" if query else path
