"""Temporary seats from the printed card to the emptied home, in the real browser on the real cluster."""

from __future__ import annotations

import os
import pwd
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from playwright.sync_api import expect

from tests.support.access import judge
from tests.support.admin import hpchub
from tests.support.events import EVENTS, Trainer
from tests.support.site import Site
from tests.support.visitor import NARROW, SCREENSHOTS, WIDE, Visitor
from tests.support.wait import until

TITLE = "Scuola GPU per chi comincia: due giorni di pratica con dati veri, dalla prima riga al primo modello"
CODE = re.compile(r"[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){2}")


def pool(trainer: Trainer) -> dict[str, str]:
    """What is with each account of the pool, as administrators see it."""
    told = trainer.ask("GET", "/seats", token=trainer.site.admin_token).json
    return {each["account"]: f"{each['use']} {each['trouble']}".strip() for each in told}


@pytest.fixture
def lent(trainer: Trainer) -> Iterator[None]:
    """Other tests find the whole pool: what an event has of it comes back when it is closed."""
    yield
    for event in trainer.ask("GET", "/events").json:
        if event["state"] in ("planned", "open"):
            trainer.ask("POST", f"/events/{event['slug']}/close")
    until(lambda: set(pool(trainer).values()) == {"free"}, "all seats to be free again", 180)


def squares(text: str) -> str:
    """The black squares of a QR code as a path of SVG."""
    found = re.search(r' d="([^"]*)"/></svg>', segno.make_qr(text, error="m").svg_inline(border=4, omitsize=True))
    assert found
    return found[1]


@pytest.mark.usefixtures("lent")
def test_a_printed_card_leads_to_a_notebook_and_its_seat_comes_back_empty(
    site: Site, trainer: Trainer, italian_visitor: Visitor, visitor: Visitor
) -> None:
    event = trainer.create(title=TITLE, seats=14, temporary_seats=12, seat_files_days=0)
    carla, page = italian_visitor, italian_visitor.page
    carla.sign_in("carla")
    carla.go(f"{EVENTS}event/{event['slug']}")
    judge(carla, "event-with-seats")
    page.get_by_role("link", name="Tessere da stampare").click()
    cards = page.locator(".hpchub-seat-card")
    expect(cards).to_have_count(12)
    judge(carla, "event-cards")
    first = cards.first
    expect(first.locator(".hpchub-code")).to_have_text(CODE)
    code = first.locator(".hpchub-code").inner_text()
    address = f"{site.url}/hub/hpchub/seat?code={code}"
    assert first.locator("svg path").last.get_attribute("d") == squares(address)
    page.emulate_media(media="print")
    paper = page.pdf(path=SCREENSHOTS / "event-cards.pdf", prefer_css_page_size=True, print_background=True)
    page.set_viewport_size({"width": 718, "height": 1047})  # A4 without its margins
    page.screenshot(path=SCREENSHOTS / "event-cards-on-paper.png", full_page=True)
    page.set_viewport_size({"width": WIDE, "height": 800})
    page.emulate_media(media="screen")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 2, "ten cards on a sheet, and two on the next"

    # somebody without an account, on a phone
    phone = visitor.page
    phone.set_viewport_size({"width": NARROW, "height": 640})
    visitor.go(address.removeprefix(site.url))
    phone.get_by_role("button", name="Take this seat").click()
    phone.wait_for_url(f"**{EVENTS}event/{event['slug']}")
    expect(phone.get_by_text("temporary seat seat01")).to_be_visible()
    judge(visitor, "event-with-my-seat")
    phone.set_viewport_size({"width": NARROW, "height": 640})
    phone.get_by_role("button", name="To my notebook").click()
    visitor.wait_for_lab()
    assert f"/user/seat01/{event['slug']}/" in phone.url
    home = Path(pwd.getpwnam("seat01").pw_dir)
    (home / "work").mkdir()
    (home / "work" / "notes.ipynb").write_text("what somebody has done")
    os.chown(home / "work", home.stat().st_uid, home.stat().st_gid)
    os.chown(home / "work" / "notes.ipynb", home.stat().st_uid, home.stat().st_gid)

    # the trainer sees who came
    carla.go(f"{EVENTS}event/{event['slug']}/cards")
    expect(cards.first).to_contain_text("Occupato")
    expect(cards.first.locator(".hpchub-code")).to_have_count(0)
    judge(carla, "event-cards-used")
    carla.go(f"{EVENTS}event/{event['slug']}/room")
    expect(page.locator("[data-seat=seat01]")).to_have_attribute("data-state", "working")
    expect(page.locator("[data-seat=seat02]")).to_contain_text("La sua tessera non è ancora stata usata")

    # it ends, and another event gets the same seat
    assert pool(trainer)["seat01"] == "lent"
    assert trainer.ask("POST", f"/events/{event['slug']}/close").status == 200
    until(lambda: not site.live_jobs_of("seat01"), "no job of the seat to be left", 90)
    until(lambda: set(pool(trainer).values()) == {"free"}, "all seats to be free again", 180)
    assert not (home / "work").exists()
    assert home.stat().st_uid == pwd.getpwnam("seat01").pw_uid
    acts = [act["verb"] for act in trainer.ask("GET", f"/events/{event['slug']}/record").json]
    assert acts.count("take-seat") == 1 and "return-seats" in acts and "return-refused" not in acts
    following = trainer.create(title="Next school", temporary_seats=1, seat_files_days=0)
    assert [each["name"] for each in following["participants"]] == ["seat01"]
    assert code not in site.log(), "no card in a log"


