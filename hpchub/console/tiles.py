"""The room as its page shows it: seats with who needs help, filtered and in order.  Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from hpchub.console.help import Consent, Need
from hpchub.console.room import Seat, SeatState


class Only(StrEnum):
    """What of a room is looked for."""

    WORKING = "working"
    WAITING = "waiting"
    HELP = "help"
    FAILED = "failed"
    IDLE = "idle"
    AWAY = "away"


_STATES: Mapping[Only, frozenset[SeatState]] = {
    Only.FAILED: frozenset({SeatState.FAILED}),
    Only.WAITING: frozenset({SeatState.QUEUED, SeatState.STARTING}),
    # An idle notebook is one that works: it is there for its person.
    Only.WORKING: frozenset({SeatState.WORKING, SeatState.IDLE}),
    Only.IDLE: frozenset({SeatState.IDLE}),
    Only.AWAY: frozenset({SeatState.AWAY, SeatState.ENDING, SeatState.ENDED}),
}
ICONS: Mapping[SeatState, str] = {
    SeatState.AWAY: "dash",
    SeatState.QUEUED: "clock",
    SeatState.STARTING: "ring",
    SeatState.WORKING: "check",
    SeatState.IDLE: "pause",
    SeatState.ENDING: "dash",
    SeatState.ENDED: "dash",
    SeatState.FAILED: "close",
}
"""What stands beside a state's word."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A seat with what its person asks for."""

    seat: Seat
    need: Need
    consent: Consent | None
    """The one by which somebody may enter its notebook now."""
    lets_me: bool
    """Whether whoever looks may."""

    @property
    def hand_up(self) -> bool:
        return self.need.hand_epoch is not None

    @property
    def path(self) -> str:
        """The address of its notebook."""
        return f"/user/{quote(self.seat.name, safe='@~')}/{quote(self.seat.server, safe='')}/"

    def is_one_of(self, only: Only) -> bool:
        """Tell whether it is what is looked for."""
        return self.hand_up if only is Only.HELP else self.seat.state in _STATES[only]


def tiles(
    seats: Iterable[Seat], needs: Mapping[str, Need], viewer: str, trainers: Collection[str], now_epoch: float
) -> list[Tile]:
    """Give a tile for each seat: raised hands first, the longest of all at the front, then failures, then the others.

    Args:
        seats: of the room, by name.
        needs: of those with a seat, by name.
        viewer: who looks.
        trainers: of the event.
        now_epoch: the time.
    """
    made = []
    for seat in seats:
        need = needs.get(seat.name) or Need(seat.name)
        consent = need.consent_now(seat.session_id, now_epoch) if seat.active else None
        lets_me = consent is not None and consent.lets(viewer, trainers, now_epoch)
        made.append(Tile(seat, need, consent, lets_me))
    return sorted(made, key=_place)


def _place(tile: Tile) -> tuple[int, int, list[tuple[str, int]]]:
    name = by_number(tile.seat.name)
    if tile.need.hand_epoch is not None:
        return 0, tile.need.hand_epoch, name
    return (1 if tile.seat.state is SeatState.FAILED else 2), 0, name


def by_number(name: str) -> list[tuple[str, int]]:
    """Give what a name is sorted by: ``seat9`` before ``seat10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", name)]


def of_team(all_of_them: Iterable[Tile], team: str) -> list[Tile]:
    """Give those of a team; all where it is empty."""
    return [tile for tile in all_of_them if not team or tile.seat.team == team]


def sums(shown: Iterable[Tile]) -> list[tuple[Only, int]]:
    """Count what may be looked for; what nobody is, is left out."""
    together = list(shown)
    found = Counter(only for tile in together for only in Only if tile.is_one_of(only))
    return [(only, found[only]) for only in Only if found[only]]


def teams(all_of_them: Iterable[Tile]) -> list[str]:
    """Name the teams that somebody is in."""
    return sorted({tile.seat.team for tile in all_of_them if tile.seat.team})
