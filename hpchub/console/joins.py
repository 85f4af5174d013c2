"""Who may join an event, and by which code.  Pure but for chance."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from typing import Literal

from hpchub.console.plans import Event, State
from hpchub.errors import UserError
from hpchub.text import Sentence

ALPHABET = "ABCDEFGHJKLMNPQRTUVWXY346789"
"""Without what is taken for something else when it is read from a wall: I and 1, O and 0, S and 5, Z and 2."""
_GROUPS, _LENGTH = 2, 4

By = Literal["code", "list", "group"]


class JoinRefused(UserError):
    """A person does not get a seat; the text says why.

    Args:
        sentence: the text.
        wrong_code: whether it was for the code, which counts as a guess.
    """

    def __init__(self, sentence: str, *, wrong_code: bool = False) -> None:
        super().__init__(sentence)
        self.wrong_code = wrong_code


def new_code() -> str:
    """Make a code that a room can read from a wall and nobody guesses: ``K7QF-3MXB``, one of 28⁸, about 4·10¹¹."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(_LENGTH)) for _ in range(_GROUPS))


def as_typed(text: str) -> str:
    """Give a code as it was made from what somebody typed; the empty text where it cannot be one."""
    letters = re.sub(r"[\s-]", "", text[:40]).upper()
    if len(letters) != _GROUPS * _LENGTH or set(letters) - set(ALPHABET):
        return ""
    return "-".join(letters[at : at + _LENGTH] for at in range(0, len(letters), _LENGTH))


def is_invited(event: Event, name: str, groups: Collection[str]) -> By | None:
    """Tell by what a person may join without a code; None where they may not."""
    if name in event.plan.people:
        return "list"
    return None if set(event.plan.groups).isdisjoint(groups) else "group"


def join_by(event: Event, name: str, groups: Collection[str], code: str, now_epoch: float) -> By | None:
    """Decide whether a person gets a seat, and by what; None for who has one, or needs none.

    Raises :class:`JoinRefused`.
    """
    known = event.has_seat(name) or name in event.trainers
    by: By | None = is_invited(event, name, groups)
    if by is None and code and event.code is not None and secrets.compare_digest(code, event.code):
        by = "code"
    if by is None and not known:
        raise JoinRefused(NO_SUCH_CODE, wrong_code=bool(code))
    state = event.state(now_epoch)
    if state is State.OVER:
        raise JoinRefused(Sentence("This event is over."))
    if state is not State.OPEN:
        raise JoinRefused(Sentence("This event is not open yet."))
    if known:
        return None
    if not event.seats_left:
        raise JoinRefused(Sentence("All {n} seats are taken. Ask the trainer.", n=event.plan.seats))
    return by


NO_SUCH_CODE = Sentence(
    "This code opens no event. Codes stop working when their event is over or the trainer revokes them."
)