@pytest.mark.usefixtures("lent")
def test_a_lost_card_is_replaced_and_the_old_one_s_browser_is_out(
    site: Site, trainer: Trainer, visitor: Visitor, italian_visitor: Visitor
) -> None:
    event = trainer.create(temporary_seats=1, seat_files_days=0)
    cards = f"/events/{event['slug']}/cards"
    (old,) = trainer.ask("GET", cards).json
    visitor.go(old["path"])
    visitor.page.get_by_role("button", name="Take this seat").click()
    visitor.page.wait_for_url(f"**{EVENTS}event/{event['slug']}")
    lent = {each["account"]: each["event"] for each in hpchub(site, "events", "seats", "--json").json}
    assert (lent["seat01"], lent["seat02"], len(lent)) == (event["slug"], "", 40)
    refused = hpchub(site, "events", "cards", event["slug"])
    assert refused.status == 1 and "Only the trainers" in refused.err
    new = trainer.ask("POST", f"{cards}/seat01").json
    assert new["code"] and new["code"] != old["code"]
    italian_visitor.go(new["path"])
    italian_visitor.page.locator("button[name=take]").click()
    italian_visitor.page.wait_for_url(f"**{EVENTS}event/{event['slug']}")
    visitor.go("/hub/home")
    visitor.page.wait_for_url("**/hub/login**")


@pytest.mark.usefixtures("lent", "small_servers")
def test_a_seat_s_files_can_be_fetched_for_some_days_after_the_event(
    site: Site, trainer: Trainer, visitor: Visitor
) -> None:
    event = trainer.create(temporary_seats=1, seat_files_days=1)
    slug, page = event["slug"], visitor.page
    (card,) = trainer.ask("GET", f"/events/{slug}/cards").json
    visitor.go(card["path"])
    page.get_by_role("button", name="Take this seat").click()
    page.wait_for_url(f"**{EVENTS}event/{slug}")
    until(lambda: trainer.ask("GET", f"/events/{slug}/cards").json[0]["used_epoch"], "the console to know", 60)
    trainer.ask("POST", f"/events/{slug}/close")
    # whoever took the seat stays in it
    visitor.go(f"{EVENTS}event/{slug}")
    judge(visitor, "event-files")
    page.get_by_role("link", name="To my files").click()
    page.locator("#hpchub-start").click()
    until(lambda: site.live_jobs_of("seat01"), "something small to run", 90)
    assert "lrd_all_serial" in site.slurm("squeue -M leonardo -h -u seat01 -o %P")
    assert pool(trainer)["seat01"] == "kept"

    # the days are over
    with sqlite3.connect(site.folder / "hub" / "console.sqlite", timeout=30) as database:
        database.execute("UPDATE events SET plan = json_set(plan, '$.seat_files_days', 0) WHERE slug = ?", [slug])
    until(lambda: pool(trainer)["seat01"] == "free", "the seat to be free", 180)
    assert site.live_jobs_of("seat01") == []
    visitor.go("/hub/home")
    page.wait_for_url("**/hub/login**")
