"""How the pages look and can be used: narrow, by keyboard, heard instead of seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor, fields_without_label
from tests.support.site import PASSWORD, Site


@pytest.mark.parametrize("path", ["/hub/home", "/hub/spawn", "/hub/token", "/hub/user/carla/", "/hub/no-such-page"])
def test_a_page_fits_a_phone_and_names_its_controls(visitor: Visitor, path: str) -> None:
    visitor.sign_in("carla")
    visitor.go(path)
    visitor.screenshot(f"look-{path.strip('/').replace('/', '-')}")
    assert fields_without_label(visitor.page) == []


def test_a_page_that_does_not_exist_says_so_and_leads_back(visitor: Visitor) -> None:
    visitor.sign_in("carla")
    visitor.go("/hub/no-such-page")
    expect(visitor.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    visitor.page.locator("main").get_by_role("link", name="My sessions").click()
    expect(visitor.page.get_by_role("heading", name="My sessions")).to_be_visible()


def test_every_profile_opened_fits_a_phone_and_names_its_controls(visitor: Visitor) -> None:
    visitor.sign_in("ada")
    visitor.go("/hub/spawn")
    for summary in visitor.page.locator("[data-profile] > summary").all():
        summary.click()
    visitor.screenshot("look-hub-spawn-all-open")
    assert fields_without_label(visitor.page) == []


def test_a_server_is_started_and_stopped_by_keyboard_alone(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/hub/login")
    page.keyboard.type("bruno")
    visitor.focus_on(page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/hub/spawn**")
    card = page.locator("[data-profile='cybersecurity/log-analysis']")
    visitor.focus_on(card.locator("summary"))
    page.keyboard.press("Enter")
    visitor.focus_on(card.get_by_label("Cluster"))
    page.keyboard.type("IT4LIA")
    visitor.focus_on(card.get_by_role("button", name="Start"))
    page.keyboard.press("Enter")
    visitor.wait_for_lab()
    assert site.session("bruno")["cluster"] == "it4lia"
    visitor.go("/hub/home")
    visitor.focus_on(page.get_by_role("button", name="Stop Notebook"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not running")).to_be_visible()


def test_a_second_session_is_chosen_before_it_starts(site: Site, visitor: Visitor) -> None:
    visitor.sign_in("ada")
    visitor.go("/hub/home")
    visitor.page.get_by_text("One more at the same time").click()
    visitor.page.get_by_label("Its name").fill("Second try")
    visitor.page.get_by_role("button", name="Choose what to start").click()
    expect(visitor.page.get_by_role("heading", name="Start a notebook")).to_be_visible()
    assert site.live_jobs() == []
    card = visitor.page.locator("[data-profile='climate/weather-data']")
    card.locator("summary").click()
    card.get_by_role("button", name="Start").click()
    visitor.wait_for_lab()
    assert site.session("ada", "second-try")["profile"] == "climate/weather-data"
    visitor.go("/hub/home")
    visitor.screenshot("sessions-page-two")
    visitor.page.get_by_role("button", name="Stop Second try").click()
    visitor.page.get_by_role("button", name="Forget Second try").click()
    expect(visitor.page.get_by_text("Second try")).to_have_count(0)
