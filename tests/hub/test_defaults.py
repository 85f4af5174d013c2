"""What starts when nothing is chosen: the last accepted choice, never a refused one; and how many may run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.unharmed import nothing_starts
from tests.support.form import FormSession
from tests.support.site import Answer, Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

SITE_DEFAULT = ("agrifood/remote-sensing", "aifac_agri01", 120)
ACCEPTED = {"profile": "general/data-preparation", "allocation": "aifac_agri01", "size": "small", "minutes": 30}
LAST = ("general/data-preparation", "aifac_agri01", 30)
REFUSED = {"profile": "agrifood/wine"}
SENTENCE = "Profile 'agrifood/wine' is not known."


def started(site: Site, body: Any = None, server: str = "") -> tuple[str, str, int]:
    """Start a server of ada's; say what it is, and stop it."""
    session = site.run("ada", body, server)
    stop(site, server)
    return session["profile"], session["account"], session["minutes"]


def stop(site: Site, server: str = "") -> None:
    assert site.api("DELETE", site.server_path("ada", server)).status in (202, 204)
    until(lambda: not site.server("ada", server).get("pending"), "ada's server to be stopped")


def refused_by_rest(site: Site) -> None:
    answer = site.start("ada", REFUSED)
    assert answer.status == 400
    assert SENTENCE in answer.message


def refused_by_form(site: Site) -> None:
    page = FormSession(site.url, "ada").choose(REFUSED)
    assert page.status == 400
    assert SENTENCE in page.alert


def stored_by_patch(site: Site) -> None:
    assert site.api("PATCH", site.server_path("ada"), {"user_options": REFUSED}).status == 200
    # What PATCH has stored is refused when it is started, and forgotten.
    answer = site.start("ada")
    assert answer.status == 400
    assert SENTENCE in answer.message


@pytest.mark.parametrize("refused", [refused_by_rest, refused_by_form, stored_by_patch])
def test_a_refused_choice_is_not_the_next_default(site: Site, refused: Callable[[Site], None]) -> None:
    assert started(site, ACCEPTED) == LAST
    with nothing_starts(site, "ada"):
        refused(site)
    assert started(site) == LAST


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(None, LAST, id="no body"),
        pytest.param({}, LAST, id="empty body"),
        pytest.param({"user_options": None}, LAST, id="options null"),
        pytest.param({"user_options": {}}, SITE_DEFAULT, id="empty options"),
    ],
)
def test_what_starts_without_a_choice(site: Site, body: Any, expected: tuple[str, str, int]) -> None:
    assert started(site, ACCEPTED) == LAST
    assert started(site, body) == expected


def test_a_server_made_by_put_with_a_bad_choice_does_not_start(site: Site) -> None:
    path = site.server_path("ada", "made")
    assert site.api("PUT", path, {"user_options": REFUSED}).status == 201
    try:
        with nothing_starts(site, "ada"):
            answer = site.start("ada", server="made")
        assert answer.status == 400
        assert SENTENCE in answer.message
        assert started(site, server="made") == SITE_DEFAULT
    finally:
        site.api("DELETE", path, {"remove": True})


def test_a_form_that_is_an_offer_starts_it(site: Site) -> None:
    browser = FormSession(site.url, "ada")
    # What the other tests rely on: a start does not escape their notice.
    with pytest.raises(AssertionError), nothing_starts(site, "ada"):
        page = browser.choose(ACCEPTED)
    assert page.url.startswith(f"{site.url}/hub/spawn-pending/ada") or page.url.startswith(f"{site.url}/user/ada")
    session = site.ready("ada")
    assert (session["profile"], session["account"], session["minutes"]) == LAST


def test_the_fourth_session_of_a_person_is_refused(site: Site) -> None:
    answers: list[Answer] = [site.start("ada", ACCEPTED, name) for name in ("", "one", "two")]
    assert {answer.status for answer in answers} <= {201, 202}
    with nothing_starts(site, "ada"):
        fourth = site.start("ada", ACCEPTED, "three")
    assert fourth.status == 400
    assert fourth.message == "You have 3 sessions, and 3 is the most. Stop one first: one, the default server, two."
    page = FormSession(site.url, "ada").choose(ACCEPTED, "three")
    assert (page.status, page.alert) == (400, fourth.message)
