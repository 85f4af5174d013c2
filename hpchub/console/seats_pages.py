"""The pages of temporary seats: cards to print, new ones, and a table of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.catalogue.moments import zone_of
from hpchub.console.cards import PATH, as_csv
from hpchub.console.frame import drawn, origin_of
from hpchub.console.lending import when_of
from hpchub.console.seats import Seats
from hpchub.console.signin import BASE
from hpchub.console.store import STATES
from hpchub.console.verbs import Verbs
from hpchub.console.visits import Visit, form_of, visit_of

Visiting = Annotated[Visit, Depends(visit_of)]
router = APIRouter(include_in_schema=False)
A_SHEET = 10
"""Cards on a page of paper."""


def _seats(request: Request) -> Seats:
    seats: Seats = request.app.state.seats
    return seats


@router.get("/event/{slug}/cards")
async def cards_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show the cards of an event, ten a sheet of paper."""
    verbs: Verbs = request.app.state.verbs
    cards = await _seats(request).cards(visit.caller, slug)
    event = await verbs.show(visit.caller, slug)
    zone = zone_of(verbs.catalogue.site.timezone)
    values = {
        "event": event,
        "state": event.state(verbs.clock()),
        "states": STATES,
        # with day and zone: paper is read later
        "starts": when_of(event.plan.starts_epoch, zone),
        "sheets": [cards[at : at + A_SHEET] for at in range(0, len(cards), A_SHEET)],
        "origin": origin_of(request),
        "seat_path": PATH,
    }
    return drawn(request, "event_cards.html", values, caller=visit.caller, xsrf=visit.form_token)


@router.get("/event/{slug}/cards.csv")
async def cards_file(request: Request, visit: Visiting, slug: str) -> Response:
    """Give the same for a mail merge."""
    text = as_csv(await _seats(request).cards(visit.caller, slug), origin_of(request))
    headers = {"Content-Disposition": f'attachment; filename="{slug}-cards.csv"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv", headers=headers)


@router.post("/event/{slug}/cards")
async def new_cards(request: Request, visit: Visiting, slug: str) -> Response:
    """Make a new card for the seat of the form, or for all where it names none."""
    form = await form_of(request, visit)
    seat = form.get("seat", "")
    await _seats(request).new_cards(visit.caller, slug, seat or None)
    return RedirectResponse(f"{BASE}event/{slug}/cards{f'#seat-{seat}' if seat else ''}", 303)
