"""Everybody can use the pages: axe-core judges each of them by WCAG 2.2 AA, light and dark, in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.faults import closed_nodes, settings_that_end_the_server
from tests.support.access import SMALLEST, judge, violations
from tests.support.site import Site
from tests.support.trouble import silent
from tests.support.visitor import WIDE, Visitor


def test_the_sign_in_page(visitor: Visitor) -> None:
    visitor.go("/hub/login")
    judge(visitor, "access-sign-in")


def test_the_sign_in_page_in_italian(italian_visitor: Visitor) -> None:
    italian_visitor.go("/hub/login")
    judge(italian_visitor, "access-sign-in-it")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/hub/home", "home"),
        ("/hub/spawn", "start"),
        ("/hub/spawn?profile=general/pytorch&qos=normal", "start-chosen"),
        ("/hub/spawn?search=no-such-word&profile=no/such-profile", "start-nothing-found"),
        ("/hub/hpchub/environment/agrifood?cluster=leonardo", "packages"),
        ("/hub/hpchub/me", "me"),
        ("/hub/user/carla/", "no-notebook"),
        ("/hub/no-such-page", "no-page"),
        ("/hub/spawn/ada", "forbidden"),
    ],
)
def test_a_page_of_somebody_without_sessions(visitor: Visitor, path: str, name: str) -> None:
    visitor.sign_in("carla")
    visitor.go(path)
    visitor.page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    judge(visitor, f"access-{name}")


@pytest.mark.parametrize(("path", "name"), [("/hub/token", "tokens"), ("/hub/admin", "administration")])
def test_the_frame_around_jupyterhubs_own_pages(visitor: Visitor, path: str, name: str) -> None:
    visitor.sign_in("admin")
    visitor.go(path)
    expect(visitor.page.locator("main button").first).to_be_visible()
    judge(visitor, f"access-{name}")


def test_the_page_of_a_session_that_stops(site: Site, visitor: Visitor) -> None:
    visitor.sign_in("carla")
    with closed_nodes(site):
        visitor.press_start("general/pytorch", cluster="leonardo")
        # the controller cancels nothing, so the session is stopping for a while
        with silent(site):
            visitor.page.get_by_role("button", name="Stop").click()
            expect(visitor.page.get_by_role("heading", name="Your notebook is stopping")).to_be_visible()
            judge(visitor, "access-stopping")
        visitor.reason("The session was stopped.")


def test_pages_without_scripts_are_dark_where_the_system_is(visitor: Visitor) -> None:
    page = visitor.page
    # axe-core is a script itself, so it is ours that are kept out
    page.route("**/hub/hpchub/static/**/*.js", lambda route: route.abort())
    visitor.sign_in("carla")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    for path, name in (
        ("/hub/spawn", "start"),
        ("/hub/spawn?profile=general/pytorch", "start-chosen"),
        ("/hub/home", "home"),
        ("/hub/no-such-page", "no-page"),
    ):
        visitor.go(path)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(33, 37, 41)"
        assert violations(page) == []
        visitor.screenshot(f"access-without-scripts-{name}-dark", [WIDE, SMALLEST])


def test_the_pages_of_a_session_in_italian(site: Site, italian_visitor: Visitor) -> None:
    visitor, page = italian_visitor, italian_visitor.page
    visitor.sign_in("bruno")
    judge(visitor, "access-start-it")
    visitor.go("/hub/spawn?profile=cybersecurity/log-analysis")
    judge(visitor, "access-start-chosen-it")
    with closed_nodes(site), settings_that_end_the_server(site, "bruno"):
        visitor.press_start("cybersecurity/log-analysis", cluster="leonardo")
        expect(page.locator("[aria-current=step]")).to_contain_text("In coda")
        page.get_by_text("Dettagli").click()
        judge(visitor, "access-waiting-it")
        page.goto(f"{visitor.url}/hub/home")
        judge(visitor, "access-home-it")
    with settings_that_end_the_server(site, "bruno"):
        visitor.go("/hub/spawn-pending/bruno")
        expect(page.locator("#hpchub-reason")).to_be_visible()
        judge(visitor, "access-failed-it")
        page.get_by_role("link", name="Mostra il log").click()
        judge(visitor, "access-log-it")
