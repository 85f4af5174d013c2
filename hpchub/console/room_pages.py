"""The room's page: what a trainer sees of all seats, and does with one of them or with all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.console.frame import language_asked_for
from hpchub.console.help import MOST_OF_A_MESSAGE, as_said
from hpchub.console.help_api import helps_of
from hpchub.console.pages import Visiting, page, verbs_of
from hpchub.console.room import WORDS
from hpchub.console.rooms import Rooms
from hpchub.console.signin import BASE
from hpchub.console.store import NoSuchEvent
from hpchub.console.tiles import ICONS, Only, of_team, sums, teams
from hpchub.console.visits import form_of
from hpchub.text import Counted, Sentence

router = APIRouter(include_in_schema=False)

_MINUTE_SECONDS = 60


def counted(only: Only, number: int, of: int) -> Sentence:
    """Say how many of so many seats are what somebody looks for."""
    match only:
        case Only.WORKING:
            return Sentence("{n} of {of} working", n=number, of=of)
        case Only.WAITING:
            return Sentence("{n} waiting or starting", n=number)
        case Only.HELP:
            return Counted("{n} needs help", "{n} need help", number)
        case Only.FAILED:
            return Counted("{n} has failed", "{n} have failed", number)
        case Only.IDLE:
            return Counted("{n} is idle", "{n} are idle", number)
        case Only.AWAY:
            return Sentence("{n} without a notebook", n=number)


@dataclass(frozen=True, slots=True)
class View:
    """What of a room is shown, and how: it stands in the page's address."""

    team: str = ""
    only: Only | None = None
    compact: bool = False
    """Small tiles without buttons, for a wall or for hundreds of seats."""
    writing: bool = False
    """A message is being written: a page without scripts does not load itself again then."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read an address; what means nothing in it is as if it were not there."""
        asked = request.query_params
        only = Only(asked["only"]) if asked.get("only") in set(Only) else None
        return cls(asked.get("team", "")[:63], only, asked.get("view") == "compact", asked.get("write") == "1")

    def query(self, **changes: Any) -> str:
        """Give the address of the same view, or of another one, as what follows the path."""
        view = replace(self, **changes)
        parts = {
            "team": view.team,
            "only": view.only or "",
            "view": "compact" if view.compact else "",
            "write": "1" if view.writing else "",
        }
        query = urlencode({name: part for name, part in parts.items() if part})
        return f"?{query}" if query else ""


@router.get("/event/{slug}/room")
async def room_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show a tile for each seat; the page brings itself up to date."""
    verbs, view = verbs_of(request), View.of(request)
    event = await verbs.show(visit.caller, slug)
    everybody = await helps_of(request).tiles(visit.caller, event, language_asked_for(request, verbs.catalogue.site))
    here = of_team(everybody, view.team)
    return page(
        request,
        visit,
        "event_room.html",
        event=event,
        state=event.state(verbs.clock()),
        view=view,
        shown=[tile for tile in here if view.only is None or tile.is_one_of(view.only)],
        seats=len(here),
        sums=[(only, counted(only, number, len(here))) for only, number in sums(here)],
        teams=teams(everybody),
        hands=sum(1 for tile in everybody if tile.hand_up),
        said=await helps_of(request).messages(visit.caller, slug),
        words=WORDS,
        icons=ICONS,
        minutes_left=lambda epoch: max(int(epoch - verbs.clock()) // _MINUTE_SECONDS, 0),
        most_of_a_message=MOST_OF_A_MESSAGE,
    )


@router.post("/event/{slug}/room/{verb}")
async def change_room(request: Request, visit: Visiting, slug: str, verb: str) -> Response:
    """Do what a button of the room says, and show the same view again."""
    form, verbs, helps = await form_of(request, visit), verbs_of(request), helps_of(request)
    rooms: Rooms = request.app.state.rooms
    language, name, caller = language_asked_for(request, verbs.catalogue.site), form.get("name", ""), visit.caller
    if verb == "start":
        await rooms.start_all(caller, slug, language)
    elif verb == "stop":
        await rooms.stop_all(caller, slug)
    elif verb == "restart":
        await rooms.restart(caller, slug, name, language)
    elif verb == "message":
        says = as_said(form.get("says", ""), MOST_OF_A_MESSAGE)
        if says:
            await helps.say(caller, slug, says, form.get("team") or None)
    elif verb == "lower":
        await (helps.hand(caller, slug, name, up=False) if name else helps.lower_all(caller, slug))
    elif verb == "ask-in":
        await helps.ask_in(caller, slug, name)
    elif verb == "keep-out":
        await helps.keep_out(caller, slug, name)
    else:
        raise NoSuchEvent
    return RedirectResponse(f"{BASE}event/{slug}/room{View.of(request).query(writing=False)}", 303)
