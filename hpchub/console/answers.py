"""What goes wrong, as HTTP answers it: the same for pages and API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from hpchub.console.hub import HubRefused, HubSilent
from hpchub.console.joins import JoinRefused
from hpchub.console.lending import TooFewSeats
from hpchub.console.store import NoSuchEvent, NotNow
from hpchub.console.verbs import NotAllowed, PlanRefused, TooManyGuesses
from hpchub.text import Sentence

HUB_SILENT = Sentence("The hub does not answer at the moment. Try again in a minute.")

STATUS: dict[type[Exception], HTTPStatus] = {
    PlanRefused: HTTPStatus.BAD_REQUEST,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NoSuchEvent: HTTPStatus.NOT_FOUND,
    NotNow: HTTPStatus.CONFLICT,
    TooFewSeats: HTTPStatus.CONFLICT,
    JoinRefused: HTTPStatus.CONFLICT,
    HubRefused: HTTPStatus.CONFLICT,
    TooManyGuesses: HTTPStatus.TOO_MANY_REQUESTS,
    HubSilent: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: Exception) -> HTTPStatus:
    """Give the status of an error of :data:`STATUS`."""
    if isinstance(error, JoinRefused) and error.wrong_code:
        return HTTPStatus.NOT_FOUND
    return STATUS[type(error)]


def sentence_of(error: Exception) -> str:
    """Give what may be shown of an error of :data:`STATUS`."""
    return HUB_SILENT if isinstance(error, HubSilent) else getattr(error, "sentence", str(error))


def headers_of(error: Exception) -> dict[str, str]:
    """Give the headers that an answer with an error of :data:`STATUS` has."""
    return {"Retry-After": str(error.seconds)} if isinstance(error, TooManyGuesses) else {}


def wrong_in(errors: list[Any]) -> str:
    """Name the places and what is wrong there, without repeating what was sent."""
    found = (
        f"{'.'.join(str(part) for part in each['loc'] if part != 'body') or 'the body'}: {each['msg']}"
        for each in errors
    )
    return "; ".join(found)[:1000]


def wrong_in_model(error: ValidationError) -> str:
    """Do the same for an error of a model."""
    return wrong_in(error.errors(include_url=False, include_input=False))
