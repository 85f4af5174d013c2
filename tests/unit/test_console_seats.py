"""Temporary seats in the console: what is lent to whom, who knows what of a card, and the way back."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import Engine

from hpchub.catalogue.model import Catalogue
from hpchub.console.cards import ALPHABET, Card, Seal, as_csv, digest_of, new_card
from hpchub.console.database import migrate, opened
from hpchub.console.lending import TooFewSeats, chosen
from hpchub.console.people import Caller
from hpchub.console.plans import Event, Plan
from hpchub.console.rounds import once
from hpchub.console.seat_store import Lending
from hpchub.console.seats import PATIENCE_SECONDS, RETRY_SECONDS, Seats
from hpchub.console.store import Store
from tests.unit.data.console import CALLERS, HOUR, NINE, Console, plan, session
from tests.unit.data.world import demo_catalogue

DAY = 24 * HOUR
ENDS = NINE + 8 * HOUR
POOL = tuple(f"seat{number:02}" for number in range(1, 5))
ROME = ZoneInfo("Europe/Rome")


def catalogue_with(**settings: Any) -> Catalogue:
    """The demo's catalogue with a small pool, files for seven days, and these settings of the console."""
    site = demo_catalogue().site
    assert site.console is not None
    small = {"seats": ("seat[01-04]",), "seat_files_days": 7, "files_profile": None}
    console = site.console.model_copy(update={**small, **settings})
    return replace(demo_catalogue(), site=site.model_copy(update={"console": console}))


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path, catalogue_with())


async def shown(console: Console, who: str = "carla", slug: str = "gpu-school") -> list[dict[str, Any]]:
    """The cards of the school."""
    answer = await console.ask(who, "GET", f"/events/{slug}/cards")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return list(answer.json())


async def record(console: Console, slug: str = "gpu-school") -> list[tuple[str, str, str]]:
    acts = (await console.ask("admin", "GET", f"/events/{slug}/record")).json()
    return [(act["who"], act["verb"], act["detail"]) for act in acts]


async def pool(console: Console) -> dict[str, str]:
    """What is with each account of the pool, with the event that has it."""
    told = (await console.ask("admin", "GET", "/seats")).json()
    return {each["account"]: f"{each['use']} {each['event']}".strip() for each in told}


async def rounds(console: Console) -> None:
    """What the console does by itself, once."""
    await once(console.verbs)
    await Seats(console.verbs).keep()


async def taken(console: Console, *names: str) -> None:
    """Let somebody come to these seats of the school."""
    for card in await shown(console):
        if card["seat"] in names:
            comes(console, card)
    await once(console.verbs)


def comes(console: Console, card: Mapping[str, Any], event: str = "gpu-school") -> None:
    """Let somebody take a seat at the hub, by its card."""
    told = {"event": event, "card": digest_of(card["code"]), "epoch": int(console.now_epoch)}
    console.hub.taken[card["seat"]] = told


# Cards


