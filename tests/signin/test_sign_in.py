"""A person signs in at a real provider, stays known while it is away, and is gone when it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.signin.browser import Browser, said
from tests.signin.kept import kept_tokens
from tests.signin.provider import Provider
from tests.support.choices import ADA
from tests.support.site import Site
from tests.support.wait import until

REFRESH_SECONDS = 10


def of(site: Site, name: str) -> dict[str, Any]:
    return dict(site.api("GET", f"/users/{name}").json)


def test_a_person_signs_in_and_is_who_the_provider_says(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    assert browser.fetch("/hub/login").status == 200
    page = browser.sign_in("ada")
    assert (page.status, page.url) == (200, f"{site.url}/hub/spawn")
    found = of(site, "ada")
    assert (found["groups"], found["admin"]) == (["hpc"], False)


def test_roles_come_from_groups(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("carla")
    assert sorted(of(site, "carla")["groups"]) == ["course-teachers", "hpc", "trainers"]
    Browser(site.url).sign_in("admin")
    assert of(site, "admin")["admin"] is True
    provider.set_claims("carla", groups=["hpc", "hub-admins"])
    Browser(site.url).sign_in("carla")
    assert (of(site, "carla")["groups"], of(site, "carla")["admin"]) == (["hpc", "hub-admins"], True)


def test_who_is_no_administrator_any_more_has_no_rights_of_one_by_an_api_token(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("admin")
    token = site.token_of("admin")
    assert site.api("GET", "/users", token=token).status == 200
    provider.set_claims("admin", groups=["hpc"])
    refused = "the users' list to be refused"
    until(lambda: site.api("GET", "/users", token=token).status == 403, refused, REFRESH_SECONDS + 60, pause=1)


def test_the_event_log_says_who_came_in_and_why_somebody_did_not(site: Site, provider: Provider) -> None:
    log = site.folder / "hub" / "events.jsonl"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    provider.set_claims("mallory", preferred_username="root")
    Browser(site.url).sign_in("mallory")
    Browser(site.url).sign_in("admin")
    events = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    said_of_them = [{name: value for name, value in each.items() if name[:2] != "__"} for each in events]
    assert said_of_them == [
        {"action": "refused", "reason": "system-account"},
        {"action": "signed-in", "username": "admin", "admin": True},
    ]


def test_the_button_names_the_provider_in_the_readers_language(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    assert "Sign in with the demo&#39;s login" in browser.fetch("/hub/login").source
    browser.fetch("/hub/hpchub/language/it?next=/hub/login")
    assert "Accedi con il login della demo" in browser.fetch("/hub/login").source


def test_a_wrong_password_ends_at_the_provider(site: Site, provider: Provider) -> None:
    page = Browser(site.url).sign_in("ada", "wrong")
    assert page.status == 403
    assert "do not belong together" in page.source


def test_who_wanted_a_page_gets_to_it(site: Site, provider: Provider) -> None:
    assert Browser(site.url).sign_in("ada", next_url="/hub/token").url == f"{site.url}/hub/token"


def test_a_group_that_is_taken_away_is_gone_without_signing_in_again(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.sign_in("bruno")
    provider.set_claims("bruno", groups=["hpc", "new"])

    def groups() -> list[str]:
        assert browser.fetch("/hub/home").url == f"{site.url}/hub/home"
        return sorted(of(site, "bruno")["groups"])

    until(lambda: groups() == ["hpc", "new"], "the new group", REFRESH_SECONDS + 60, pause=1)
    provider.set_claims("bruno", groups=None)
    until(lambda: groups() == [], "no group", REFRESH_SECONDS + 60, pause=1)


def test_somebody_whom_the_provider_no_longer_knows_starts_nothing(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.sign_in("dario")
    token = site.token_of("dario")
    provider.remove("dario")
    home = f"{site.url}/hub/home"
    until(lambda: browser.fetch("/hub/home").url != home, "the end of the sign-in", REFRESH_SECONDS + 60, pause=1)
    answer = site.start("dario", token=token)
    assert (answer.status, answer.message) == (403, "Your sign-in has ended. Sign in again.")
    assert site.live_jobs_of("dario") == []


def test_without_the_provider_people_work_on_and_nobody_new_comes_in(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.sign_in("ada")
    provider.stop()
    site.run("ada", ADA)
    assert browser.fetch("/hub/home").url == f"{site.url}/hub/home"
    newcomer = Browser(site.url).sign_in("bruno")
    assert newcomer.status == 503
    assert said(newcomer) == "The sign-in service does not answer at the moment."
    provider.start()
    assert Browser(site.url).sign_in("bruno").url == f"{site.url}/hub/spawn"


def test_signing_out_ends_the_providers_session_too(site: Site, provider: Provider) -> None:
    browser = Browser(site.url)
    browser.sign_in("ada")
    known = browser.fetch("/hub/oauth_login")
    assert known.url == f"{site.url}/hub/spawn", "the provider's session lets people in without a password"
    asks = browser.fetch("/hub/logout")
    assert "/session/end" in asks.url
    action, secret = _form(asks.source)
    page = browser.fetch(action, {"xsrf": secret, "logout": "yes"})
    assert page.url.startswith(f"{site.url}/hub/login")
    assert "/interaction/" in browser.fetch("/hub/oauth_login").url, "the password is asked for again"


def _form(source: str) -> tuple[str, str]:
    action = source.split('action="', 1)[1].split('"', 1)[0]
    return action, source.split('name="xsrf" value="', 1)[1].split('"', 1)[0]


def test_the_hub_writes_no_token_no_code_and_no_claim_into_its_log(site: Site, provider: Provider) -> None:
    marks = {"name": "Unmistakable Person", "eduperson_assurance": ["https://example.org/unmistakable"]}
    provider.set_claims("u-n-mistakable", preferred_username="ada", **marks)
    provider.set_claims("u-n-refused", preferred_username="root", **marks)
    browsers = [Browser(site.url) for _ in range(3)]
    for browser, name in zip(browsers, ("u-n-mistakable", "u-n-refused", "bruno"), strict=True):
        browser.sign_in(name)
    written = site.log() + (site.folder / "hub" / "events.jsonl").read_text()
    secrets = [*_query_values(browsers), *kept_tokens(site, "ada"), "eyJ", "nmistakable", "u-n-refused"]
    secrets.append((site.folder / "hub" / "secrets" / "oidc-client-secret").read_text())
    assert [secret for secret in secrets if secret in written] == []


def _query_values(browsers: list[Browser]) -> Iterator[str]:
    for browser in browsers:
        for url in browser.visited:
            for word in url.partition("?")[2].split("&"):
                name, _, value = word.partition("=")
                if name in ("code", "state", "nonce", "code_challenge"):
                    yield value
