"""The start page with scripts: it is brought up to date where it stands, and its address always says what it shows."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until

LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"
"""What a browser says when somebody comes back to the page."""
MARK = "window.hpchubTestStays = true"
STAYS = "window.hpchubTestStays === true"
SUMMARY = "[data-live=summary]"


def test_search_finds_as_one_types_and_the_way_back_leads_back(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.go("/hub/spawn")
    page.evaluate(MARK)
    everything = visitor.profiles()
    page.get_by_role("searchbox").fill("data preparation")
    expect(page.get_by_text("1 profile has that")).to_be_visible()
    assert visitor.profiles() == ["general/data-preparation"]
    assert page.url.endswith("?search=data+preparation")
    page.locator("[data-profile] a").click()
    expect(page.get_by_role("heading", name="Data preparation").first).to_be_focused()
    expect(page.locator("[data-live=again]")).to_have_count(0)
    page.go_back()
    expect(page.locator("[data-chosen]")).to_have_count(0)
    assert visitor.profiles() == ["general/data-preparation"]
    page.get_by_role("searchbox").fill("")
    until(lambda: visitor.profiles() == everything, "all profiles to be back")
    page.get_by_role("link", name="General", exact=True).click()
    expect(page.locator("[data-live=cards] h3")).to_have_text(["General"])
    assert page.evaluate(STAYS), "the page was loaded again"


def test_what_is_picked_is_in_the_address_and_in_the_price(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.choose("agrifood/remote-sensing")
    page.evaluate(MARK)
    expect(page.locator(SUMMARY)).to_contain_text("2 h × 1 GPU = 16 core-hours")
    page.get_by_label("4 GPUs").check()
    expect(page.locator(SUMMARY)).to_contain_text("2 h × 4 GPUs = 64 core-hours")
    slider = page.get_by_role("slider", name="How long")
    slider.press("End")
    expect(page.locator(SUMMARY)).to_contain_text("12 h × 4 GPUs = 384 core-hours")
    expect(slider).to_have_attribute("aria-valuetext", "12 h")
    expect(slider).to_be_focused()
    assert page.evaluate(STAYS), "the page was loaded again"
    page.reload()
    expect(page.locator(SUMMARY)).to_contain_text("12 h × 4 GPUs = 384 core-hours")
    assert "_xsrf" not in page.url


def test_news_disturb_nobody_who_is_choosing(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.choose("general/pytorch", allocation="aifac_agri01")
    page.evaluate(MARK)
    page.get_by_text("More choices").click()
    visitor.pick("cluster", "it4lia")
    site.run("bruno", {"profile": "general/pytorch", "cluster": "it4lia", "size": "small"})

    def is_told() -> bool:
        page.evaluate(LOOK_AGAIN)
        return page.get_by_text("NVIDIA GB200, 7 free now").is_visible()

    until(is_told, "the page to say that a GPU less is free", 60)
    expect(page.get_by_label("IT4LIA AI system (demo)")).to_be_focused()
    expect(page.locator("[data-chosen] details")).to_have_attribute("open", "")
    assert page.evaluate(STAYS), "the page was loaded again"


def test_a_link_to_the_choice_is_copied(visitor: Visitor) -> None:
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.sign_in("ada")
    visitor.choose("agrifood/remote-sensing", size="large", minutes="60", cluster="it4lia")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    path = "/hub/spawn?profile=agrifood/remote-sensing&allocation=aifac_agri01&cluster=it4lia&size=large&minutes=60"
    assert copied == f"{visitor.url}{path}"


def test_a_refused_start_leaves_everything_as_it_was_picked(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.choose("agrifood/remote-sensing", size="medium", cluster="it4lia")
    add_a_time(page, "100000")
    page.locator("#hpchub-start").click()
    expect(page.get_by_role("alert")).to_contain_text("minutes are too many")
    expect(page.get_by_label("2 GPUs")).to_be_checked()
    expect(page).to_have_url(re.compile(r"/hub/spawn\?.*cluster=it4lia.*size=medium"))
    page.get_by_label("1 GPU").check()
    expect(page.get_by_role("alert")).to_have_count(0)


def add_a_time(page: Page, minutes: str) -> None:
    """Let the form say what the page does not offer, as after a change of the profile."""
    page.locator("#hpchub-minutes").evaluate(
        "(select, minutes) => { select.add(new Option(minutes, minutes)); select.value = minutes; }", minutes
    )


def test_without_scripts_the_price_is_shown_on_request(visitor_without_scripts: Visitor) -> None:
    page = visitor_without_scripts.page
    visitor_without_scripts.sign_in("ada")
    visitor_without_scripts.choose("agrifood/remote-sensing")
    page.get_by_label("4 GPUs").check()
    page.get_by_role("combobox", name="How long").select_option("60")
    page.get_by_role("button", name="Show what this costs").click()
    expect(page.locator(SUMMARY)).to_contain_text("1 h × 4 GPUs = 32 core-hours")
    assert "size=large&minutes=60" in page.url and "_xsrf" not in page.url