def test_a_card_has_sixty_bits_and_nothing_that_is_read_wrongly() -> None:
    assert len(set(ALPHABET)) == 32 and not set("IO01") & set(ALPHABET)
    cards = {new_card() for _ in range(200)}
    assert len(cards) == 200
    assert all(re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", card) for card in cards)


def test_the_hub_s_digest_is_that_of_the_normal_form() -> None:
    assert digest_of("abcd-EFGH-jklm") == digest_of("ABCDEFGHJKLM")
    assert digest_of("ABCD-EFGH-JKLM") == "3f63d25fcb898ecfd6c2e2322bfdb11f44fe17dd0dc359e70b7246224bb223e9"


def test_a_sealed_card_is_read_with_its_key_alone() -> None:
    sealed = Seal("ab" * 32).sealed("ABCD-EFGH-JKLM")
    assert "ABCD" not in sealed and Seal("ab" * 32).opened(sealed) == "ABCD-EFGH-JKLM"
    assert Seal("cd" * 32).opened(sealed) == Seal("ab" * 32).opened("") == ""


def test_the_table_of_cards_has_no_code_of_a_used_one() -> None:
    cards = [Card("seat01", "ABCD-EFGH-JKLM", None), Card("seat02", "", NINE)]
    assert as_csv(cards, "https://hub.example").splitlines() == [
        "seat,code,address,used",
        "seat01,ABCD-EFGH-JKLM,https://hub.example/hub/hpchub/seat?code=ABCD-EFGH-JKLM,",
        "seat02,,,2030-03-17 17:46",
    ]


# Lending


@pytest.mark.parametrize(
    ("wanted", "loans", "busy", "found"),
    [
        (2, {}, set(), ("seat01", "seat02")),
        (2, {"seat01": ENDS}, set(), ("seat02", "seat03")),
        (2, {"seat01": ENDS}, {"seat02", "ada"}, ("seat03", "seat04")),
        (4, {}, set(), POOL),
        (0, dict.fromkeys(POOL, ENDS), set(), ()),
    ],
)
def test_who_is_free_is_lent_in_the_order_of_the_pool(
    wanted: int, loans: Mapping[str, int], busy: set[str], found: tuple[str, ...]
) -> None:
    assert chosen(POOL, wanted, loans, busy, ROME) == found


@pytest.mark.parametrize(
    ("wanted", "loans", "busy", "says"),
    [
        (3, {"seat01": ENDS, "seat02": ENDS + DAY}, set(), "2 of the 4 temporary seats of this site are free now"),
        (3, {"seat01": ENDS + DAY, "seat02": ENDS}, set(), "as many from 2030-03-18 02:46 +0100 on"),
        (4, {"seat01": ENDS + DAY, "seat02": ENDS}, set(), "as many from 2030-03-19 02:46 +0100 on"),
        (4, {"seat01": ENDS}, {"seat02"}, "2 of the 4 temporary seats of this site are free for this event; it asks"),
        (1, {}, set(POOL), "0 of the 4 temporary seats of this site are free for this event; it asks for 1."),
    ],
)
def test_too_few_are_said_with_how_many_there_are_and_when(
    wanted: int, loans: Mapping[str, int], busy: set[str], says: str
) -> None:
    with pytest.raises(TooFewSeats, match=re.escape(says)):
        chosen(POOL, wanted, loans, busy, ROME)


async def test_an_event_has_its_seats_as_soon_as_it_takes_place(console: Console) -> None:
    console.hub.strangers = frozenset(POOL)
    event = await console.create(seats=5, temporary_seats=2)
    assert [(each["name"], each["by"]) for each in event["participants"]] == [("seat01", "seat"), ("seat02", "seat")]
    assert event["seats_left"] == 3
    cards = await shown(console)
    (told,) = console.hub.events
    assert told["members"] == ["carla", "seat01", "seat02"]
    assert told["seats"] == [
        {"account": card["seat"], "card": digest_of(card["code"]), "until_epoch": ENDS + 7 * DAY} for card in cards
    ]
    assert console.hub.known == ["seat01", "seat02"], "start all needs users that the hub knows"
    assert ("carla", "lend-seats", "seat01, seat02") in await record(console)
    assert await pool(console) == {
        "seat01": "lent gpu-school",
        "seat02": "lent gpu-school",
        "seat03": "free",
        "seat04": "free",
    }


async def test_an_account_that_the_hub_refuses_keeps_no_other_from_being_known(console: Console) -> None:
    console.hub.strangers, console.hub.unwanted = frozenset(POOL), frozenset({"seat01"})
    await console.create(seats=3, temporary_seats=3)
    assert sorted(console.hub.known) == ["seat02", "seat03"]
    console.hub.unwanted = frozenset()
    await rounds(console)
    assert sorted(console.hub.known) == ["seat01", "seat02", "seat03"], "it is tried again"


async def test_nobody_waits_for_the_users_of_a_pool_that_are_being_made(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(user: str) -> None:
        asked.set()
        await go_on.wait()

    monkeypatch.setattr(console.verbs.hub, "know", slow)
    creating = asyncio.ensure_future(console.create(temporary_seats=2))
    await asyncio.wait_for(asked.wait(), 30)
    assert [event["slug"] for event in console.hub.events] == ["gpu-school"], "the hub was told first"
    await asyncio.wait_for(console.verbs.push(), 30)
    go_on.set()
    await creating


async def test_an_administrator_s_approval_lends_them(tmp_path: Path) -> None:
    strict = Console(tmp_path, catalogue_with(approval="admin"))
    assert (await strict.create(seats=4, temporary_seats=4))["participants"] == []
    await strict.create(title="Other", seats=2, temporary_seats=1)
    await strict.ask("admin", "POST", "/events/other/approve")
    answer = await strict.ask("admin", "POST", "/events/gpu-school/approve")
    assert answer.status_code == 409 and "3 of the 4 temporary seats" in answer.json()["message"]
    assert (await strict.ask("carla", "GET", "/events/gpu-school")).json()["state"] == "requested"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seats": 2, "temporary_seats": 3}, "temporary_seats"),
        ({"seats": 9, "temporary_seats": 5}, "This site has 4 temporary seats in all."),
        ({"seats": 9, "temporary_seats": 4, "people": ["seat02"]}, "3 of the 4 temporary seats"),
        ({"seats": 9, "temporary_seats": 4, "trainers": ["seat02"]}, "3 of the 4 temporary seats"),
    ],
)
async def test_what_cannot_be_lent_makes_no_event(console: Console, changes: dict[str, Any], says: str) -> None:
    answer = await console.ask("carla", "POST", "/events", plan(**changes))
    assert answer.status_code == 400 and says in answer.json()["message"]
    assert (await console.ask("carla", "GET", "/events")).json() == []


