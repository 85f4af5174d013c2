"""Signing in at another provider than the demo's, in a real browser: what this hub needs is no habit of one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.signin.canaille import CLIENT, SCOPES, Canaille
from tests.signin.doors import (
    BUTTON,
    asks_with_pkce,
    authorization_request,
    consent_at_canaille,
    identify_at_canaille,
    notices,
    shown_of,
)
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until

REFRESH_SECONDS = 3
PEOPLE = {
    "ada.lovelace": ("researchers",),
    "carla.rossi": ("researchers", "teachers"),
    "olga.bianchi": ("operators",),
    "bruno.neri": ("researchers", "interns"),
    "dario.verdi": ("researchers",),
    "bianca.newcomer": ("researchers",),
    "nemo": (),
}
ACCOUNTS = "ada ada.lovelace\ncarla Carla.Rossi\nadmin olga.bianchi\nbruno bruno.neri\ndario dario.verdi\n"


@pytest.fixture(scope="module")
def canaille(started_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaille]:
    """Canaille, and the site with sign-in there instead of the demo's."""
    found = Canaille(started_site, tmp_path_factory.mktemp("canaille"), PEOPLE)
    accounts = started_site.folder / "site" / "accounts"
    accounts.write_text(ACCOUNTS)
    rules = {
        "title": {"en": "Canaille", "it": "Canaille"},
        "issuer": found.url,
        "client_id": CLIENT,
        "callback_url": f"{started_site.url}/hub/oauth_callback",
        "scopes": SCOPES,
        "allowed_groups": ["researchers"],
        "admin_groups": ["operators"],
        "trainer_groups": ["teachers"],
        "amr": ["pwd"],
        "account": {"source": "file", "file": str(accounts)},
        "refresh_seconds": REFRESH_SECONDS,
    }
    path = started_site.folder / "site" / "site.yaml"
    sign_in = f"sign_in: {json.dumps({'kind': 'oidc', 'oidc': rules})}\n"
    text, replaced = re.subn(r"(?m)^sign_in: .*\n", lambda _: sign_in, path.read_text())
    assert replaced == 1
    path.write_text(text)
    (started_site.folder / "hub" / "identities.json").write_text("{}")
    try:
        found.start()
        started_site.kill_hub()
        started_site.start_hub()
        yield found
    finally:
        found.stop()
        (started_site.folder / "hub" / "identities.json").write_text("{}")
        # with the site file of the demo
        started_site.restart_hub()


@pytest.fixture(autouse=True)
def _may_lead_to_canaille(canaille: Canaille, visitor: Visitor, italian_visitor: Visitor) -> None:
    visitor.elsewhere = italian_visitor.elsewhere = (f"{canaille.url}/",)


def sign_in(visitor: Visitor, name: str) -> dict[str, str]:
    """Go the whole way, with the question of the first time; give what Canaille was asked."""
    page = visitor.page
    asked = authorization_request(visitor)
    identify_at_canaille(page, name)
    accept = page.get_by_role("button", name="Accept")
    page.wait_for_url(lambda url: "/oauth/authorize" in url or url.startswith(f"{visitor.url}/hub/"))
    if not page.url.startswith(visitor.url):
        expect(accept).to_be_visible()
        consent_at_canaille(page)
    page.wait_for_url(f"{visitor.url}/hub/**")
    return asked


def test_a_person_signs_in_with_pkce_under_the_account_of_the_map(visitor: Visitor) -> None:
    assert asks_with_pkce(sign_in(visitor, "ada.lovelace"))
    visitor.page.wait_for_url(f"{visitor.url}/hub/spawn")
    expect(visitor.page.locator("header").get_by_text("ada", exact=True)).to_be_visible()
    found = shown_of(visitor)
    assert (found["Account on the cluster"], found["Groups"]) == ("ada", "researchers")


def test_roles_come_from_groups(visitor: Visitor, italian_visitor: Visitor) -> None:
    sign_in(visitor, "carla.rossi")
    found = shown_of(visitor)
    assert (found["Role"], found["Groups"]) == ("trainer", "researchers, teachers, trainers")
    sign_in(italian_visitor, "olga.bianchi")
    expect(italian_visitor.page.get_by_role("link", name="Amministrazione")).to_be_visible()
    assert shown_of(italian_visitor)["Ruolo"] == "amministratore"


def test_a_person_without_groups_is_refused_though_the_claim_is_missing(visitor: Visitor) -> None:
    sign_in(visitor, "nemo")
    refused = visitor.page.get_by_text("You are known, but not in a group that may use this service.")
    expect(refused).to_be_visible()


def test_who_has_no_account_comes_back_as_somebody_else(visitor: Visitor) -> None:
    sign_in(visitor, "bianca.newcomer")
    expect(visitor.page.get_by_text("You are known, but you have no account on the cluster.")).to_be_visible()
    visitor.page.get_by_role("link", name="Use another identity").click()
    logout = visitor.page.get_by_role("button", name="Logout")
    expect(logout).to_be_visible()
    logout.click()
    visitor.page.wait_for_url(f"{visitor.url}/hub/login")
    sign_in(visitor, "ada.lovelace")
    visitor.page.wait_for_url(f"{visitor.url}/hub/spawn")


def test_a_group_that_is_taken_away_is_gone_without_signing_in_again(canaille: Canaille, visitor: Visitor) -> None:
    sign_in(visitor, "bruno.neri")
    assert shown_of(visitor)["Groups"] == "interns, researchers"
    canaille.put_into("interns")
    until(lambda: shown_of(visitor)["Groups"] == "researchers", "the group to be gone", 60, pause=1)


def test_somebody_whose_account_is_locked_there_starts_nothing(
    site: Site, canaille: Canaille, visitor: Visitor
) -> None:
    sign_in(visitor, "dario.verdi")
    token = site.token_of("dario")
    canaille.lock("dario.verdi")

    def is_out() -> bool:
        visitor.go("/hub/home")
        return visitor.page.url != f"{visitor.url}/hub/home"

    until(is_out, "the end of the sign-in", 60, pause=1)
    answer = site.start("dario", token=token)
    assert (answer.status, answer.message) == (403, "Your sign-in has ended. Sign in again.")
    assert site.live_jobs_of("dario") == []


def test_signing_out_ends_canailles_session(visitor: Visitor) -> None:
    page = visitor.page
    sign_in(visitor, "ada.lovelace")
    page.locator("#logout").click()
    page.wait_for_url(f"{visitor.url}/hub/login")
    page.locator(BUTTON).click()
    expect(page.locator("input[name=login]")).to_be_visible()


def test_without_canaille_people_work_on_and_when_it_is_back_they_sign_in(
    canaille: Canaille, visitor: Visitor, italian_visitor: Visitor
) -> None:
    sign_in(visitor, "ada.lovelace")
    canaille.stop()
    until(lambda: notices(visitor), "the hub to notice")
    italian_visitor.go("/hub/oauth_login")
    expect(italian_visitor.page.get_by_text("Il servizio di accesso al momento non risponde.")).to_be_visible()
    visitor.go("/hub/home")
    assert visitor.page.url == f"{visitor.url}/hub/home"
    # with new keys, as after a loss
    canaille.start()
    sign_in(italian_visitor, "carla.rossi")
    italian_visitor.page.wait_for_url(f"{visitor.url}/hub/spawn")
