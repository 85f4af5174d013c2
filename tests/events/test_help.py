"""A trainer and a participant in the real browser: a hand, a message, and a notebook that is opened with consent."""

from __future__ import annotations

import re

from playwright.sync_api import Page, WebSocket, expect

from tests.support.access import SMALLEST, judge
from tests.support.events import EVENTS, Trainer
from tests.support.site import Site
from tests.support.visitor import NARROW, WIDE, Visitor
from tests.support.wait import until

CACHED_SECONDS = 90
"""A notebook server takes the hub's word for 30 s, and a busy machine takes some more."""
TEAMS = [{"name": "Blu", "members": ["seat21"]}, {"name": "Rossi", "members": ["seat22"]}]


def open_ones(page: Page, sockets: list[WebSocket]) -> list[str]:
    """The connections of a page that are open, by their addresses."""
    page.evaluate("0")  # playwright hears of what has happened only while it is asked something
    return [each.url for each in sockets if not each.is_closed()]


def test_somebody_asks_for_help_and_lets_a_trainer_in(
    site: Site, trainer: Trainer, italian_visitor: Visitor, visitor: Visitor
) -> None:
    event = trainer.create(title="Scuola GPU", seats=3, people=["seat21", "seat22"], teams=TEAMS, by_code=False)
    slug = event["slug"]
    other = site.token_of("seat22")
    assert trainer.ask("POST", "/join", {"event": slug}, other).status == 200
    seat, phone = visitor, visitor.page
    phone.set_viewport_size({"width": NARROW, "height": 640})
    seat.sign_in("seat21")
    seat.go(f"{EVENTS}event/{slug}")
    seat.press(phone.get_by_role("button", name="Join and start"))
    seat.wait_for_lab()
    notebook = f"/user/seat21/{slug}/api/status"
    assert site.get(notebook, trainer.token).status == 403, "a trainer has no right to a notebook by being one"

    # A hand, seen without anybody's loading a page again.
    carla, page = italian_visitor, italian_visitor.page
    carla.sign_in("carla")
    carla.go(f"{EVENTS}event/{slug}/room")
    tile = page.locator("[data-seat=seat21]")
    expect(tile).to_have_attribute("data-state", "working")
    seat.go(f"{EVENTS}event/{slug}")
    judge(seat, "event-member")
    phone.set_viewport_size({"width": NARROW, "height": 640})
    seat.focus_on(phone.get_by_label("What it is about, if you like"))
    phone.keyboard.type("My kernel <b>died</b>")
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("Your hand is up since")).to_be_visible()
    expect(tile).to_contain_text("My kernel <b>died</b>")
    expect(page).to_have_title(re.compile("^✋ 1 · "))

    # A message to one team, written by keyboard while the page goes on bringing itself up to date.
    carla.press(page.locator("summary", has_text="Messaggio alla sala"))
    carla.focus_on(page.locator("#room-says"))
    page.keyboard.type("Guardo subito.")
    page.locator("#room-team").select_option("Blu")
    judge(carla, "event-room-hand")
    carla.press(page.get_by_role("button", name="Invia"))
    expect(phone.get_by_role("log")).to_contain_text("Guardo subito.")
    assert trainer.ask("GET", f"/events/{slug}/messages", token=other).json == []
    assert "Blu" not in site.get(f"{EVENTS}event/{slug}", other).text

    # With consent, and only then.
    carla.press(page.get_by_role("button", name="Chiedi di entrare"))
    expect(phone.get_by_text("carla asks to see and use your notebook.")).to_be_visible()
    judge(seat, "event-member-asked")
    phone.set_viewport_size({"width": NARROW, "height": 640})
    assert site.get(notebook, trainer.token).status == 403, "a wish opens nothing"
    seat.press(phone.get_by_role("button", name="Let them in"))
    expect(phone.get_by_text("carla can see and use your notebook until")).to_be_visible()
    until(lambda: site.get(notebook, trainer.token).status == 200, "carla to be let in", CACHED_SECONDS)
    assert site.get(notebook, other).status == 403, "nobody else is"
    link = page.get_by_role("link", name="Apri il notebook")
    expect(link).to_be_visible()
    judge(carla, "event-room-consent")
    judge(seat, "event-member-consent")
    with page.context.expect_page() as opened:
        link.click()
    entered = opened.value
    sockets: list[WebSocket] = []
    entered.on("websocket", lambda socket: sockets.append(socket))
    entered.get_by_role("button", name="Authorize").click()
    entered.wait_for_url(f"**/user/seat21/{slug}/lab**")
    expect(entered.locator(".jp-Launcher, .jp-NotebookPanel").first).to_be_visible()
    assert open_ones(entered, sockets)

    # And not any more afterwards.
    phone.set_viewport_size({"width": NARROW, "height": 640})
    seat.press(phone.get_by_role("button", name="End it now"))
    expect(link).to_have_count(0)
    until(lambda: site.get(notebook, trainer.token).status == 403, "carla to be kept out", CACHED_SECONDS)
    assert site.api("GET", f"/shares/seat21/{slug}").json["items"] == []
    until(lambda: open_ones(entered, sockets) == [], "what carla had open there to be closed", CACHED_SECONDS)
    entered.close()

    # The hand is lowered by the trainer; both pages say so.
    carla.press(page.get_by_role("button", name="Aiuto dato"))
    expect(phone.get_by_role("button", name="Raise my hand")).to_be_visible()

    # A restart of the notebook ends a consent as well.
    seat_token = site.token_of("seat21")
    assert trainer.ask("PUT", f"/events/{slug}/consents/seat21", {"helper": "carla"}, seat_token).status == 200
    until(lambda: site.api("GET", f"/shares/seat21/{slug}").json["items"], "the share to be there")
    site.api("DELETE", f"/users/seat21/servers/{slug}")
    until(lambda: site.api("GET", f"/shares/seat21/{slug}").json["items"] == [], "the share to be gone")

    # The room on a wall, and on a trainer's phone.
    carla.go(f"{EVENTS}event/{slug}/room?view=compact")
    judge(carla, "event-room-compact")
    assert page.locator("[data-seat]").count() == 2 and (WIDE, SMALLEST) == (1280, 320)
