"""What somebody would try against the hub, each tried: every one of them ends at a page that says so."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from tests.signin.browser import Browser, said
from tests.signin.provider import Provider
from tests.support.site import Site

USED = "This sign-in took too long, or has been used already."
FALSE = "What the sign-in service sent could not be verified."
NOT_FOR_PEOPLE = "The account that belongs to your identity is not one that people may work in."


def signed_in(site: Site, browser: Browser) -> bool:
    return browser.fetch("/hub/home").url == f"{site.url}/hub/home"


def refused(site: Site, browser: Browser, address: str, sentence: str) -> None:
    """Open an address and find the refusal, in a browser that is signed in nowhere."""
    page = browser.fetch(address)
    assert (page.status, said(page)) == (400, sentence)
    assert not signed_in(site, browser)


def test_a_callback_out_of_nowhere(site: Site, provider: Provider) -> None:
    refused(site, Browser(site.url), "/hub/oauth_callback?code=x&state=y", USED)


def test_the_callback_of_another_browser(site: Site, provider: Provider) -> None:
    """Login CSRF: a victim opens the attacker's way back and would work in the attacker's account."""
    address = Browser(site.url).callback_for("bruno")
    refused(site, Browser(site.url), address, USED)
    victim = Browser(site.url)
    victim.fetch("/hub/oauth_login")
    refused(site, victim, address, FALSE)


@pytest.mark.parametrize(
    ("pattern", "instead", "sentence"),
    [
        (r"state=[^&]*", "state=", FALSE),
        (r"&state=[^&]*", "", FALSE),
        (r"state=.", "state=.", FALSE),
        (r"iss=[^&]*", "iss=https%3A%2F%2Fother.example.org", FALSE),
        (r"&iss=[^&]*", "", FALSE),
        (r"code=[^&]*", "code=", FALSE),
        (r"code=[^&]*", "code=0123456789abcdef", USED),
        (r"code=[^&]*", "code=%00", FALSE),
        (r"code=[^&]*", f"code={'x' * 6000}", USED),
    ],
)
def test_a_callback_that_was_changed(site: Site, provider: Provider, pattern: str, instead: str, sentence: str) -> None:
    browser = Browser(site.url)
    address = re.sub(pattern, instead, browser.callback_for("ada"))
    refused(site, browser, address, sentence)


def test_a_code_is_good_once(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    address = browser.callback_for("ada")
    kept = list(browser.cookies)
    assert browser.fetch(address).url == f"{site.url}/hub/spawn"
    thief = Browser(site.url)
    for cookie in kept:
        if cookie.name == "hpchub-sign-in":
            thief.cookies.set_cookie(cookie)
    refused(site, thief, address, USED)


def test_a_name_and_a_password_at_the_hub_let_nobody_in(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.fetch("/hub/login")
    xsrf = next(cookie.value or "" for cookie in browser.cookies if cookie.name == "_xsrf" and cookie.path == "/hub/")
    page = browser.fetch("/hub/login", {"username": "ada", "password": "demo", "_xsrf": xsrf})
    assert page.status == 403
    assert not signed_in(site, browser)


def test_the_providers_error_is_not_repeated(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    address = re.sub(r"code=[^&]*", "error=access_denied&error_description=Call+555-0100", browser.callback_for("ada"))
    page = browser.fetch(address)
    assert (page.status, said(page)) == (403, "The sign-in service did not complete the sign-in.")
    assert "555" not in page.source


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example.org/",
        "//evil.example.org/",
        "///evil.example.org",
        "/\\evil.example.org",
        "\\\\evil.example.org",
        "https:evil.example.org",
        "javascript:alert(1)",
        "evil.example.org",
    ],
)
def test_nobody_is_led_to_another_host(site: Site, provider: Provider, next_url: str) -> None:
    browser = Browser(site.url)
    browser.sign_in("ada", next_url=next_url)
    assert not [url for url in browser.visited if not url.startswith("http://127.0.0.1:")]
    assert browser.visited[-1].startswith(f"{site.url}/")


@pytest.mark.parametrize(
    "name",
    ["root", "daemon", "nobody", "../ada", "ada/../root", "a'da", 'a"da', "Ada", "ADA", "ada ", "ada;id", "-ada"],
)
def test_a_claim_that_names_no_persons_account(site: Site, provider: Provider, name: str) -> None:
    provider.set_claims("mallory", preferred_username=name, groups=["hpc"])
    browser = Browser(site.url)
    page = browser.sign_in("mallory")
    assert (page.status, said(page)) == (403, NOT_FOR_PEOPLE)
    assert not signed_in(site, browser)


def test_an_account_that_does_not_exist(site: Site, provider: Provider) -> None:
    provider.set_claims("newcomer", preferred_username="newcomer", groups=["hpc"])
    page = Browser(site.url).sign_in("newcomer")
    assert (page.status, said(page)) == (403, "You are known, but you have no account on the cluster.")
    assert "Ask the people who run the cluster for an account" in page.source


def test_two_identities_on_one_account(site: Site, provider: Provider) -> None:
    assert Browser(site.url).sign_in("ada").status == 200
    provider.set_claims("mallory", preferred_username="ada", groups=["hpc"])
    browser = Browser(site.url)
    page = browser.sign_in("mallory")
    assert (page.status, said(page)) == (403, "The account ada belongs to another identity.")
    assert not signed_in(site, browser)


def test_who_had_an_account_before_is_out_when_another_identity_gets_it(site: Site, provider: Provider) -> None:
    before = Browser(site.url)
    before.sign_in("bruno")
    token = site.token_of("bruno")
    assert signed_in(site, before)
    (site.folder / "hub" / "identities.json").write_text("{}")
    provider.set_claims("successor", preferred_username="bruno", groups=["hpc"])
    after = Browser(site.url)
    after.sign_in("successor")
    assert signed_in(site, after)
    assert not signed_in(site, before)
    assert site.api("GET", "/user", token=token).status == 403


@pytest.mark.parametrize("length", [320, 1000])
def test_no_link_makes_a_cookie_that_browsers_would_not_keep(site: Site, provider: Provider, length: int) -> None:
    browser = Browser(site.url)
    browser.fetch(f"/hub/oauth_login?{urlencode({'next': '/hub/token?' + 'é' * length})}")
    (cookie,) = [f"{each.name}={each.value}" for each in browser.cookies if each.name == "hpchub-sign-in"]
    # RFC 6265bis, 5.6: name and value together
    assert len(cookie) <= 4096


def test_a_group_called_trainers_makes_no_trainer(site: Site, provider: Provider) -> None:
    provider.set_claims("bruno", groups=["hpc", "trainers", "admin"])
    Browser(site.url).sign_in("bruno")
    found = site.api("GET", "/users/bruno").json
    assert (sorted(found["groups"]), found["admin"]) == (["admin", "hpc"], False)


def test_the_refusal_is_in_the_readers_language(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.fetch("/hub/hpchub/language/it?next=/hub/login")
    page = browser.fetch("/hub/oauth_callback?code=x&state=y")
    assert said(page) == "Questo accesso è scaduto oppure è già stato usato."
