"""A trainer and a participant in the real browser: from the form to the open notebook, in both languages."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.access import judge
from tests.support.events import EVENTS, Trainer
from tests.support.site import Site
from tests.support.visitor import NARROW, Visitor

CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}")


def test_a_trainer_makes_an_event_and_somebody_joins_on_a_phone_by_keyboard(
    site: Site, trainer: Trainer, italian_visitor: Visitor, visitor: Visitor
) -> None:
    carla, page = italian_visitor, italian_visitor.page
    carla.sign_in("carla")
    carla.go(EVENTS)
    judge(carla, "events")
    page.get_by_role("link", name="Nuovo evento").click()
    page.locator("[name=title]").fill("Scuola GPU, primo giorno")
    page.locator("[name=description]").fill("Portate un portatile.")
    page.locator("[name=starts_epoch]").fill("2020-01-01T09:00")
    page.locator("[name=ends_epoch]").fill("2020-01-01T08:00")
    page.locator("[name=allocation]").fill("tra26_hack")
    page.locator("[name=profile]").select_option("general/pytorch")
    page.locator("[name=cluster]").select_option("leonardo")
    page.locator("[name=size]").select_option("small")
    page.get_by_role("button", name="Crea l'evento").click()
    expect(page.locator(".is-invalid")).to_have_attribute("name", "ends_epoch")
    judge(carla, "event-new-wrong")

    event = trainer.create(
        title="Scuola GPU", description="Portate un portatile.", seats=3, people=["seat21", "seat22"]
    )
    carla.go(f"{EVENTS}event/{event['slug']}")
    judge(carla, "event")
    page.get_by_role("link", name="Mostra il codice in grande").click()
    expect(page.get_by_text(CODE)).to_have_text(event["code"])
    judge(carla, "event-code")

    seat, phone = visitor, visitor.page
    phone.set_viewport_size({"width": NARROW, "height": 640})
    seat.sign_in("seat23")
    seat.go(f"{EVENTS}join")
    judge(seat, "event-join")
    code = phone.locator("[name=code]")
    seat.focus_on(code)
    phone.keyboard.type(event["code"].lower().replace("-", " "))
    phone.keyboard.press("Enter")
    seat.wait_for_lab()
    assert f"/user/seat23/{event['slug']}/" in phone.url

    carla.go(f"{EVENTS}event/{event['slug']}/room")
    expect(page.locator("[data-seat=seat23]")).to_have_attribute("data-state", "working")
    expect(page.locator("[data-seat=seat21]")).to_have_attribute("data-state", "away")
    judge(carla, "event-room")
    site.api("DELETE", f"/users/seat23/servers/{event['slug']}")
    # the page brings itself up to date
    expect(page.locator("[data-seat=seat23]")).to_have_attribute("data-state", "ended")
    carla.go(f"{EVENTS}event/{event['slug']}/report")
    expect(page.locator("tbody tr")).to_contain_text("seat23")
    judge(carla, "event-report")