async def test_who_takes_part_elsewhere_at_the_same_time_is_not_lent(console: Console) -> None:
    await console.create(title="Other", people=["seat01"], starts_epoch=ENDS + DAY, ends_epoch=ENDS + DAY + HOUR)
    await console.create(title="Long ago", people=["seat02"], starts_epoch=NINE - 9 * HOUR, ends_epoch=NINE - 8 * HOUR)
    event = await console.create(temporary_seats=2)
    assert [each["name"] for each in event["participants"]] == ["seat02", "seat03"], "seat01's own files would be wiped"


def test_two_events_that_want_the_last_seats_at_once_never_get_the_same(tmp_path: Path) -> None:
    want_the_last_seats(opened(f"sqlite:///{tmp_path / 'console.sqlite'}"))


def want_the_last_seats(engine: Engine) -> None:
    """Let seven events at once ask for the four seats that there are, in a database."""
    migrate(engine)
    store, made, refused = Store(engine), list[Event](), list[TooFewSeats]()
    lend = Lending(POOL, 7, None, Seal("ab" * 32), "carla", 0)

    def create(number: int) -> None:
        planned = Plan.model_validate(plan(title=f"School {number}", temporary_seats=1, seats=1))
        try:
            made.append(store.create(planned, "carla", 0, approved=True, lend=lend))
        except TooFewSeats as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seat.account for event in made for seat in event.lent) == list(POOL)
    assert len(refused) == 3 and len(store.all()) == 4


async def test_a_change_of_the_plan_lends_more_or_takes_some_back(console: Console) -> None:
    def seats(answer: httpx.Response) -> list[str]:
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["participants"]]

    await console.create(seats=4, temporary_seats=2)
    before = await shown(console)
    assert seats(await console.ask("carla", "PATCH", "/events/gpu-school", {"temporary_seats": 4})) == list(POOL)
    assert (await shown(console))[:2] == before, "cards that were printed stay"
    assert seats(await console.ask("carla", "PATCH", "/events/gpu-school", {"temporary_seats": 1})) == ["seat01"]
    assert [seat["account"] for seat in console.hub.events[0]["seats"]] == ["seat01"]
    assert seats(await console.ask("carla", "PATCH", "/events/gpu-school", {"temporary_seats": 2})) == list(POOL[:2])
    console.now_epoch = NINE
    answer = await console.ask("carla", "PATCH", "/events/gpu-school", {"temporary_seats": 1})
    assert answer.status_code == 409 and "somebody may be in them" in answer.json()["message"]


