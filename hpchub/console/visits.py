"""Browsers: who is signed in, that a form is one of ours, and the way through the hub's sign-in and back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.console.frame import origin_of
from hpchub.console.people import Caller
from hpchub.console.signin import BASE, COOKIE, STATE_COOKIE, SignIn
from hpchub.console.store import NoSuchEvent
from hpchub.console.verbs import NotAllowed, Verbs
from hpchub.pages.language import COOKIE as LANGUAGE_COOKIE
from hpchub.pages.language import offered_by
from hpchub.text import Sentence

SESSION_COOKIE = "jupyterhub-session-id"
"""The hub's own; it is another one after a sign-out, so that no answer from before counts any more."""
_STATE_SECONDS = 600
_LANGUAGE_SECONDS = 365 * 24 * 3600
_FORM_IS_OLD = Sentence("This form is too old, or not one of this site. Open the page again, and send it once more.")
_NOT_A_VISIT = Sentence("These pages answer only to a person who opens them.")


class SignInFirst(Exception):
    """Nobody is known in this browser.

    Args:
        next_path: the page that they wanted.
    """

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody in a browser."""

    caller: Caller
    form_token: str
    """What their forms carry."""


async def visit_of(request: Request) -> Visit:
    """Tell who visits a page.  Raises :class:`SignInFirst`, :class:`~hpchub.console.verbs.NotAllowed`."""
    # Notebook servers answer under the same host: a script of one must not read what its visitor may see here.
    # Our own scripts bring what stands in the page, which others cannot read.
    sign_in: SignIn = request.app.state.sign_in
    token = sign_in.unsealed(request.cookies.get(COOKIE, ""))
    ours = secrets.compare_digest(request.headers.get("X-XSRFToken", "").encode(), sign_in.form_token(token).encode())
    # Browsers say what they ask for where the site has https, but not where it has plain http.
    unsaid = "" if origin_of(request).startswith("https:") else "navigate"
    if request.headers.get("Sec-Fetch-Mode", unsaid) != "navigate" and not ours:
        raise NotAllowed(_NOT_A_VISIT)
    caller = await sign_in.caller(token, request.cookies.get(SESSION_COOKIE, "")) if token else None
    if caller is None:
        raise SignInFirst(_local(request) if request.method == "GET" else BASE)
    return Visit(caller, sign_in.form_token(token))


async def form_of(request: Request, visit: Visit) -> dict[str, str]:
    """Read a form of ours.  Raises :class:`~hpchub.console.verbs.NotAllowed` for any other."""
    sent = await request.form(max_files=0, max_fields=100)
    form = {name: value for name, value in sent.items() if isinstance(value, str)}
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site != "same-origin" or not secrets.compare_digest(form.get("_xsrf", "").encode(), visit.form_token.encode()):
        raise NotAllowed(_FORM_IS_OLD)
    return form


def to_sign_in(request: Request, next_path: str) -> Response:
    """Send a browser to the hub's sign-in, from where it comes back by itself."""
    sign_in: SignIn = request.app.state.sign_in
    address, state = sign_in.begin(next_path)
    response = RedirectResponse(address, 303)
    _set(request, response, STATE_COOKIE, state, _STATE_SECONDS)
    return response


router = APIRouter(include_in_schema=False)


@router.get("/oauth_callback")
async def callback(request: Request, code: str = "", state: str = "") -> Response:
    """Take somebody back from the hub's sign-in."""
    sign_in: SignIn = request.app.state.sign_in
    mine = request.cookies.get(STATE_COOKIE, "")
    if not (code and state and secrets.compare_digest(state.encode(), mine.encode())):
        # Two tabs at once, or the service was restarted in between: the hub knows them by now, so this is quick.
        raise SignInFirst(BASE)
    ended = await sign_in.finish(code, state)
    if ended is None:
        raise SignInFirst(BASE)
    token, next_path = ended
    response = RedirectResponse(next_path, 303)
    _set(request, response, COOKIE, sign_in.sealed(token))
    response.delete_cookie(STATE_COOKIE, path=BASE)
    return response


@router.get("/language/{language}")
async def choose_language(request: Request, language: str, next: str = "") -> Response:
    """Keep a person's language in a cookie, and go back to where they were."""
    verbs: Verbs = request.app.state.verbs
    if language not in offered_by(verbs.catalogue.site):
        raise NoSuchEvent
    plain = next.isascii() and next.isprintable() and "\\" not in next and next.startswith(BASE)
    response = RedirectResponse(next if plain else BASE, 303)
    _set(request, response, LANGUAGE_COOKIE, language, _LANGUAGE_SECONDS)
    return response


def _local(request: Request) -> str:
    return f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}"


def _set(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    secure = origin_of(request).startswith("https:")
    response.set_cookie(name, value, max_age=seconds, path=BASE, httponly=True, samesite="lax", secure=secure)
