"""What stands between a person and a notebook: a full queue, a job that dies, a silent Slurm, a spent budget.

Buttons are pressed by keyboard alone, so that these ways are open to everybody.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.faults import CLIMATE_CORE_HOURS, closed_nodes, crowded, settings_that_end_the_server, spent
from tests.support.site import Site
from tests.support.trouble import answers, silent
from tests.support.visitor import SCREENSHOTS, Visitor
from tests.support.wait import until

small = pytest.mark.usefixtures("small_servers")
"""Where the notebook is not what is looked at."""

ADA = {"cluster": "leonardo", "allocation": "aifac_agri01"}
SILENCE_SECONDS = 90
"""Until the hub has noticed that Slurm is silent or is back, when two others have work for the same cores."""


@small
def test_a_smaller_size_starts_now_where_the_queue_is_full(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with crowded(site):
        visitor.press_start("agrifood/remote-sensing", size="medium", **ADA)
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        expect(page.get_by_text("Place 1 of 1 in the queue.")).to_be_visible()
        expect(page.get_by_text("There is room now for 1 GPU, 8 cores")).to_be_visible()
        visitor.screenshot("start-queue-full")
        waited = site.session("ada")
        visitor.press(page.get_by_role("button", name="Change to that"))
        visitor.wait_for_notebook()
        started = site.session("ada")
    assert site.job(waited)["JobState"] == "CANCELLED"
    assert (waited["gpus"], started["gpus"], started["cluster"]) == (2, 1, "leonardo")


@small
def test_what_was_stopped_in_the_queue_is_started_again(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", **ADA)
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        expect(page.locator("[data-live=news]")).to_contain_text("are in use, reserved or out of service")
        expect(page).to_have_title("⏳ 1 of 1 in the queue – IT4LIA notebooks (demo)")
        visitor.screenshot("start-queued")
        visitor.press(page.get_by_role("button", name="Stop"))
        visitor.reason("The session was stopped.")
        # it never ran, so there is nothing to read
        expect(page.get_by_role("link", name="Show the log")).to_have_count(0)
        visitor.screenshot("start-stopped-in-the-queue")
        until(lambda: not site.live_jobs(), "the job to be gone")
    visitor.press(page.get_by_role("link", name="Start again"))
    visitor.press(page.locator("#hpchub-again-1"))
    visitor.wait_for_notebook()


def test_a_server_that_dies_leaves_its_log_and_a_way_to_start_again(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with settings_that_end_the_server(site, "ada"):
        visitor.press_start("agrifood/remote-sensing", **ADA)
        visitor.reason("The notebook server ended by itself")
        expect(page.get_by_role("heading", name="Your notebook did not start")).to_be_visible()
        visitor.screenshot("start-server-died")
        visitor.press(page.get_by_role("link", name="Show the log"))
        expect(page.get_by_role("heading", name="The end of the session’s log")).to_be_visible()
        expect(page.locator("pre")).to_contain_text("<script>document.title='taken over'</script> stops here")
        visitor.screenshot("start-server-died-log")
    visitor.press(page.locator("main").get_by_role("link", name="My sessions"))
    visitor.press(page.get_by_role("link", name="Start Notebook"))
    visitor.press(page.locator("#hpchub-again-1"))
    visitor.wait_for_lab()


@small
def test_while_slurm_is_silent_the_pages_say_so_and_go_on_by_themselves(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    until(lambda: answers(site), "both clusters to answer", SILENCE_SECONDS)
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", **ADA)
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        with silent(site):
            until(lambda: not answers(site), "the hub to notice", SILENCE_SECONDS)
            expect(page.get_by_text("nothing is lost, and this page goes on by itself")).to_be_visible()
            visitor.screenshot("start-waiting-slurm-silent")
            second = page.context.new_page()
            second.goto(f"{visitor.url}/hub/spawn/ada/other?profile=agrifood/remote-sensing&cluster=leonardo")
            expect(second.get_by_role("main")).to_contain_text("Slurm on leonardo has not answered since")
            second.screenshot(path=SCREENSHOTS / "start-spawn-slurm-silent.png", full_page=True)
            second.close()
        until(lambda: answers(site), "Slurm to be back", SILENCE_SECONDS)
    visitor.wait_for_notebook()


def test_a_spent_allocation_is_there_with_its_reason_and_cannot_be_picked(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with spent(site, "aifac_clima01", CLIMATE_CORE_HOURS):
        visitor.go("/hub/spawn?profile=general/pytorch&allocation=aifac_clima01")
        pays = page.get_by_role("group", name="Who pays")
        expect(pays.locator("[value=aifac_clima01]")).to_be_disabled()
        expect(pays).to_contain_text("The budget of aifac_clima01 on")
        expect(pays.locator("[value=aifac_agri01]")).to_be_checked()
        # the link's own allocation is said to be impossible, and nothing worse happens
        expect(page.get_by_text("What is nearest to it is selected")).to_be_visible()
        visitor.screenshot("start-budget-spent")
        visitor.go("/hub/spawn")
        closed = page.locator("[data-profile='climate/weather-data']")
        expect(closed).to_contain_text("is used up")
        assert closed.get_by_role("link").count() == 0
        visitor.screenshot("start-budget-spent-list")