async def test_what_is_refused_in_the_end_gives_its_seats_back(tmp_path: Path) -> None:
    strict = Console(tmp_path, catalogue_with(approval="admin"))
    await strict.create(seats=4, temporary_seats=4)
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    await strict.ask("carla", "PATCH", "/events/gpu-school", {"seats": 9})
    await strict.ask("admin", "POST", "/events/gpu-school/refuse", {"reason": "Too many."})
    assert set((await pool(strict)).values()) == {"free"}


# Who sees a card


async def test_the_database_has_no_code(console: Console) -> None:
    await console.create(temporary_seats=2)
    codes = [card["code"] for card in await shown(console)]
    content = (console.folder / "console.sqlite").read_bytes() + (console.folder / "console.sqlite-wal").read_bytes()
    for code in codes:
        assert digest_of(code).encode() in content
        assert code.encode() not in content and code.replace("-", "").encode() not in content


@pytest.mark.parametrize(("who", "status"), [("admin", 403), ("teresa", 404), ("ada", 404), ("script", 403)])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_cards_are_for_the_trainers_of_their_event(console: Console, who: str, status: int, method: str) -> None:
    await console.create(temporary_seats=1)
    answer = await console.ask(who, method, "/events/gpu-school/cards")
    assert answer.status_code == status and "code" not in answer.text
    if method == "GET":
        assert (await console.visit(who, "event/gpu-school/cards")).status_code == status
        assert (await console.visit(who, "event/gpu-school/cards.csv")).status_code == status


async def test_every_showing_is_in_the_record_and_never_a_code(console: Console) -> None:
    await console.create(temporary_seats=2)
    code = (await shown(console))[0]["code"]
    page = await console.visit("carla", "event/gpu-school/cards")
    file = await console.visit("carla", "event/gpu-school/cards.csv")
    assert code in page.text and code in file.text
    assert page.headers["Cache-Control"] == file.headers["Cache-Control"] == "no-store"
    lines = await record(console)
    assert lines.count(("carla", "show-cards", "2")) == 3
    assert code not in str(lines)


async def test_a_sheet_of_paper_has_ten_cards_with_a_square_each(tmp_path: Path) -> None:
    console = Console(tmp_path, catalogue_with(seats=("seat[01-40]",)))
    await console.create(seats=12, temporary_seats=12)
    page = (await console.visit("carla", "event/gpu-school/cards", language="it")).text
    assert page.count('class="hpchub-sheet"') == 2 and page.count("<svg viewBox") == 12
    assert "seat12" in page and 'lang="it"' in page
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", page)


# Using a card


async def test_a_used_card_is_kept_nowhere_and_shown_as_used(console: Console) -> None:
    await console.create(temporary_seats=2)
    console.now_epoch = NINE
    await taken(console, "seat01")
    first, second = await shown(console)
    assert (first["code"], first["used_epoch"]) == ("", NINE) and second["code"]
    rows = sqlite3.connect(console.folder / "console.sqlite").execute("SELECT card_sealed FROM seats ORDER BY id")
    assert [bool(sealed) for (sealed,) in rows] == [False, True]
    assert ("seat01", "take-seat", "") in await record(console)
    assert "Taken" in (await console.visit("carla", "event/gpu-school/cards")).text
    event = (await console.ask("carla", "GET", "/events/gpu-school")).json()
    assert event["participants"][0]["joined_epoch"] == NINE


