"""The application: pages and API on one address, what goes wrong as each says it, and the rounds behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from hpchub import __version__
from hpchub.console import (
    api,
    help_api,
    help_pages,
    pages,
    planning_api,
    planning_pages,
    report_pages,
    room_pages,
    seats_api,
    seats_pages,
    team_api,
    team_pages,
    visits,
)
from hpchub.console.answers import STATUS, headers_of, sentence_of, status_of, wrong_in
from hpchub.console.changes import Changes
from hpchub.console.frame import drawn
from hpchub.console.helps import Helps
from hpchub.console.rehearsing import Rehearsals
from hpchub.console.rooms import Rooms
from hpchub.console.rounds import rounds
from hpchub.console.seats import Seats
from hpchub.console.signin import BASE, SignIn
from hpchub.console.verbs import Verbs
from hpchub.text import Sentence, Speech, in_words, language_of

log = logging.getLogger(__name__)
_MOST_BYTES = 1_000_000
_LAST_SECONDS = 3
_NO_CREDENTIALS = Sentence("Missing or invalid credentials: a token of the hub's is needed.")
_DATABASE_AWAY = Sentence("The database of the events does not answer at the moment. Try again in a minute.")
_TOO_LARGE = Sentence("What was sent is too large, or its length is missing.")
_NO_SUCH_PAGE = Sentence("There is no such page.")


def application(
    verbs: Verbs, sign_in: SignIn, watching: Callable[[], Awaitable[None]] | None = None, *, with_rounds: bool = True
) -> FastAPI:
    """Make the application.

    Args:
        verbs: what can be done.
        sign_in: who asks.
        watching: runs beside it until it is cancelled, for example the look at the catalogue's files.
        with_rounds: whether it keeps the hub in step by itself.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(rounds(verbs))] if with_rounds else []
        if watching is not None:
            tasks.append(asyncio.ensure_future(watching()))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await app.state.rooms.settled()
        await verbs.hub.aclose()
        verbs.store.dispose()

    app = FastAPI(
        title="Events",
        summary="Hackathons and courses: who takes part, when, and what they start.",
        version=__version__,
        lifespan=life,
        # Their pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{BASE}api/openapi.json",
    )
    app.state.verbs, app.state.rooms, app.state.sign_in = verbs, Rooms(verbs), sign_in
    app.state.helps = Helps(verbs, app.state.rooms)
    app.state.seats = Seats(verbs)
    app.state.changes, app.state.rehearsals = Changes(verbs), Rehearsals(verbs)
    app.include_router(api.router, prefix=f"{BASE}api", tags=["events"])
    app.include_router(planning_api.router, prefix=f"{BASE}api", tags=["events"], responses=api.router.responses)
    app.include_router(help_api.router, prefix=f"{BASE}api", tags=["help"], responses=api.router.responses)
    app.include_router(seats_api.router, prefix=f"{BASE}api", tags=["seats"], responses=api.router.responses)
    app.include_router(team_api.router, prefix=f"{BASE}api", tags=["teams"], responses=api.router.responses)
    app.include_router(visits.router, prefix=BASE.rstrip("/"))
    app.include_router(seats_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(planning_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(report_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(room_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(help_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(team_pages.router, prefix=BASE.rstrip("/"))
    app.include_router(pages.router, prefix=BASE.rstrip("/"))
    _answer_errors(app)

    @app.get(f"{BASE}health", include_in_schema=False)
    async def health() -> Response:
        await asyncio.to_thread(verbs.store.by_code, "-")
        return PlainTextResponse("fine\n")

    @app.middleware("http")
    async def limited(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("Content-Length", "0")
        known = length.isascii() and length.isdigit() and "Transfer-Encoding" not in request.headers
        if not known or len(length) > 9 or int(length) > _MOST_BYTES:
            return _said(request, 413, _TOO_LARGE)
        response = await go_on(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return app


def _answer_errors(app: FastAPI) -> None:
    async def expected(request: Request, error: Exception) -> Response:
        return _said(request, status_of(error), sentence_of(error), headers_of(error))

    for kind in STATUS:
        app.add_exception_handler(kind, expected)

    @app.exception_handler(visits.SignInFirst)
    async def sign_in_first(request: Request, error: visits.SignInFirst) -> Response:
        return visits.to_sign_in(request, error.next_path)

    @app.exception_handler(api.NoCredentials)
    async def no_credentials(request: Request, _: api.NoCredentials) -> Response:
        return _said(request, 403, _NO_CREDENTIALS)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return _said(request, 400, wrong_in(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        says = _NO_SUCH_PAGE if error.status_code == 404 else str(error.detail)
        return _said(request, error.status_code, says, dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    async def database_away(request: Request, error: SQLAlchemyError) -> Response:
        log.error("the database does not answer: %s", error)
        return _said(request, 503, _DATABASE_AWAY)


def _said(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    if request.url.path.startswith(f"{BASE}api/"):
        language = language_of(request.headers.get("Accept-Language", ""))
        message = in_words(sentence, Speech(language))
        return JSONResponse({"status": int(status), "message": message}, int(status), headers)
    return drawn(request, "event_problem.html", {"says": sentence}, status_code=int(status), headers=headers)
