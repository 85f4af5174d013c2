"""What a person does at each provider's own pages, and what the hub asked it for."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page

from tests.support.site import PASSWORD
from tests.support.visitor import Visitor

BUTTON = "main a.btn-primary"
"""The one button of the hub's sign-in page."""


def identify_at_demo(page: Page, name: str) -> None:
    """Fill in the form of the demo's provider."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def identify_at_canaille(page: Page, name: str) -> None:
    """Go through Canaille's two pages."""
    page.locator("input[name=login]").fill(name)
    page.get_by_role("button", name="Continue").click()
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def consent_at_canaille(page: Page) -> None:
    """Say that the hub may know who one is."""
    page.get_by_role("button", name="Accept").click()


def authorization_request(visitor: Visitor) -> dict[str, str]:
    """Press the button of the sign-in page; give what the provider was asked then."""
    visitor.go("/hub/login")
    with visitor.page.expect_request(lambda request: request.url.startswith(visitor.elsewhere)) as sent:
        visitor.page.locator(BUTTON).click()
    return dict(parse_qsl(urlsplit(sent.value.url).query))


def asks_with_pkce(asked: dict[str, str]) -> bool:
    """Tell whether a code is of no use to somebody who reads the way to the provider or the way back (RFC 7636)."""
    challenge = re.fullmatch(r"[A-Za-z0-9_-]{43}", asked.get("code_challenge", ""))
    return (
        challenge is not None
        and (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
        and not {"code_verifier", "client_secret"} & asked.keys()
    )


def sign_in(visitor: Visitor, name: str) -> None:
    """Go the whole way by the demo's provider; what follows is the hub's page, of whatever kind."""
    authorization_request(visitor)
    identify_at_demo(visitor.page, name)
    visitor.page.wait_for_url(f"{visitor.url}/hub/**")


def shown_of(visitor: Visitor) -> dict[str, str]:
    """Give what the hub shows somebody of themselves: facts by their names, in the reader's language."""
    visitor.page.locator("header a[href$='/hub/hpchub/me']").click()
    terms = visitor.page.locator("main dt")
    terms.first.wait_for()
    facts = visitor.page.locator("main dd").all_inner_texts()
    return dict(zip(terms.all_inner_texts(), facts, strict=True))


def notices(visitor: Visitor) -> bool:
    """Tell whether the hub has found that the provider is away, and sends nobody there."""
    return visitor.page.request.get(f"{visitor.url}/hub/oauth_login", max_redirects=0).status == 503
