"""How the pages look and can be used: narrow, by keyboard, heard instead of seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.site import PASSWORD, Site
from tests.support.visitor import WIDE, Visitor, fields_without_label

SMALLEST = 320
"""CSS pixels (WCAG 2.2, 1.4.10)."""


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


def test_a_chosen_profile_fits_a_phone_and_names_its_controls(visitor: Visitor) -> None:
    visitor.sign_in("ada")
    visitor.choose("general/pytorch")
    visitor.page.get_by_text("More choices").click()
    visitor.screenshot("look-hub-spawn-chosen")
    assert fields_without_label(visitor.page) == []


def test_all_packages_are_one_link_away_and_fit_a_phone(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/hub/hpchub/environment/agrifood")
    expect(page.locator("#login_submit")).to_be_visible()
    visitor.sign_in("ada")
    visitor.choose("agrifood/remote-sensing", cluster="it4lia", minutes="60")
    visitor.screenshot("look-versions")
    rasterio = page.locator(".hpchub-panel .hpchub-contents li", has_text="rasterio").locator("span").inner_text()
    page.get_by_role("link", name=re.compile(r"^All \d+ packages$")).click()
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="rasterio", exact=True))
    expect(row).to_contain_text(rasterio)
    visitor.screenshot("look-packages", [WIDE, SMALLEST])
    page.get_by_role("link", name="Back to the start page").first.click()
    expect(page.locator("#hpchub-chosen")).to_have_text("Remote sensing")
    expect(page.get_by_role("radio", name="IT4LIA AI system")).to_be_checked()
    visitor.go("/hub/hpchub/environment/no-such-environment")
    expect(page.get_by_text("There is no such environment.")).to_be_visible()


def test_a_search_shows_the_package_that_it_found(visitor: Visitor) -> None:
    visitor.sign_in("ada")
    visitor.go("/hub/spawn")
    visitor.page.get_by_role("searchbox").fill("shapely")
    expect(visitor.page.locator(".hpchub-found").first).to_contain_text(re.compile(r"^shapely \d"))
    visitor.screenshot("look-search-package")


def test_a_server_is_started_and_stopped_by_keyboard_alone(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/hub/login")
    expect(page.locator("[name=username]")).to_be_focused()
    page.keyboard.type("bruno")
    visitor.focus_on(page.get_by_label("Password", exact=True))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/hub/spawn**")
    visitor.press(page.locator("[data-profile='cybersecurity/log-analysis']").get_by_role("link"))
    visitor.press(page.get_by_text("More choices"))
    visitor.pick("cluster", "it4lia")
    visitor.press(page.locator("#hpchub-start"))
    visitor.wait_for_lab()
    assert site.session("bruno")["cluster"] == "it4lia"
    visitor.go("/hub/home")
    visitor.focus_on(page.get_by_role("button", name="Stop Notebook"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not running")).to_be_visible()
