"""The form for a new event: what was typed, read as a plan.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from pydantic import ValidationError

from hpchub.console.plans import Plan
from hpchub.console.teams import read_teams
from hpchub.text import Sentence

LABELS: Mapping[str, str] = {
    "title": "Title",
    "description": "Description",
    "starts_epoch": "Starts",
    "ends_epoch": "Ends",
    "setup_minutes": "Set-up before, in minutes",
    "seats": "Seats",
    "temporary_seats": "Temporary seats among them",
    "seat_files_days": "Days for which their files stay",
    "trainers": "Other trainers",
    "cluster": "Cluster",
    "allocation": "Allocation",
    "reservation": "Reservation",
    "profile": "Profile",
    "size": "Size",
    "minutes": "Length of a session, in minutes",
    "people": "People",
    "groups": "Groups",
    "by_code": "Everybody with the code",
    "teams": "Teams and their people",
    "choose_team": "People choose their team when they join",
    "repository": "Git repository",
    "branch": "Branch",
    "opens": "File that opens first",
    "folders": "Folders that people share",
}
"""The fields of the form, and what people call them."""

LISTS = ("trainers", "people", "groups")
_NUMBERS = ("setup_minutes", "seats", "temporary_seats", "seat_files_days", "minutes")
_MATERIAL = ("repository", "branch", "opens")
_BOXES = ("by_code", "choose_team", "folders")
_OPTIONAL = ("reservation", "size", "minutes", "temporary_seats", "seat_files_days")


def read_plan(fields: Mapping[str, str], zone: tzinfo | None) -> Plan | list[tuple[str, Sentence]]:
    """Read a form; where it is no plan, give the fields that are wrong, each with a sentence.

    Args:
        fields: what was sent, by name.
        zone: in which times are meant; None for the machine's own.
    """
    raw: dict[str, Any] = {name: name in fields for name in _BOXES}
    wrong: list[tuple[str, Sentence]] = []
    for name in LABELS:
        text = fields.get(name, "").strip()
        if name in LISTS:
            raw[name] = names_in(text)
        elif name in _NUMBERS and text:
            raw[name] = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
        elif name in ("starts_epoch", "ends_epoch"):
            epoch = _epoch(text, zone)
            if epoch is None:
                wrong.append((name, Sentence("a day and a time, such as 2027-03-01 09:00")))
            else:
                raw[name] = epoch
        elif name == "teams":
            try:
                raw[name] = read_teams(text.splitlines())
            except ValueError:
                wrong.append((name, _TEAMS))
        elif name not in (*_BOXES, *_MATERIAL) and (text or name not in _OPTIONAL):
            raw[name] = text
    material = {name: fields.get(name, "").strip() or None for name in _MATERIAL}
    raw["material"] = material if any(material.values()) else None
    raw.setdefault("setup_minutes", 0)
    if wrong:
        return wrong
    try:
        return Plan.model_validate(raw)
    except ValidationError as error:
        return [(_field(each), _says(each)) for each in error.errors()]


def names_in(text: str) -> list[str]:
    """Read names that have spaces, commas or semicolons between them, each once."""
    return [each for each in dict.fromkeys(re.split(r"[\s,;]+", text)) if each]


def typed(epoch: int, zone: tzinfo | None) -> str:
    """Write a time as the form has it."""
    return datetime.fromtimestamp(epoch, zone).strftime("%Y-%m-%dT%H:%M")


def read_end(fields: Mapping[str, str], zone: tzinfo | None) -> int | None:
    """Read the form of a later end; None where it is no time."""
    return _epoch(fields.get("ends_epoch", "").strip(), zone)


def _epoch(text: str, zone: tzinfo | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
    try:
        return max(int(moment.timestamp()), 0)
    except (OverflowError, OSError, ValueError):
        return None


_TEAMS = Sentence("a team a line, such as Blu: ada, bruno; nobody in two of them, and names that differ")
_SAID: Mapping[str, Sentence] = {
    "teams": _TEAMS,
    "choose_team": Sentence("there are no teams to choose from"),
    "repository": Sentence("https://… without a password, or the absolute path of a repository in a shared folder"),
    "branch": Sentence("the name of a branch or a tag"),
    "opens": Sentence("the path of a file in the repository, such as day1/start.ipynb"),
}


def _named(message: str) -> str:
    # what concerns two fields names one of them first: "ends_epoch: is not after…"
    name = message.removeprefix("Value error, ").partition(":")[0]
    return name if name in LABELS else "title"


def _field(error: Any) -> str:
    place = error["loc"]
    if not place:
        return _named(error["msg"])
    return str(place[1] if place[0] == "material" and len(place) > 1 else place[0])


def _says(error: Any) -> Sentence:
    name = _field(error)
    if name == "ends_epoch":
        return Sentence("after the start, and at most 60 days after it")
    if name == "by_code":
        return Sentence("somebody must be able to join: by the code, by name or by group")
    if name in _NUMBERS:
        return Sentence("a whole number that is possible")
    if name in _SAID:
        return _SAID[name]
    if name in LISTS:
        return Sentence("names, with spaces or commas between them")
    if name in ("title", "description"):
        return Sentence("some words, and not too many")
    return Sentence("a name as Slurm and the site's files have it")


def messages() -> list[str]:
    """Give everything of this module's tables that is translated."""
    return list(LABELS.values())