async def test_a_new_card_is_another_one_and_the_hub_knows_no_other(console: Console) -> None:
    await console.create(temporary_seats=2)
    console.now_epoch = NINE
    await taken(console, "seat01")
    answer = await console.ask("carla", "POST", "/events/gpu-school/cards/seat01")
    assert answer.status_code == 200 and answer.json()["used_epoch"] == NINE
    assert console.hub.events[0]["seats"][0]["card"] == digest_of(answer.json()["code"])
    await taken(console, "seat01")
    assert (await shown(console))[0]["code"] == ""
    lines = await record(console)
    assert ("carla", "new-cards", "seat01") in lines and ("seat01", "take-seat", "again") in lines


async def test_who_comes_while_a_new_card_is_made_has_the_seat_all_the_same(console: Console) -> None:
    await console.create(temporary_seats=1)
    console.now_epoch = NINE
    (before,) = await shown(console)
    # the database has the new card before the hub is asked what became of the old one
    comes(console, before)
    card = (await console.ask("carla", "POST", "/events/gpu-school/cards/seat01")).json()
    assert card["used_epoch"] == NINE and card["code"] != before["code"]
    assert ("seat01", "take-seat", "") in await record(console)
    assert (await shown(console))[0]["code"] == card["code"], "the new card can still be used"
    console.now_epoch = NINE + HOUR
    comes(console, card)
    await rounds(console)
    assert (await shown(console))[0]["code"] == ""
    assert (await shown(console))[0]["used_epoch"] == NINE
    console.now_epoch = ENDS
    await rounds(console)
    assert (await pool(console))["seat01"] == "kept gpu-school"


async def test_what_another_event_left_in_a_seat_is_none_of_this_one_s_uses(console: Console) -> None:
    await console.create(temporary_seats=1)
    console.now_epoch = NINE
    (card,) = await shown(console)
    comes(console, card, event="another")
    await rounds(console)
    assert (await shown(console))[0] == card


async def test_all_cards_can_be_made_new_by_the_page_s_button(console: Console) -> None:
    await console.create(temporary_seats=2)
    before = {card["code"] for card in await shown(console)}
    page = await console.visit("carla", "event/gpu-school/cards", {"seat": "seat02"})
    assert (page.status_code, page.headers["Location"]) == (303, "/services/events/event/gpu-school/cards#seat-seat02")
    assert len(before & {card["code"] for card in await shown(console)}) == 1
    assert (await console.visit("carla", "event/gpu-school/cards", {})).status_code == 303
    assert not before & {card["code"] for card in await shown(console)}
    assert (await console.visit("carla", "event/gpu-school/cards", {"seat": "seat09"})).status_code == 404


async def test_the_room_says_whose_card_was_not_used(console: Console) -> None:
    await console.create(temporary_seats=2)
    console.now_epoch = NINE
    await taken(console, "seat01")
    console.hub.sessions = [session("seat01"), session("seat02")]
    tiles = (await console.ask("carla", "GET", "/events/gpu-school/room")).json()
    assert [(tile["name"], tile["state"], tile["says"]) for tile in tiles] == [
        ("seat01", "working", ""),
        ("seat02", "working", "Its card was not used yet."),
    ]


async def test_start_all_starts_seats_before_anybody_comes(console: Console) -> None:
    await console.create(temporary_seats=2)
    console.now_epoch = NINE
    await console.ask("carla", "POST", "/events/gpu-school/room/start")
    await console.rooms.settled()
    assert console.hub.choice("seat02", "gpu-school")["event"] == "gpu-school"


# The way back


async def test_what_never_opened_gives_its_seats_back_at_once(console: Console) -> None:
    await console.create(temporary_seats=4, seats=4)
    await console.ask("carla", "POST", "/events/gpu-school/close")
    assert set((await pool(console)).values()) == {"free"} and console.hub.handed_over == []
    assert (await console.ask("carla", "GET", "/events/gpu-school/cards")).status_code == 409
    assert (await console.create(title="Next", temporary_seats=4, seats=4))["participants"][3]["name"] == "seat04"


