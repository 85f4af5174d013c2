"""Somebody signs in and out in front of a real browser, at the certified provider."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.signin.doors import (
    BUTTON,
    asks_with_pkce,
    authorization_request,
    identify_at_demo,
    notices,
    shown_of,
    sign_in,
)
from tests.signin.provider import Provider
from tests.support.access import judge
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until


@pytest.fixture(autouse=True)
def _may_lead_to_the_provider(site: Site, visitor: Visitor, italian_visitor: Visitor) -> None:
    visitor.elsewhere = italian_visitor.elsewhere = (f"http://127.0.0.1:{site.port + 82}/",)


def test_a_person_signs_in_with_pkce_and_sees_their_account(provider: Provider, visitor: Visitor) -> None:
    asked = authorization_request(visitor)
    assert asks_with_pkce(asked)
    visitor.screenshot("sign-in-provider")
    identify_at_demo(visitor.page, "bruno")
    visitor.page.wait_for_url(f"{visitor.url}/hub/spawn")
    expect(visitor.page.locator("header").get_by_text("bruno", exact=True)).to_be_visible()
    assert shown_of(visitor) == {
        "Account on the cluster": "bruno",
        "Role": "user of notebooks",
        "Groups": "hpc",
        "Allocations on Leonardo (demo)": "aifac_cyber01",
        "Allocations on IT4LIA AI system (demo)": "aifac_cyber01",
    }


def test_an_administrator_gets_to_the_administration(provider: Provider, visitor: Visitor) -> None:
    sign_in(visitor, "admin")
    visitor.page.get_by_role("link", name="Administration").click()
    expect(visitor.page.locator("main button").first).to_be_visible()
    assert shown_of(visitor)["Role"] == "administrator"


def test_signing_out_ends_the_providers_session(provider: Provider, visitor: Visitor) -> None:
    page = visitor.page
    sign_in(visitor, "ada")
    page.locator("#logout").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{visitor.url}/hub/login")
    page.locator(BUTTON).click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_sign_in_page(provider: Provider, reader: tuple[Visitor, str]) -> None:
    visitor, language = reader
    visitor.go("/hub/login")
    words = {"en": "Sign in with the demo's login", "it": "Accedi con il login della demo"}
    expect(visitor.page.locator(BUTTON)).to_have_text(words[language])
    judge(visitor, f"sign-in-button-{language}")


def test_everybody_sees_who_they_are_here(provider: Provider, italian_visitor: Visitor) -> None:
    sign_in(italian_visitor, "carla")
    assert ("Ruolo", "docente") in shown_of(italian_visitor).items()
    judge(italian_visitor, "sign-in-me-it")


def test_who_has_no_account_reads_what_to_do_and_comes_back_as_somebody_else(
    provider: Provider, reader: tuple[Visitor, str]
) -> None:
    visitor, language = reader
    page = visitor.page
    provider.set_claims("newcomer", preferred_username="newcomer", groups=["hpc"])
    sign_in(visitor, "newcomer")
    words = {
        "en": "You are known, but you have no account on the cluster.",
        "it": "Sappiamo chi sei, ma non hai un account sul cluster.",
    }
    expect(page.get_by_text(words[language])).to_be_visible()
    judge(visitor, f"sign-in-no-account-{language}")
    page.get_by_role("link", name={"en": "Use another identity", "it": "Usa un'altra identità"}[language]).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{visitor.url}/hub/login")
    sign_in(visitor, "ada")
    page.wait_for_url(f"{visitor.url}/hub/spawn")


def test_while_the_provider_is_away_the_pages_say_so(provider: Provider, reader: tuple[Visitor, str]) -> None:
    visitor, language = reader
    page = visitor.page
    sign_in(visitor, "ada")
    expect(page.locator("#logout")).to_be_visible()
    provider.stop()
    until(lambda: notices(visitor), "the hub to notice")
    page.locator("#logout").click()
    words = {
        "en": "You may still be signed in at your sign-in service",
        "it": "Il tuo accesso potrebbe essere ancora attivo",
    }
    expect(page.get_by_text(words[language])).to_be_visible()
    judge(visitor, f"sign-in-signed-out-{language}")
    page.locator(BUTTON).click()
    page.locator(BUTTON).click()
    words = {
        "en": "The sign-in service does not answer at the moment.",
        "it": "Il servizio di accesso al momento non risponde.",
    }
    expect(page.get_by_text(words[language])).to_be_visible()
    judge(visitor, f"sign-in-provider-away-{language}")
    provider.start()
    sign_in(visitor, "ada")
    page.wait_for_url(f"{visitor.url}/hub/spawn")
