"""What the forms of teams send."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.console.pages import Visiting
from hpchub.console.signin import BASE
from hpchub.console.team_api import teaming_of
from hpchub.console.visits import form_of

router = APIRouter(include_in_schema=False)


@router.post("/event/{slug}/teams")
async def arrange(request: Request, visit: Visiting, slug: str) -> Response:
    """Put somebody into the team that a trainer chose for them."""
    form = await form_of(request, visit)
    await teaming_of(request).arrange(visit.caller, slug, {form.get("person", ""): form.get("team", "")[:40]})
    return RedirectResponse(f"{BASE}event/{slug}#teams", 303)


@router.post("/event/{slug}/team")
async def choose(request: Request, visit: Visiting, slug: str) -> Response:
    """Put the visitor into the team of their choice."""
    form = await form_of(request, visit)
    await teaming_of(request).choose(visit.caller, slug, form.get("team", "")[:40])
    return RedirectResponse(f"{BASE}event/{slug}", 303)
