"""Help as the API tells it and takes it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from hpchub.console.help import (
    ALL_TRAINERS,
    LONGEST_CONSENT_MINUTES,
    MOST_OF_A_HAND,
    MOST_OF_A_MESSAGE,
    Consent,
    Need,
    Said,
)
from hpchub.console.told import Told


class Asked(BaseModel):
    """Base of what the API takes here."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class NeedTold(Told):
    """How somebody with a seat stands to help."""

    name: str
    hand_epoch: int | None
    """Since when their hand is up; null while it is down."""
    hand_says: str
    """What they said with it."""
    asked_by: str | None
    """The trainer who asks to be let into their notebook."""
    helper: str | None
    """The trainer whom they let in; empty for all trainers of the event, null for nobody."""
    helper_until_epoch: int | None

    @classmethod
    def of(cls, need: Need) -> Self:
        """Tell it."""
        return cls(
            name=need.name,
            hand_epoch=need.hand_epoch,
            hand_says=need.hand_says,
            asked_by=need.asked_by,
            helper=need.consent.helper if need.consent else None,
            helper_until_epoch=need.consent.until_epoch if need.consent else None,
        )


class SaidTold(Told):
    """What a trainer said to the room."""

    epoch: int
    who: str
    says: str
    team: str | None
    """For whom it is; null for everybody."""

    @classmethod
    def of(cls, said: Said) -> Self:
        """Tell it."""
        return cls(epoch=said.epoch, who=said.who, says=said.says, team=said.team)


class ConsentTold(Told):
    """Whom somebody lets into their notebook."""

    helper: str | None
    """The trainer; null for all trainers of the event."""
    until_epoch: int
    session_id: str
    """The session that they let them into."""

    @classmethod
    def of(cls, consent: Consent) -> Self:
        """Tell it."""
        return cls(
            helper=None if consent.helper == ALL_TRAINERS else consent.helper,
            until_epoch=consent.until_epoch,
            session_id=consent.session_id,
        )


class Hand(Asked):
    """The body of a hand that goes up or down."""

    up: bool
    says: str = Field(default="", max_length=MOST_OF_A_HAND, pattern=r"^[^\x00]*$")
    """What it is about."""


class Saying(Asked):
    """The body of a message."""

    says: str = Field(max_length=MOST_OF_A_MESSAGE, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
    """Plain text, perhaps of several lines."""
    team: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00]*$")] | None = None
    """For whom it is; null for everybody."""


class LettingIn(Asked):
    """The body of a consent."""

    helper: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")] | None = None
    """A trainer of the event; null for all of them."""
    minutes: Annotated[int, Field(strict=True, ge=1, le=LONGEST_CONSENT_MINUTES)] = 30
    """For how long."""
