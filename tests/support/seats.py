"""Temporary seats at the running hub: events that lend them, told as the console tells them, and people with cards."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import time
from typing import Any

from tests.signin.browser import Browser
from tests.support.form import Page
from tests.support.site import PASSWORD, Site

SEAT = "/hub/hpchub/seat"


def new_code() -> str:
    """Make a code as it stands on a card, with its hyphens."""
    letters = [secrets.choice("ABCDEFGHJKLMNPQRTUVWXY346789") for _ in range(12)]
    return "-".join("".join(letters[at : at + 4]) for at in range(0, 12, 4))


def digest_of(code: str) -> str:
    """What the console tells the hub of a code."""
    return hashlib.sha256(code.replace("-", "").encode()).hexdigest()


class Lender:
    """Tells the hub which events lend which accounts, as the console does."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def lend(self, cards: dict[str, str], slug: str = "school", title: str = "GPU school", **changes: Any) -> None:
        """Let one event lend accounts, each by its code; it is open for an hour."""
        now = int(time.time())
        seats = [
            {"account": account, "card": digest_of(code), "until_epoch": now + 7200} for account, code in cards.items()
        ]
        event = {
            "slug": slug,
            "title": title,
            "opens_epoch": now - 60,
            "closes_epoch": now + 3600,
            "members": list(cards),
            "cluster": "leonardo",
            "allocation": "tra26_hack",
            "profiles": ["general/*"],
            "seats": seats,
            **changes,
        }
        self._tell([event])

    def end(self) -> None:
        """Let there be no event any more."""
        self._tell([])

    def _tell(self, events: list[dict[str, Any]]) -> None:
        answer = self.site.api("PUT", "/hpchub/events", events)
        assert answer.status == 204, answer

    def hand_over(self, account: str) -> tuple[int, str]:
        """Ask for the account to be cleared; give the status, and the sentence of a refusal."""
        answer = self.site.api("POST", f"/hpchub/seats/{account}/hand-over", seconds=120)
        assert answer.status in (204, 404, 409, 503), answer
        return answer.status, answer.message if answer.text else ""


class Guest(Browser):
    """Somebody in a browser without JavaScript, who may have a card and no account."""

    def show(self, code: str) -> Page:
        """Open the address of a card."""
        return self.fetch(f"{SEAT}?code={code}")

    def press(self, page: Page) -> Page:
        """Press the one button of a card's page; give the page at the end of all redirects."""
        return self.fetch(SEAT, {**hidden(page), "take": "1"})

    def take(self, code: str) -> Page:
        """Open the address of a card and press its button."""
        return self.press(self.show(code))

    def type(self, code: str) -> Page:
        """Type a code into the field for it."""
        return self.fetch(SEAT, {**hidden(self.fetch(SEAT)), "code": code})

    def sign_in_by_password(self, name: str) -> Page:
        """Send the hub's own form."""
        page = self.fetch("/hub/login")
        return self.fetch("/hub/login", {**hidden(page), "username": name, "password": PASSWORD})

    @property
    def who(self) -> str:
        """The account that this browser is signed in to; empty where it is in none."""
        page = self.fetch("/hub/hpchub/me")
        found = re.search(r'<a href="/hub/hpchub/me"[^>]*>([^<]+)</a>', page.source)
        return found[1] if found and page.url.endswith("/hpchub/me") else ""


def hidden(page: Page) -> dict[str, str]:
    """What the form of a page sends of itself."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.source))


def alert(page: Page) -> str:
    """What a page refuses, in its words."""
    found = re.search(r'<p class="alert alert-danger[^>]*>(.*?)</p>', page.source, re.DOTALL)
    return html.unescape(found[1]) if found else ""
