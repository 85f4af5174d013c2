"""The ways to a running notebook in a browser without JavaScript: the same as with it, by links and forms alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.faults import CLIMATE_CORE_HOURS, closed_nodes, crowded, settings_that_end_the_server, spent
from tests.support.site import Site
from tests.support.trouble import answers, silent
from tests.support.visitor import Visitor
from tests.support.wait import until

small = pytest.mark.usefixtures("small_servers")
"""Where the notebook is not what is looked at."""

ADA = {"cluster": "leonardo", "allocation": "aifac_agri01"}
SILENCE_SECONDS = 90


def reach_the_notebook(visitor: Visitor, server: str = "") -> None:
    """Wait until the waiting page, which loads itself again, has led to the notebook's address."""
    visitor.page.wait_for_url(f"**/user/ada/{server}**")


@small
def test_a_full_queue_is_left_for_a_smaller_size(site: Site, visitor_without_scripts: Visitor) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    visitor.sign_in("ada")
    expect(page.get_by_text("This is a demo: its GPUs are device files")).to_be_visible()
    with crowded(site):
        visitor.press_start("agrifood/remote-sensing", size="medium", **ADA)
        expect(page.get_by_text("Place 1 of 1 in the queue.")).to_be_visible()
        visitor.screenshot("without-scripts-queue-full")
        page.get_by_role("button", name="Change to that").click()
        reach_the_notebook(visitor)
    assert site.session("ada")["gpus"] == 1


def test_what_was_stopped_or_died_is_started_again(site: Site, visitor_without_scripts: Visitor) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", **ADA)
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        page.get_by_role("button", name="Stop").click()
        visitor.reason("The session was stopped.")
    with settings_that_end_the_server(site, "ada"):
        page.get_by_role("link", name="Start again").click()
        page.locator("#hpchub-again-1").click()
        visitor.reason("The notebook server ended by itself")
        page.get_by_role("link", name="Show the log").click()
        expect(page.locator("pre")).to_contain_text("stops here")
    visitor.go("/hub/spawn")
    page.locator("#hpchub-again-1").click()
    reach_the_notebook(visitor)


@small
def test_slurm_is_silent_and_comes_back(site: Site, visitor_without_scripts: Visitor) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    until(lambda: answers(site), "both clusters to answer", SILENCE_SECONDS)
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", **ADA)
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        with silent(site):
            until(lambda: not answers(site), "the hub to notice", SILENCE_SECONDS)
            expect(page.get_by_text("nothing is lost, and this page goes on by itself")).to_be_visible()
        until(lambda: answers(site), "Slurm to be back", SILENCE_SECONDS)
    reach_the_notebook(visitor)


@small
def test_a_link_to_a_spent_allocation_leads_to_another_one(site: Site, visitor_without_scripts: Visitor) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    visitor.sign_in("ada")
    with spent(site, "aifac_clima01", CLIMATE_CORE_HOURS):
        visitor.go("/hub/spawn?profile=general/pytorch&allocation=aifac_clima01&minutes=60")
        expect(page.locator("[name=allocation][value=aifac_clima01]")).to_be_disabled()
        expect(page.get_by_text("What is nearest to it is selected")).to_be_visible()
        assert site.live_jobs() == []
        page.locator("#hpchub-start").click()
        reach_the_notebook(visitor)
    session = site.session("ada")
    assert (session["account"], session["minutes"]) == ("aifac_agri01", 60)


@small
def test_two_notebooks_with_names_run_on_two_clusters(site: Site, visitor_without_scripts: Visitor) -> None:
    visitor, page = visitor_without_scripts, visitor_without_scripts.page
    visitor.sign_in("ada")
    for name, cluster in (("Crop maps", "leonardo"), ("Second try", "it4lia")):
        visitor.go("/hub/home")
        page.get_by_text("One more at the same time").click()
        page.get_by_label("Its name").fill(name)
        page.get_by_role("button", name="Choose what to start").click()
        page.locator("[data-profile='agrifood/remote-sensing']").get_by_role("link").click()
        page.get_by_text("More choices").click()
        page.locator(f"[name=cluster][value={cluster}]").check()
        page.locator("#hpchub-start").click()
        server = name.lower().replace(" ", "-")
        reach_the_notebook(visitor, server)
        assert site.session("ada", server)["cluster"] == cluster
    visitor.go("/hub/home")
    expect(page.locator("[data-state=running]")).to_have_count(2)
