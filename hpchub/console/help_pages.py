"""What a participant does on the page of their event: raise a hand, let a trainer in, keep them out again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.console.help import ALL_TRAINERS, CONSENT_MINUTES, MOST_OF_A_HAND, as_said
from hpchub.console.help_api import helps_of
from hpchub.console.pages import Visiting
from hpchub.console.signin import BASE
from hpchub.console.visits import form_of

router = APIRouter(include_in_schema=False)

_MINUTES = {str(minutes): minutes for minutes in CONSENT_MINUTES}


@router.post("/event/{slug}/hand")
async def hand(request: Request, visit: Visiting, slug: str) -> Response:
    """Raise the visitor's hand, or lower it."""
    form = await form_of(request, visit)
    says = as_said(form.get("says", ""), MOST_OF_A_HAND)
    up = form.get("up") == "yes"
    await helps_of(request).hand(visit.caller, slug, visit.caller.name, up=up, says=says)
    return _back(slug)


@router.post("/event/{slug}/let-in")
async def let_in(request: Request, visit: Visiting, slug: str) -> Response:
    """Let a trainer into the visitor's notebook."""
    form = await form_of(request, visit)
    minutes = _MINUTES.get(form.get("minutes", ""), CONSENT_MINUTES[1])
    helper = form.get("helper", ALL_TRAINERS)
    await helps_of(request).let_in(visit.caller, slug, visit.caller.name, helper, minutes)
    return _back(slug)


@router.post("/event/{slug}/keep-out")
async def keep_out(request: Request, visit: Visiting, slug: str) -> Response:
    """Let nobody into the visitor's notebook any more."""
    await form_of(request, visit)
    await helps_of(request).keep_out(visit.caller, slug, visit.caller.name)
    return _back(slug)


def _back(slug: str) -> Response:
    return RedirectResponse(f"{BASE}event/{slug}", 303)