async def test_used_seats_keep_their_files_and_come_back_wiped(console: Console) -> None:
    await console.create(temporary_seats=3, seats=3)
    console.now_epoch = NINE
    await taken(console, "seat01")
    console.hub.sessions = [session("seat02")]
    await once(console.verbs)
    console.now_epoch, console.hub.sessions = ENDS + 1, []
    await rounds(console)
    assert await pool(console) == {
        "seat01": "kept gpu-school",
        "seat02": "kept gpu-school",
        "seat03": "free",
        "seat04": "free",
    }, "nobody came to seat03 and nothing ran in it"
    assert console.hub.handed_over == []
    console.now_epoch = ENDS + 7 * DAY
    await rounds(console)
    assert console.hub.handed_over == ["seat01", "seat02"]
    assert set((await pool(console)).values()) == {"free"}
    assert ("console", "return-seats", "seat01") in await record(console)


async def test_a_card_that_is_used_in_the_last_second_is_not_forgotten(console: Console) -> None:
    await console.create(temporary_seats=1, seat_files_days=0)
    (card,) = await shown(console)
    console.now_epoch = ENDS - 1
    comes(console, card)
    console.now_epoch = ENDS
    await rounds(console)
    assert console.hub.events == [] and console.hub.handed_over == ["seat01"]


async def test_a_seat_that_the_hub_still_has_somebody_in_is_handed_over_although_nobody_used_it(
    console: Console,
) -> None:
    await console.create(temporary_seats=2, seats=2)
    first, _ = await shown(console)
    console.now_epoch = NINE
    comes(console, first, event="another")
    console.now_epoch = ENDS
    await once(console.verbs)
    console.hub.not_clean = "A job of seat01 is still there."
    await rounds(console)
    assert await pool(console) == {"seat01": "due gpu-school", **dict.fromkeys(POOL[1:], "free")}
    console.hub.not_clean = ""
    await rounds(console)
    assert console.hub.handed_over == ["seat01"] and set((await pool(console)).values()) == {"free"}


async def test_a_seat_that_is_free_here_and_taken_at_the_hub_can_be_handed_over(console: Console) -> None:
    comes(console, {"seat": "seat02", "code": "ABCD-EFGH-JKLM"}, event="another")
    assert (await pool(console))["seat02"] == "free"
    assert (await console.ask("admin", "POST", "/seats/seat02/hand-over")).json()["use"] == "free"
    assert console.hub.handed_over == ["seat02"]
    assert (await console.ask("admin", "POST", "/seats/seat03/hand-over")).json()["use"] == "free"
    assert console.hub.handed_over == ["seat02"], "nobody is in seat03"


async def test_a_seat_that_cannot_be_handed_over_is_tried_again_and_said(console: Console) -> None:
    await console.create(temporary_seats=1, seat_files_days=0)
    console.now_epoch = NINE
    await taken(console, "seat01")
    console.now_epoch, console.hub.not_clean = ENDS, "A job of seat01 is still there."
    seats = Seats(console.verbs)
    await once(console.verbs)
    await seats.keep()
    assert (await pool(console))["seat01"] == "due gpu-school"
    assert "return-refused" not in str(await record(console)), "a job needs a while to be gone"
    console.now_epoch += PATIENCE_SECONDS
    await seats.keep()
    (told,) = [each for each in (await console.ask("admin", "GET", "/seats")).json() if each["event"]]
    assert (told["account"], told["use"], told["trouble"]) == ("seat01", "due", "A job of seat01 is still there.")
    assert "seat01 could not be handed over" in (await console.visit("admin", "event/gpu-school")).text
    assert "could not be handed over" not in (await console.visit("carla", "event/gpu-school")).text
    console.hub.not_clean = ""
    await seats.keep()
    assert console.hub.handed_over == [], "not before a while"
    console.now_epoch += RETRY_SECONDS
    await seats.keep()
    assert console.hub.handed_over == ["seat01"] and (await pool(console))["seat01"] == "free"


