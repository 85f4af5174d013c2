"""Debian's Chromium for all journeys, and a person with a page of their own for each: fixtures that rings import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.site import Site
from tests.support.visitor import WIDE, Visitor

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",  # root, inside namespaces of its own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


def _visitor(browser: Browser, site: Site, javascript: bool = True, language: str = "en-GB") -> Iterator[Visitor]:
    context = browser.new_context(
        viewport={"width": WIDE, "height": 800}, color_scheme="light", java_script_enabled=javascript, locale=language
    )
    visitor = Visitor(context, site.url)
    yield visitor
    context.close()
    assert visitor.problems == [], visitor.problems


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Somebody who is not signed in."""
    yield from _visitor(browser, site)


@pytest.fixture
def italian_visitor(browser: Browser, site: Site) -> Iterator[Visitor]:
    """The same with a browser that asks for Italian."""
    yield from _visitor(browser, site, language="it-IT")


@pytest.fixture
def visitor_without_scripts(browser: Browser, site: Site) -> Iterator[Visitor]:
    """The same in a browser without JavaScript."""
    yield from _visitor(browser, site, javascript=False)
