"""A trainer's plan in the real browser: rehearsed, changed, and its report on paper."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.support.access import judge
from tests.support.events import EVENTS, Trainer
from tests.support.site import Site
from tests.support.visitor import NARROW, SCREENSHOTS, Visitor

A4_PIXELS = 718
"""The width of a sheet between margins of 10 mm, in CSS pixels."""
PAGE_OF_A_PDF = re.compile(rb"/Type\s*/Page\b(?!s)")
pytestmark = pytest.mark.usefixtures("small_servers")


def test_a_trainer_rehearses_changes_and_prints(site: Site, trainer: Trainer, italian_visitor: Visitor) -> None:
    tomorrow = int(time.time()) + 86400
    event = trainer.create(
        title="Scuola GPU", starts_epoch=tomorrow, ends_epoch=tomorrow + 3600, people=["seat21"], seats=3
    )
    carla, page = italian_visitor, italian_visitor.page
    carla.sign_in("carla")
    carla.go(f"{EVENTS}event/{event['slug']}")
    page.get_by_role("button", name="Fai una prova ora").click()
    expect(page.get_by_text("Avviata da carla")).to_be_visible()
    judge(carla, "event-rehearsing")
    # the page brings itself up to date
    expect(page.get_by_text("Ha funzionato: pronto dopo")).to_be_visible(timeout=240_000)
    judge(carla, "event-rehearsed")

    page.get_by_role("link", name="Modifica", exact=True).click()
    expect(page.locator("[name=title]")).to_have_value("Scuola GPU")
    expect(page.locator("[name=people]")).to_have_value("seat21")
    judge(carla, "event-change")
    page.locator("[name=seats]").fill("7")
    carla.focus_on(page.get_by_role("button", name="Salva le modifiche"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="0 posti occupati su 7")).to_be_visible()

    carla.go(f"{EVENTS}event/{event['slug']}/report")
    expect(page.locator("tbody tr")).to_contain_text("carla")
    judge(carla, "event-report")
    page.set_viewport_size({"width": NARROW, "height": 640})
    heads = page.locator("thead th")
    assert heads.evaluate_all("heads => heads.every(head => head.clientHeight < 180)"), "words are broken on a phone"
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": A4_PIXELS, "height": 1000})
    expect(page.locator(".hpchub-bar")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_PIXELS, "it is cut off on paper"
    colour = page.locator("tbody td").first.evaluate("cell => getComputedStyle(cell).color")
    paper = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (colour, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)"), "black on white, whatever the screen has"
    page.screenshot(path=SCREENSHOTS / "event-report-paper.png")
    pdf = page.pdf(format="A4", margin={"top": "10mm", "right": "10mm", "bottom": "10mm", "left": "10mm"})
    assert len(PAGE_OF_A_PDF.findall(pdf)) == 1
