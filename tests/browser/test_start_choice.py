"""Choosing what to start: for the first time, again, another allocation, two at once, from a link."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = pytest.mark.usefixtures("small_servers")

LINK = "/hub/spawn?profile=climate/weather-data&allocation=aifac_clima01&cluster=it4lia&size=small&minutes=60"
NONSENSE = (
    "/hub/spawn?profile=agrifood/remote-sensing&allocation=<script>document.title=1</script>&cluster=moon&size=huge"
    "&minutes=-3&qos=../../etc&unknown=1"
)


def summary(page: Page) -> str:
    """What the choice comes to, as the page says it."""
    return page.locator("[data-live=summary]").inner_text()


def test_somebody_new_begins_with_one_click_in_italian(site: Site, italian_visitor: Visitor) -> None:
    visitor, page = italian_visitor, italian_visitor.page
    visitor.sign_in("seat07")
    expect(page.get_by_role("heading", name="Avvia un notebook")).to_be_visible()
    visitor.screenshot("start-first-it")
    page.locator("#hpchub-again-1").click()
    page.wait_for_url("**/hub/spawn-pending/seat07**")
    visitor.screenshot("start-first-waiting-it")
    visitor.wait_for_notebook()
    visitor.go("/hub/home")
    expect(page.get_by_text("In esecuzione")).to_be_visible()
    visitor.screenshot("start-first-home-it")
    assert site.session("seat07")["account"] == "tra26_hack"


def test_another_allocation_and_a_longer_time_change_the_price(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.go("/hub/spawn")
    visitor.press(page.locator("[data-profile='general/pytorch']").get_by_role("link"))
    visitor.pick("allocation", "aifac_agri01")
    expect(page.locator("[data-live=summary]")).to_contain_text("of what is left")
    of_the_first = summary(page)
    visitor.pick("allocation", "aifac_clima01")
    expect(page.locator("[data-live=summary]")).not_to_have_text(of_the_first, use_inner_text=True)
    of_the_second = summary(page)
    visitor.screenshot("start-other-allocation")
    slider = page.get_by_role("slider", name="How long")
    visitor.focus_on(slider)
    page.keyboard.press("Home")
    expect(page.locator("[data-live=summary]")).not_to_have_text(of_the_second, use_inner_text=True)
    visitor.press(page.locator("#hpchub-start"))
    visitor.wait_for_notebook()
    session = site.session("ada")
    assert session["account"] == "aifac_clima01"
    assert session["minutes"] < 120


def test_two_notebooks_with_names_run_on_two_clusters_side_by_side(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    clusters: dict[str, str] = {}
    for name, cluster in (("Crop maps", "leonardo"), ("Second try", "it4lia")):
        visitor.go("/hub/home")
        visitor.press(page.get_by_text("One more at the same time"))
        visitor.focus_on(page.get_by_label("Its name"))
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Start a notebook")).to_be_visible()
        expect(page.get_by_text(f"Session {name}")).to_be_visible()
        assert len(site.live_jobs()) == len(clusters)
        page.goto(f"{page.url}?profile=agrifood/remote-sensing&cluster={cluster}")
        visitor.press(page.locator("#hpchub-start"))
        visitor.wait_for_notebook()
        server = name.lower().replace(" ", "-")
        clusters[server] = site.session("ada", server)["cluster"]
    assert clusters == {"crop-maps": "leonardo", "second-try": "it4lia"}
    visitor.go("/hub/home")
    expect(page.locator("[data-state=running]")).to_have_count(2)
    visitor.screenshot("start-two-side-by-side")
    visitor.press(page.get_by_role("button", name="Stop Second try"))
    visitor.press(page.get_by_role("button", name="Forget Second try"))
    expect(page.get_by_text("Second try")).to_have_count(0)
    expect(page.locator("[data-state=running]")).to_have_count(1)


def test_a_link_fills_the_page_and_starts_nothing(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # whoever follows it may have to sign in first
    visitor.go(f"/hub/login?next={quote(LINK)}")
    visitor.type_password("ada", "demo")
    expect(page.locator("#hpchub-chosen")).to_have_text("Weather data")
    expect(page.get_by_role("radio", name="IT4LIA AI system")).to_be_checked()
    visitor.screenshot("start-link")
    assert site.live_jobs() == []
    visitor.press(page.get_by_role("button", name="Copy link"))
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{visitor.url}{LINK}"
    assert site.live_jobs() == []
    visitor.press(page.locator("#hpchub-start"))
    visitor.wait_for_notebook()
    session = site.session("ada")
    assert (session["cluster"], session["account"], session["minutes"]) == ("it4lia", "aifac_clima01", 60)


def test_a_link_with_nonsense_is_answered_calmly(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    visitor.go(NONSENSE)
    expect(page.get_by_text("What is nearest to it is selected")).to_be_visible()
    expect(page.locator("#hpchub-start")).to_be_enabled()
    visitor.screenshot("start-link-nonsense")
    for profile in ("no/such-profile", "cybersecurity/log-analysis", "<script>alert(1)</script>", "x" * 500):
        visitor.go(f"/hub/spawn?profile={quote(profile)}")
        expect(page.get_by_role("heading", name="Start a notebook")).to_be_visible()
        expect(page.locator("[data-live=banners]")).not_to_be_empty()
    visitor.screenshot("start-link-to-no-profile")
    assert site.live_jobs() == []


def test_without_scripts_everything_can_be_chosen_and_started_again(
    site: Site, visitor_without_scripts: Visitor
) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    visitor.sign_in("ada")
    visitor.go("/hub/spawn")
    page.get_by_role("searchbox").fill("pytorch")
    page.get_by_role("button", name="Search").click()
    page.locator("[data-profile='general/pytorch']").get_by_role("link").click()
    page.locator("[name=allocation][value=aifac_clima01]").check()
    page.locator("select[name=minutes]").select_option("60")
    before = summary(page)
    page.get_by_role("button", name="Show what this costs").click()
    expect(page.locator("[name=allocation][value=aifac_clima01]")).to_be_checked()
    assert summary(page) != before
    visitor.screenshot("start-without-scripts")
    assert site.live_jobs() == []
    page.locator("#hpchub-start").click()
    expect(page.get_by_role("link", name="Look again now")).to_be_visible()
    visitor.screenshot("start-without-scripts-waiting")
    visitor.wait_for_notebook()
    first = site.session("ada")
    assert (first["account"], first["minutes"]) == ("aifac_clima01", 60)
    visitor.go("/hub/home")
    page.get_by_role("button", name="Stop Notebook").click()
    expect(page.get_by_text("Not running")).to_be_visible()
    page.get_by_role("link", name="Start Notebook").click()
    page.locator("#hpchub-again-1").click()
    visitor.wait_for_notebook()
    assert site.session("ada")["account"] == "aifac_clima01"
