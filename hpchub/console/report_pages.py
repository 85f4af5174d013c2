"""What an event was, as a page for the screen and for paper, and as files for a spreadsheet."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hpchub.console.failures import in_few_words
from hpchub.console.pages import Visiting, page, verbs_of
from hpchub.console.report import as_csv, sessions_as_csv

router = APIRouter(include_in_schema=False)


@router.get("/event/{slug}/report")
async def report_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show what the event was."""
    verbs = verbs_of(request)
    event = await verbs.show(visit.caller, slug)
    told = await verbs.report(visit.caller, slug)
    state = event.state(verbs.clock())
    return page(request, visit, "event_report.html", event=event, state=state, report=told, why=in_few_words)


@router.get("/event/{slug}/report.csv")
async def report_file(request: Request, visit: Visiting, slug: str) -> Response:
    """Give the same with a line for each person."""
    return _file(slug, as_csv(await verbs_of(request).report(visit.caller, slug)))


@router.get("/event/{slug}/sessions.csv")
async def sessions_file(request: Request, visit: Visiting, slug: str) -> Response:
    """Give every session with its job, for whoever accounts for them."""
    verbs = verbs_of(request)
    await verbs.show(visit.caller, slug)
    return _file(f"{slug}-sessions", sessions_as_csv(await asyncio.to_thread(verbs.store.used, slug)))


def _file(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv", headers=headers)
