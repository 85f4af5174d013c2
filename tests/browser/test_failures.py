"""A spawn that fails: the person reads why, and what to do, within 10 s of the event."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from datetime import datetime

import pytest
from playwright.sync_api import expect

from tests.browser.faults import closed_nodes, hub_address_of_jobs, moved_away, settings_that_end_the_server
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until

MOST_SECONDS = 10
"""From the event to the sentence on the page."""

ADA = {"cluster": "leonardo", "allocation": "aifac_agri01"}


def in_time(what: str, happened_epoch: float, seen_epoch: float) -> None:
    """Print how long it took from the event to the sentence, and check it."""
    print(f"{what}: {seen_epoch - happened_epoch:.1f} s from the event to the sentence on the page")
    assert seen_epoch - happened_epoch <= MOST_SECONDS


def epoch(slurm_time: str) -> float:
    """Slurm gives whole seconds, rounded down: what is measured from them is never too short."""
    return datetime.fromisoformat(slurm_time).timestamp()


def can_start_again(visitor: Visitor) -> None:
    """The page leads to the choice."""
    visitor.page.get_by_role("link", name="Start again").click()
    expect(visitor.page.get_by_role("heading", name="Start a notebook")).to_be_visible()


def test_a_server_that_exits_at_once(site: Site, visitor: Visitor) -> None:
    visitor.sign_in("ada")
    with settings_that_end_the_server(site, "ada") as exited_at:
        visitor.press_start("agrifood/remote-sensing", **ADA)
        seen = visitor.reason("The notebook server ended by itself")
        in_time("server exits at once", float(exited_at.read_text()), seen)
    expect(visitor.page.locator("#hpchub-reason")).to_contain_text("mend or move that and start again")
    # the server's own words, as text
    expect(visitor.page.locator("pre")).to_contain_text("<script>document.title='taken over'</script> stops here")
    expect(visitor.page).to_have_title("Your notebook did not start – IT4LIA notebooks (demo)")
    expect(visitor.page.locator("code")).to_have_text(site.session("ada")["id"])
    visitor.screenshot("failed-server-exits")
    can_start_again(visitor)


def test_an_environment_that_is_missing_is_said_before_queueing(site: Site, visitor: Visitor) -> None:
    link = site.folder / "environments" / "agrifood" / "x86_64-demo" / "current"
    visitor.sign_in("ada")
    start = visitor.choose("agrifood/remote-sensing", **ADA)
    with moved_away(link):
        pressed = time.time()
        start.click()
        refusal = visitor.page.get_by_role("alert")
        expect(refusal).to_contain_text("The environment agrifood is not built for leonardo")
        in_time("environment missing before queueing", pressed, time.time())
        expect(refusal).to_contain_text("Choose another profile")
        visitor.screenshot("refused-no-environment")
        assert site.live_jobs() == []
    visitor.press_start("agrifood/remote-sensing", **ADA)
    visitor.wait_for_lab()


def test_an_environment_that_vanishes_while_the_job_waits(site: Site, visitor: Visitor) -> None:
    build = (site.folder / "environments" / "agrifood" / "x86_64-demo" / "current").resolve()
    visitor.sign_in("ada")
    with ExitStack() as faults:
        with closed_nodes(site):
            visitor.press_start("agrifood/remote-sensing", **ADA)
            expect(visitor.page.locator("[aria-current=step]")).to_contain_text("In the queue")
            faults.enter_context(moved_away(build))
        seen = visitor.reason("The environment of agrifood/remote-sensing is missing on the node")
        in_time("environment missing on the node", epoch(site.job(site.session("ada"))["EndTime"]), seen)
        expect(visitor.page.locator("#hpchub-reason")).to_contain_text(f"there is no {build}")
        expect(visitor.page.locator("#hpchub-reason")).to_contain_text("choose another profile until then")
        visitor.screenshot("failed-no-environment")
        can_start_again(visitor)


@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_a_job_that_cannot_reach_the_hub(site: Site, visitor: Visitor, answers: str) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if answers == "is silent":
            # Connections are made by the kernel and nobody ever answers.
            port.listen()
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        with hub_address_of_jobs(site, address):
            visitor.sign_in("ada")
            visitor.press_start("agrifood/remote-sensing", **ADA)
            seen = visitor.reason(f"could not reach the hub at {address}")
            in_time(f"the hub's address {answers}", epoch(site.job(site.session("ada"))["StartTime"]), seen)
            expect(visitor.page.locator("#hpchub-reason")).to_contain_text("tell support these two addresses")
            visitor.screenshot(f"failed-hub-{answers.replace(' ', '-')}")
            until(lambda: not site.live_jobs(), "the job to be cancelled")
            can_start_again(visitor)
