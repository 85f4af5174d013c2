"""Temporary seats beside a provider of identities, which knows nothing of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.signin.browser import said
from tests.signin.provider import Provider
from tests.support.audit import events
from tests.support.seats import Guest, Lender, alert, new_code
from tests.support.site import Site
from tests.support.wait import until

SEAT, BOUND = "seat33", "seat34"


@pytest.fixture
def lender(site: Site, provider: Provider) -> Iterator[Lender]:
    """Whoever lends accounts; they are ordinary ones again afterwards."""
    found = Lender(site)
    yield found
    found.end()
    until(lambda: found.hand_over(SEAT)[0] == 204, f"{SEAT} to be handed over", 120, pause=2)


def test_the_provider_is_not_asked_about_a_seat(site: Site, provider: Provider, lender: Lender) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    provider.stop()
    guest = Guest(site.url)
    guest.take(code)
    since = len(site.log())
    until(lambda: guest.who == SEAT and f"Refreshing auth for {SEAT}" in site.log(since), "a refresh", 90, pause=1)
    assert guest.who == SEAT
    page = guest.fetch("/hub/logout")
    assert page.url.startswith(site.url), "nobody is sent to the provider to sign out"
    assert guest.who == ""


def test_an_account_that_is_lent_takes_nobody_from_the_provider(site: Site, provider: Provider, lender: Lender) -> None:
    lender.lend({SEAT: new_code()})
    guest = Guest(site.url)
    page = guest.sign_in(SEAT)
    assert page.status == 403
    assert said(page) == "This account is lent as a seat of an event; only the seat's card opens it."
    assert (events(site, "sign-in")[-1]["action"], events(site, "sign-in")[-1]["reason"]) == ("refused", "seat")
    assert SEAT not in (site.folder / "hub" / "identities.json").read_text()


def test_an_account_that_is_somebody_s_own_is_not_lent(site: Site, provider: Provider, lender: Lender) -> None:
    Guest(site.url).sign_in(BOUND)
    code = new_code()
    lender.lend({BOUND: code})
    page = Guest(site.url).show(code)
    assert alert(page).startswith("The account of this seat is not one that this service may lend.")


def test_an_event_that_ends_leaves_nobody_in_its_seats(site: Site, provider: Provider, lender: Lender) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    guest = Guest(site.url)
    guest.take(code)
    token = site.token_of(SEAT)
    assert guest.who == SEAT
    lender.end()
    until(lambda: site.api("GET", "/user", token=token).status == 403, "the token to be dead", 60)
    assert guest.who == ""
    assert guest.sign_in(SEAT).status == 403, "the files are the seat's until they are gone"
    until(lambda: lender.hand_over(SEAT)[0] == 204, "the account to be handed over", 120, pause=2)
    other = Guest(site.url)
    other.sign_in(SEAT)
    assert other.who == SEAT
