"""What JupyterLab shows of the session: its end, a warning before, and in an event the hand and the trainers' words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.support.access import RULES
from tests.support.events import Trainer
from tests.support.site import Site
from tests.support.tell import tell
from tests.support.visitor import SCREENSHOTS, WIDE, Visitor
from tests.support.wait import until

CHOICE = {"profile": "general/pytorch", "cluster": "leonardo", "allocation": "aifac_agri01", "size": "small"}
ARRIVES_SECONDS = 60
"""15 s are the aim; a machine that does much else is slower, and the test says how long it took."""


@pytest.fixture
def trainer(site: Site) -> Iterator[Trainer]:
    """Carla; her event is over afterwards."""
    carla = Trainer(site)
    yield carla
    for event in carla.ask("GET", "/events").json:
        if event["state"] in ("planned", "open"):
            carla.ask("POST", f"/events/{event['slug']}/close")


def bar(page: Page) -> Locator:
    """What we show in JupyterLab's top bar."""
    return page.locator("#hpchub-session")


def left(page: Page) -> Locator:
    return bar(page).locator("button.hpchub-time")


def hand(page: Page) -> Locator:
    return bar(page).locator("button.hpchub-hand")


def found_wrong(page: Page, *where: str) -> list[str]:
    """What axe-core finds in parts of JupyterLab that are ours."""
    found = Axe().run(page, context={"include": [[part] for part in where]}, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html']} ({node['failureSummary']})" for rule in found for node in rule["nodes"]]


def open_lab(site: Site, visitor: Visitor, user: str, choice: dict[str, Any], server: str = "") -> dict[str, Any]:
    """Sign in, start a notebook and open it; give its session."""
    session = site.run(user, choice, server)
    visitor.sign_in(user)
    visitor.go(f"/user/{user}/{server + '/' if server else ''}lab")
    expect(visitor.page.locator(".jp-Launcher, .jp-NotebookPanel").first).to_be_visible()
    return session


def test_the_bar_says_how_long_the_session_lasts(site: Site, visitor: Visitor) -> None:
    open_lab(site, visitor, "ada", {**CHOICE, "minutes": 120})
    page = visitor.page
    expect(left(page)).to_have_text("1 h 59 min left")
    expect(hand(page)).to_be_hidden()
    expect(page.locator(".Toastify__toast", has_text="This notebook stops")).to_have_count(0)
    visitor.focus_on(left(page))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This notebook stops at")
    expect(dialog.get_by_role("link", name="My sessions")).to_have_attribute("href", "/hub/home")
    assert found_wrong(page, "#hpchub-session", ".hpchub-session-news") == []
    visitor.screenshot("in-the-notebook", [WIDE])
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_hub_that_is_away_takes_nothing_from_the_bar(site: Site, visitor: Visitor) -> None:
    open_lab(site, visitor, "ada", {**CHOICE, "minutes": 90})
    page = visitor.page
    expect(left(page)).to_have_text("1 h 29 min left")
    site.kill_hub()
    try:
        with page.expect_response("**/hpchub/session*") as answer:
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert answer.value.ok
        expect(left(page)).to_have_text(re.compile("1 h 2[5-9] min left"))
    finally:
        site.start_hub()


def test_a_session_that_ends_soon_warns_in_words(site: Site, visitor: Visitor) -> None:
    open_lab(site, visitor, "ada", {**CHOICE, "minutes": 10})
    page = visitor.page
    warning = page.locator(".Toastify__toast", has_text="This notebook stops in 9 min, at")
    expect(warning).to_contain_text("Save your work: files stay")
    expect(left(page)).to_have_class(re.compile("hpchub-soon"))
    page.screenshot(path=SCREENSHOTS / "in-the-notebook-ends-soon.png")
    with page.context.expect_page() as sessions:
        warning.get_by_role("button", name="My sessions").click()
    expect(sessions.value.get_by_role("heading", name="My sessions")).to_be_visible()


def test_a_hand_and_a_message_cross_the_room(
    site: Site, trainer: Trainer, italian_visitor: Visitor, pytestconfig: pytest.Config
) -> None:
    event = trainer.create(seats=3, people=["seat01", "seat02"], by_code=False)
    slug = event["slug"]
    page = italian_visitor.page
    assert trainer.ask("POST", f"/events/{slug}/room/start").json == {"starting": 2}
    until(lambda: site.server("seat01", slug).get("ready"), "the first notebook to be ready", 180)
    italian_visitor.sign_in("seat01")
    italian_visitor.go(f"/user/seat01/{slug}/lab")
    expect(left(page)).to_contain_text("ancora")
    expect(hand(page)).to_have_text("Alza la mano")
    italian_visitor.focus_on(hand(page))
    page.keyboard.press("Enter")
    expect(hand(page)).to_have_text("Mano alzata")
    assert found_wrong(page, "#hpchub-session") == []
    until(lambda: needs(trainer, slug)["seat01"]["hand_epoch"], "the console to know of the hand", 20)
    assert [each["hands"] for each in site.api("GET", "/hpchub/events").json] == [["seat01"]]
    italian_visitor.screenshot("in-the-notebook-hand", [WIDE])

    began = time.monotonic()
    says = "Fra dieci minuti facciamo una pausa.\nSalvate i vostri notebook."
    assert trainer.ask("POST", f"/events/{slug}/messages", {"says": says}).status == 201
    message = page.locator(".Toastify__toast", has_text="carla: Fra dieci minuti")
    expect(message).to_be_visible(timeout=ARRIVES_SECONDS * 1000)
    tell(pytestconfig, f"a message was in the notebook after {time.monotonic() - began:.1f} s")
    page.screenshot(path=SCREENSHOTS / "in-the-notebook-message.png")
    message.get_by_role("button", name="Leggi").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("li")).to_contain_text("Salvate i vostri notebook.")
    assert found_wrong(page, ".hpchub-session-news") == []
    italian_visitor.screenshot("in-the-notebook-messages", [WIDE])
    page.keyboard.press("Escape")

    # the trainer lowers it
    assert trainer.ask("POST", f"/events/{slug}/hands/seat01", {"up": False}).status == 204
    expect(hand(page)).to_have_text("Alza la mano", timeout=ARRIVES_SECONDS * 1000)
    page.reload()
    expect(hand(page)).to_have_text("Alza la mano")
    expect(message).to_have_count(0)


def needs(trainer: Trainer, slug: str) -> dict[str, Any]:
    """How everybody with a seat stands to help."""
    return {each["name"]: each for each in trainer.ask("GET", f"/events/{slug}/help").json}


@pytest.fixture
def gpu_that_is_busy(site: Site) -> Iterator[None]:
    """A program of nvidia-smi's name in the environment: no GPU stands behind it."""
    programs = [path / "bin" / "nvidia-smi" for path in (site.folder / "environments").glob("*/*/current")]
    for program in programs:
        program.write_text("#!/bin/sh\necho 37\n")
        program.chmod(0o755)
    yield
    for program in programs:
        program.unlink()


@pytest.mark.usefixtures("gpu_that_is_busy")
def test_the_use_of_gpus_is_told_with_the_session(site: Site) -> None:
    assert site.run("ada", CHOICE)["gpu_percent"] in (None, 37)
    until(lambda: site.session("ada")["gpu_percent"] == 37, "the notebook to tell how busy its GPU is", 30)
