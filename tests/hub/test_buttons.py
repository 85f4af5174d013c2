"""What the pages' buttons do is done for one's own servers only, and only by the hub's own forms."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.form import FormSession
from tests.support.site import Site

ACTIONS = ("stop/ada", "forget/ada/second", "rename/ada/second", "another/ada", "change/ada/second")


@pytest.fixture
def with_second(site: Site) -> Iterator[Site]:
    """Ada has a second server, which does not run."""
    page = FormSession(site.url, "ada").post("/hub/hpchub/another/ada", {"name": "Second"})
    assert page.url.endswith("/hub/spawn/ada/second")
    yield site
    site.api("DELETE", site.server_path("ada", "second"), {"remove": True})


def servers(site: Site) -> dict[str, str]:
    """The names that ada's servers have, and what she calls them."""
    found = site.api("GET", "/users/ada?include_stopped_servers").json["servers"]
    return {name: server.get("display_name") or "" for name, server in found.items() if name}


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_presses_the_buttons_of_others(with_second: Site, action: str) -> None:
    before = servers(with_second)
    page = FormSession(with_second.url, "bruno").post(f"/hub/hpchub/{action}", {"name": "mine now"})
    assert page.status in (403, 404)
    assert servers(with_second) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_form_of_another_site_does_nothing(with_second: Site, action: str) -> None:
    ada = FormSession(with_second.url, "ada")
    before = servers(with_second)
    request = urllib.request.Request(f"{with_second.url}/hub/hpchub/{action}", b"name=taken", method="POST")
    assert ada._ask(request).status == 403
    assert servers(with_second) == before


def test_a_server_is_named_again_and_forgotten(with_second: Site) -> None:
    ada = FormSession(with_second.url, "ada")
    assert servers(with_second) == {"second": "Second"}
    ada.post("/hub/hpchub/rename/ada/second", {"name": "  The   other\n"})
    assert servers(with_second) == {"second": "The other"}
    ada.post("/hub/hpchub/rename/ada/second", {"name": ""})
    assert servers(with_second) == {"second": "second"}
    ada.post("/hub/hpchub/forget/ada/second", {})
    assert servers(with_second) == {}


def test_two_servers_with_the_same_name_are_two(with_second: Site) -> None:
    ada = FormSession(with_second.url, "ada")
    assert ada.post("/hub/hpchub/another/ada", {"name": "Second"}).url.endswith("/hub/spawn/ada/second-2")
    assert servers(with_second) == {"second": "Second", "second-2": "Second"}
    ada.post("/hub/hpchub/forget/ada/second-2", {})


def test_the_language_cookie_is_the_hubs_alone(site: Site) -> None:
    ada = FormSession(site.url, "ada")
    page = ada.fetch("/hub/hpchub/language/it?next=https://evil.example/")
    assert page.url == f"{site.url}/hub/home"
    assert '<html lang="it">' in page.source
    (cookie,) = (cookie for cookie in ada.cookies if cookie.name == "hpchub-language")
    assert (cookie.value, cookie.path) == ("it", "/hub/")
    assert ada.fetch("/hub/hpchub/language/xx").status == 404


def test_what_cannot_be_done_is_said_in_the_reader_s_language(site: Site) -> None:
    ada = FormSession(site.url, "ada")
    assert "There is no such session." in ada.post("/hub/hpchub/stop/ada/nothing", {}).source
    ada.fetch("/hub/hpchub/language/it")
    page = ada.post("/hub/hpchub/stop/ada/nothing", {})
    assert (page.status, "Questa sessione non esiste." in page.source) == (404, True)
    log = ada.fetch("/hub/hpchub/log/" + "0" * 32)
    assert (log.status, "Questa sessione non esiste." in log.source) == (404, True)
