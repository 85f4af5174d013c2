"""The demo with its provider of identities: real tokens of a certified provider, over real HTTP, in a real browser."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.signin.provider import Provider
from tests.support.chromium import browser, italian_visitor, visitor
from tests.support.site import Site
from tests.support.visitor import Visitor

__all__ = ["browser", "italian_visitor", "visitor"]


@pytest.fixture(scope="session")
def oidc_chosen() -> None:
    """What makes the demo one whose people sign in at a provider."""
    os.environ["HPCHUB_DEMO_AUTH"] = "oidc"


@pytest.fixture(scope="session")
def started_site(oidc_chosen: None, started_site: Site) -> Site:
    """The site of all rings, with that sign-in."""
    return started_site


@pytest.fixture
def provider(started_site: Site) -> Iterator[Provider]:
    """The provider, with the demo's people before and after each test."""
    found = Provider(started_site)
    people = found.people
    yield found
    found.people = people
    found.start()
    (started_site.folder / "hub" / "identities.json").write_text(json.dumps({}))


@pytest.fixture(params=["en", "it"])
def reader(request: pytest.FixtureRequest) -> tuple[Visitor, str]:
    """Somebody who reads one of the languages, and its tag."""
    language: str = request.param
    return request.getfixturevalue("visitor" if language == "en" else "italian_visitor"), language