async def test_where_an_administrator_wipes_a_seat_waits_for_them(tmp_path: Path) -> None:
    console = Console(tmp_path, catalogue_with(seats_after="by-hand"))
    await console.create(temporary_seats=1)
    console.now_epoch = NINE
    await taken(console, "seat01")
    answer = await console.ask("admin", "POST", "/seats/seat01/hand-over")
    assert answer.status_code == 409 and "files stay until 25 Mar 2030 01:46 (+00:00)" in answer.json()["message"]
    console.now_epoch = ENDS + 7 * DAY
    await rounds(console)
    assert (await pool(console))["seat01"] == "due gpu-school" and console.hub.handed_over == []
    assert (await console.ask("carla", "POST", "/seats/seat01/hand-over")).status_code == 403
    assert (await console.ask("admin", "POST", "/seats/seat01/hand-over")).json()["use"] == "free"
    assert console.hub.handed_over == ["seat01"] and (await pool(console))["seat01"] == "free"
    assert (await console.ask("admin", "POST", "/seats/ada/hand-over")).status_code == 409


async def test_the_pool_is_for_administrators(console: Console) -> None:
    assert (await console.ask("carla", "GET", "/seats")).status_code == 403


# The days after


async def test_the_page_says_which_kind_of_seat_somebody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CALLERS, "seat01", Caller("seat01"))
    console = Console(tmp_path, catalogue_with(files_profile="general/data-preparation"))
    code = (await console.create(seats=3, temporary_seats=2))["code"]
    console.now_epoch = NINE
    await taken(console, "seat01")
    await console.ask("ada", "POST", "/join", {"code": code})
    assert "temporary seat seat01" in (await console.visit("seat01", "event/gpu-school")).text
    assert "your own account" in (await console.visit("ada", "event/gpu-school")).text
    console.now_epoch = ENDS
    page = await console.visit("seat01", "event/gpu-school")
    assert "/hub/spawn?event=gpu-school-files&amp;profile=general/data-preparation" in page.text
    assert "GPU school" in (await console.visit("seat01", "")).text
    assert (await console.visit("ada", "event/gpu-school")).status_code == 404
    assert (await console.visit("seat01", "event/gpu-school/start", {})).status_code == 409
    console.now_epoch = ENDS + 7 * DAY
    assert (await console.visit("seat01", "event/gpu-school")).status_code == 404


async def test_those_who_used_a_seat_fetch_their_files_in_an_event_of_its_own(tmp_path: Path) -> None:
    console = Console(tmp_path, catalogue_with(files_profile="general/data-preparation"))
    await console.create(temporary_seats=2)
    console.now_epoch = NINE
    await taken(console, "seat01")
    console.now_epoch = ENDS
    await rounds(console)
    (told,) = console.hub.events
    assert (told["slug"], told["members"], told["profiles"]) == (
        "gpu-school-files",
        ["seat01"],
        ["general/data-preparation"],
    )
    assert (told["opens_epoch"], told["closes_epoch"], told["reservation"]) == (ENDS, ENDS + 7 * DAY, None)
    assert [each["account"] for each in told["seats"]] == ["seat01"]
    console.now_epoch = ENDS + 7 * DAY
    await rounds(console)
    assert console.hub.events == []


async def test_nothing_is_offered_after_an_event_where_the_site_names_no_profile(console: Console) -> None:
    await console.create(temporary_seats=1)
    console.now_epoch = NINE
    await taken(console, "seat01")
    console.now_epoch = ENDS
    await rounds(console)
    assert console.hub.events == []


async def test_no_event_gets_the_name_of_another_s_files(console: Console) -> None:
    await console.create()
    assert (await console.create(title="GPU school files"))["slug"] == "gpu-school-files-2"
