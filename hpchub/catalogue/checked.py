"""From a document to a model: pydantic's complaints as lines that an admin can act on."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpchub.catalogue.fields import WORDS, Wrong
from hpchub.catalogue.files import Document
from hpchub.catalogue.problems import Place, Problem, out_of, shown

M = TypeVar("M", bound=BaseModel)
BLOCK, LIST = "a block of `name: value`", "a list: [one, another]"
KINDS = {
    "model_type": BLOCK,
    "dict_type": BLOCK,
    "mapping_type": BLOCK,
    "tuple_type": LIST,
    "list_type": LIST,
    "set_type": LIST,
    "frozen_set_type": LIST,
    "string_type": "text; in quotes where YAML would read a number, a date or yes and no",
    "string_too_short": "text of at least one character",
    "int_type": "a whole number without quotes",
    "int_parsing": "a whole number without quotes",
    "int_from_float": "a whole number without quotes",
    "too_short": "at least one entry",
}
"""What is possible, by pydantic's kind of error; where a kind is not here, pydantic's own words are shown."""


def checked(document: Document, model: type[M], problems: list[Problem]) -> M | None:
    """Make a model of a document; what is wrong goes to ``problems``, and then the answer is None."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems.extend(_problems(document, model, error))
        return None


def _problems(document: Document, model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    seen: set[Place] = set()
    errors = error.errors(include_url=False)
    for details in errors:
        if details["type"] == "too_short" and any(_is_inside(other, details) for other in errors):
            continue  # it only lacks the items that are reported themselves
        place = tuple(part for part in details["loc"] if part != "[key]")
        # A field with alternatives reports an error for each, under a place that the file does not have.
        while place and place not in document.lines and details["type"] != "missing":
            place = place[:-1]
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, Wrong):
            yield document.problem((*place, *cause.place), cause.found, cause.possible)
        elif place not in seen:
            seen.add(place)
            yield document.problem(place, *_found_and_possible(details, model))


def _is_inside(other: ErrorDetails, details: ErrorDetails) -> bool:
    length = len(details["loc"])
    return len(other["loc"]) > length and other["loc"][:length] == details["loc"]


def _found_and_possible(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    kind, message, place = details["type"], details["msg"], details["loc"]
    hidden = "password" in place
    found = "found a value that is not shown" if hidden else f"found {shown(details['input'])}"
    if kind == "missing":
        return "is missing", f"{place[-1]}: …{_meaning(model, place)}"
    if kind == "extra_forbidden":
        return "is not a field", out_of(_fields_at(model, place[:-1]), place[-1])
    if kind == "value_error":
        wrong, _, possible = message.removeprefix("Value error, ").partition("; possible: ")
        return (wrong, possible) if possible else (found, wrong)
    if kind == "string_pattern_mismatch":
        pattern = str(details["ctx"]["pattern"])
        return found, WORDS.get(pattern, f"text like {pattern}")
    if kind == "literal_error":
        names = [name.strip("'") for name in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        return found, out_of(names, details["input"])
    limits = details.get("ctx", {})
    for name, words in (("ge", "at least"), ("le", "at most")):
        if name in limits:
            return found, f"a whole number, {words} {limits[name]}"
    if kind in KINDS:
        return found, KINDS[kind]
    return found, message.partition(" should ")[2].removeprefix("be ") or message


def _meaning(model: type[BaseModel], place: Place) -> str:
    """Give the first sentence of what the models say about a field, in brackets."""
    here = _model_at(model, place[:-1])
    field = here.model_fields.get(str(place[-1])) if here else None
    words = " ".join((field.description or "").split()) if field else ""
    sentence = words.partition(". ")[0].rstrip(".").replace("``", "`")
    return f" ({sentence})" if sentence else ""


def _fields_at(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    here = _model_at(model, place)
    return tuple(field.alias or name for name, field in here.model_fields.items()) if here else ()


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Find the model that lies at a place inside another."""
    here: object = model
    for part in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        else:
            inner = get_args(here)
            here = (inner[0] if isinstance(part, int) else inner[-1]) if inner else None
        while get_origin(here) in (Annotated, Union, UnionType):
            here = get_args(here)[0]
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None
