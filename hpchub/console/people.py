"""Who somebody is to the console, and what that lets them do.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpchub.console.plans import Event

SERVICE = "events"
"""The console's name at the hub, which is also in its address: ``/services/events/``."""
ACCESS = f"access:services!service={SERVICE}"
"""The scope that somebody must have to use the console."""
_ACCESS_ALL = "access:services"
_ADMINISTERS = "admin:groups"
"""The scope of the hub's that lets a script tell the hub its events; whoever has it may decide about them here."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: a person, or a script's service."""

    name: str
    groups: frozenset[str] = frozenset()
    admin: bool = False
    person: bool = True
    """Not a service: only people can have a seat."""
    hub: bool = False
    """The hub, which speaks for people whose notebook it has asked: it brings the console's own token."""

    def is_trainer(self, group: str) -> bool:
        """Tell whether they may create events, where trainers are in a group."""
        return self.admin or group in self.groups

    def manages(self, event: Event) -> bool:
        """Tell whether an event is one of theirs; others are told that there is none."""
        return self.admin or self.name in event.trainers


def caller_of(model: Mapping[str, Any]) -> Caller | None:
    """Read the hub's answer about the owner of a token (``GET /hub/api/user``); None where the token is not for us."""
    scopes = set(model.get("scopes") or ())
    if not scopes & {ACCESS, _ACCESS_ALL}:
        return None
    person = model.get("kind") == "user"
    admin = bool(model.get("admin")) if person else _ADMINISTERS in scopes
    return Caller(str(model["name"]), frozenset(model.get("groups") or ()), admin, person)
