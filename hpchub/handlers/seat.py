"""``/hub/hpchub/seat``: a card opens a temporary seat of an event, for people who have no account.

A code is in no log: in an address JupyterHub's log of requests hides it, and this handler has no other text about a
request.  Wrong codes are counted for each browser and each person, never for an address, which a room shares.
"""

from __future__ import annotations

import time
from typing import Any

from jupyterhub.handlers import BaseHandler
from jupyterhub.orm import new_token
from jupyterhub.utils import url_path_join

from hpchub.catalogue.moments import zone_of
from hpchub.console.people import SERVICE
from hpchub.pages.page import Page
from hpchub.signin import cards, record, refusal
from hpchub.signin.accounts import SourceFailed
from hpchub.signin.bindings import BindingsUnreadable
from hpchub.signin.cards import Seat
from hpchub.signin.lent import LendsSeats
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.seats import SeatsUnreadable
from hpchub.signin.shut_out import shut_out, tokens_of_servers, withdraw_of_others
from hpchub.text import in_words

BROWSER_COOKIE = "hpchub-cards"
"""Tells browsers apart that give wrong codes."""
_BROWSER_DAYS = 1
_SILENT = (SourceFailed, BindingsUnreadable, SeatsUnreadable)


class SeatHandler(Page, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """``GET`` shows what a card opens, ``POST`` with ``take`` takes it."""

    async def get(self) -> None:
        """Show the seat of the card in ``code``; without one, the field for it."""
        await self._answer(self.get_argument("code", ""))

    async def post(self) -> None:
        """Show the seat of a code that somebody typed, or take it, if they have seen who they are now."""
        await self._answer(self.get_body_argument("code", ""), take=bool(self.get_body_argument("take", "")))

    async def _answer(self, typed: str, take: bool = False) -> None:
        if not typed.strip():
            await self._show()
            return
        try:
            seat = await self._opened(typed)
            if not take or not self._has_agreed(seat):
                await self._show(typed, seat)
                return
            await self._take(seat, cards.as_typed(typed))
        except SignInRefused as refused:
            if refused.reason == "seat-used" and self._is_in(cards.as_typed(typed)):
                self._go_to(self._event_of(self.current_user.name))
                return
            self._note(refused, cards.as_typed(typed))
            await self._show(typed, refused=refused)
        except _SILENT as error:
            self.log.error("Seats cannot be taken: %s", error)
            await self._show(typed, refused=refusal.silent())

    async def _opened(self, typed: str) -> Seat:
        self.engine.seats.check_guesses(self._who())
        code = cards.as_typed(typed)
        if not code:
            raise cards.no_code()
        seat: Seat = self.engine.seats.opened(code, zone_of(self.engine.catalogue.site.timezone))
        authenticator: LendsSeats = self.authenticator
        await authenticator.check_lendable(seat)
        user = self.find_user(seat.account)
        if user is not None and user.admin:
            raise cards.not_lendable()
        return seat

    def _has_agreed(self, seat: Seat) -> bool:
        """Tell whether whoever is signed in as somebody else was told so, and wants it all the same."""
        somebody_else = self._somebody_else(seat)
        return not somebody_else or self.get_body_argument("instead_of", "") == somebody_else

    def _somebody_else(self, seat: Seat) -> str:
        user = self.current_user
        return "" if user is None or user.name == seat.account else str(user.name)

    async def _take(self, seat: Seat, code: str) -> None:
        is_first = self.engine.seats.taken(seat.account) is None
        # Judged and spent in one step: two phones may have the same card.
        with self.engine.seats.taking(code) as seat:
            account, user = seat.account, self.find_user(seat.account)
            if user is not None:
                # Whoever used an earlier card, or was in the account before it was lent.
                running = [each for each in self.engine.owners_of_sessions() if each.user.name == account]
                if is_first:
                    withdraw_of_others(running, seat)
                shut_out(user, tokens_of_servers(user, running))
            # As JupyterHub's own sign-out does: the next person in this browser must not go on as the last one.
            self.clear_login_cookie()
            self.set_session_cookie()
            user = await self.auth_to_user({"name": account, "admin": False, "groups": [], "auth_state": None})
            self.set_login_cookie(user)
        user._auth_refreshed = time.monotonic()
        self.log.info("%s was taken as a seat of %s", account, seat.event.slug)
        record.write(self.eventlog, "seat-taken", username=account, event=seat.event.slug)
        self._go_to(self._event_of(account))

    def _is_in(self, code: str) -> bool:
        """Tell whether somebody opens their own card's address once more, in the browser that took it."""
        taken = self.engine.seats.taken(self.current_user.name) if self.current_user is not None else None
        return taken is not None and taken.card == cards.digest_of(code)

    def _event_of(self, account: str) -> str:
        taken = self.engine.seats.taken(account)
        return taken.event if taken is not None else ""

    def _go_to(self, event: str) -> None:
        self.set_header("Cache-Control", "no-store")
        self.redirect(url_path_join(self.base_url, "services", SERVICE, "event", event))

    def _note(self, refused: SignInRefused, code: str) -> None:
        if refused.reason == cards.UNKNOWN:
            self.engine.seats.note_guess(self._who())
        if code and not refused.retry_after_seconds and self.engine.seats.is_recorded(code):
            self.log.warning("A card was refused: %s", refused.reason)
            record.write(self.eventlog, "seat-refused", reason=refused.reason)

    def _who(self) -> str:
        """Name who gives codes: a person who is signed in, or a browser by a cookie of ours."""
        if self.current_user is not None:
            return f"person {self.current_user.name}"
        if not hasattr(self, "_browser"):
            found = self.get_secure_cookie(BROWSER_COOKIE, max_age_days=_BROWSER_DAYS)
            self._browser = found.decode() if found else new_token()
            if not found:
                self._set_cookie(BROWSER_COOKIE, self._browser, expires_days=_BROWSER_DAYS, path=self.hub.base_url)
        return f"browser {self._browser}"

    async def _show(self, typed: str = "", seat: Seat | None = None, refused: SignInRefused | None = None) -> None:
        self._who()
        values: dict[str, Any] = {"typed": typed[:40], "seat": seat, "refusal": "", "advice": ""}
        if refused is not None:
            self.set_status(refused.status_code)
            if refused.retry_after_seconds:
                self.set_header("Retry-After", str(refused.retry_after_seconds))
            values |= {"refusal": in_words(refused, self.speech), "advice": in_words(refused.advice, self.speech)}
        values["somebody_else"] = self._somebody_else(seat) if seat is not None else ""
        html = await self.render_template("seat.html", **values)
        # the address may have the card's code
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.finish(html)

    def _request_summary(self) -> str:
        """Tornado's text about a request in its own log, which has the whole address."""
        return f"{self.request.method} {self.request.path}"
