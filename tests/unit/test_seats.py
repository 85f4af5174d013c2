"""Temporary seats: what a site's pool is, what a card opens at a time, and who may be in an account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpchub.catalogue.event import Event, SeatCard
from hpchub.catalogue.seats import Pool, expanded, pool_of
from hpchub.signin import cards
from hpchub.signin.cards import Seat, Taken, as_typed, digest_of, opened
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.seats import WRONG_CODES, Seats, SeatsUnreadable

CODE, OTHER = "K7QF3MXBA4C6", "AAAABBBBCCCC"
POOL = ("seat01", "seat02")
NOW = 1_000_000


def used(seats: Seats) -> list[str]:
    """The digests of the cards whose accounts are not handed over."""
    return [taken.card for taken in seats.not_handed_over().values()]


def event(slug: str = "school", card: str | None = CODE, account: str = "seat01", **changes: Any) -> Event:
    """An event that is open from 1,000 s before now to 1,000 s after, and lends a seat for 1,000 s more."""
    values = {
        "slug": slug,
        "title": "GPU school",
        "opens_epoch": NOW - 1000,
        "closes_epoch": NOW + 1000,
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "profiles": ["general/*"],
        "seats": [
            {
                "account": account,
                "card": card and digest_of(card),
                "until_epoch": changes.pop("until_epoch", NOW + 2000),
            }
        ],
    }
    return Event.model_validate({**values, **changes})


@pytest.mark.parametrize(
    ("entry", "accounts"),
    [
        ("seat07", ["seat07"]),
        ("seat[01-03]", ["seat01", "seat02", "seat03"]),
        ("seat[8-11]", ["seat8", "seat9", "seat10", "seat11"]),
        ("seat[098-101]", ["seat098", "seat099", "seat100", "seat101"]),
        ("tra_[1,3-4]", ["tra_1", "tra_3", "tra_4"]),
    ],
)
def test_an_entry_of_the_pool_stands_for_its_accounts(entry: str, accounts: list[str]) -> None:
    assert list(expanded(entry)) == accounts


@pytest.mark.parametrize(
    "entry",
    ["Seat01", "seat[]", "seat[3-1]", "seat[1-]", "seat[a-b]", "seat[0-99999]", "seat[1]x", "root;", "a" * 33, ""],
)
def test_what_is_no_entry_of_a_pool_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"seat\[01-40\]"):
        expanded(entry)


def test_the_pool_has_each_account_once_and_a_site_without_a_console_has_none() -> None:
    console = SimpleNamespace(seats=("seat02", "seat[01-03]"))
    assert pool_of(SimpleNamespace(console=console)) == ("seat02", "seat01", "seat03")
    assert pool_of(SimpleNamespace(console=None)) == ()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("K7QF-3MXB-A4C6", CODE),
        (" k7qf 3mxb\ta4c6 ", CODE),
        ("k7qf–3mxb—a4c6", CODE),
        ("K7QF-3MXB-A4C", ""),
        ("K7QF-3MXB-A4C6X", ""),
        ("K7QF_3MXB_A4C6", ""),
        ("é" * 12, ""),
        ("", ""),
        ("A" * 100_000, ""),
    ],
    ids=lambda text: text[:16],
)
def test_a_code_is_read_as_people_type_it(typed: str, code: str) -> None:
    assert as_typed(typed) == code


@pytest.mark.parametrize(
    ("events", "taken", "reason"),
    [
        ([event()], {}, None),
        ([event(card=OTHER)], {}, "seat-unknown"),
        ([event(card=None)], {}, "seat-unknown"),
        ([], {}, "seat-unknown"),
        ([event(opens_epoch=NOW + 1)], {}, "seat-early"),
        ([event(opens_epoch=NOW)], {}, None),
        ([event(closes_epoch=NOW)], {}, "seat-over"),
        ([event(until_epoch=NOW)], {}, "seat-over"),
        ([event()], {"seat01": Taken("school", digest_of(CODE), 1)}, "seat-used"),
        ([event(closes_epoch=NOW)], {"seat01": Taken("school", digest_of(CODE), 1)}, "seat-used"),
        ([event()], {"seat01": Taken("school", digest_of(OTHER), 1)}, None),
        ([event("school-files")], {"seat01": Taken("school", digest_of(OTHER), 1)}, None),
        ([event()], {"seat01": Taken("another", digest_of(OTHER), 1)}, "seat-not-cleared"),
        ([event()], {"seat02": Taken("another", digest_of(OTHER), 1)}, None),
        ([event(account="ada")], {}, "seat-not-lendable"),
        ([event("a", closes_epoch=NOW), event("b")], {}, None),
    ],
)
def test_what_a_card_opens_now(events: list[Event], taken: dict[str, Taken], reason: str | None) -> None:
    if reason is None:
        assert opened(CODE, events, POOL, taken, NOW).account == "seat01"
        return
    with pytest.raises(SignInRefused) as refused:
        opened(CODE, events, POOL, taken, NOW)
    assert refused.value.reason == reason
    assert CODE not in f"{refused.value}{refused.value.advice}"


def test_a_card_that_comes_too_early_says_when_it_opens_in_the_zone_of_the_site() -> None:
    with pytest.raises(SignInRefused, match=r"1970-01-12 13:46 \+0000"):
        opened(CODE, [event(opens_epoch=NOW + 1)], POOL, {}, NOW, UTC)


Made = Callable[..., Seats]


@pytest.fixture
def seats(tmp_path: Path) -> Made:
    """A hub that was told these events; their times are about now."""

    def made(*events: Event, pool: tuple[str, ...] = POOL) -> Seats:
        return Seats(tmp_path / "seats.json", lambda: events, lambda: pool)

    return made


def around_now(**changes: Any) -> Event:
    now = int(time.time())
    times = {"opens_epoch": now - 100, "closes_epoch": now + 100, "until_epoch": now + 200}
    return event(**{**times, **changes})


def test_a_card_opens_its_seat_once_also_after_a_restart(seats: Made) -> None:
    told = around_now()
    assert seats(told).take(CODE).account == "seat01"
    again = seats(told)
    with pytest.raises(SignInRefused) as refused:
        again.take(CODE)
    assert refused.value.reason == "seat-used"
    assert used(again) == [digest_of(CODE)]


def test_the_code_itself_is_kept_nowhere(seats: Made, tmp_path: Path) -> None:
    seats(around_now()).take(CODE)
    assert CODE not in (tmp_path / "seats.json").read_text()
    assert (tmp_path / "seats.json").stat().st_mode & 0o077 == 0


def test_whose_an_account_is_from_the_lending_to_the_handing_over(seats: Made) -> None:
    told = around_now()
    assert seats().standing("seat01") is None, "an ordinary account"
    assert seats(told).standing("seat01") is False, "lent, and nobody has brought the card"
    seats(told).take(CODE)
    assert seats(told).standing("seat01") is True
    assert seats(told).standing("seat02") is None
    assert seats(around_now(card=OTHER)).standing("seat01") is True, "a renewed card throws nobody out until it is used"
    assert seats(around_now(slug="school-files")).standing("seat01") is True
    assert seats(around_now(slug="another")).standing("seat01") is False
    assert seats().standing("seat01") is False, "the event is over, and the files are still there"
    assert seats(around_now(until_epoch=int(time.time()))).standing("seat01") is False
    seats().hand_over("seat01")
    assert seats().standing("seat01") is None


def test_a_renewed_card_is_of_the_same_event(seats: Made) -> None:
    seats(around_now()).take(CODE)
    assert seats(around_now(card=OTHER)).take(OTHER).account == "seat01"
    assert used(seats()) == [digest_of(OTHER)]
    (account, kept), *others = seats().not_handed_over().items()
    assert (account, kept.event, kept.card, others) == ("seat01", "school", digest_of(OTHER), [])


def test_an_account_that_is_not_in_the_pool_is_never_lent(seats: Made) -> None:
    told = around_now(account="ada")
    assert seats(told).standing("ada") is None, "ada goes on signing in as ada"
    with pytest.raises(SignInRefused):
        seats(told).take(CODE)


def test_whoever_is_in_an_account_stays_in_when_it_leaves_the_pool(seats: Made) -> None:
    told = around_now()
    seats(told).take(CODE)
    assert seats(told, pool=()).standing("seat01") is True
    assert seats(pool=()).standing("seat01") is False, "and is out when the event is over"


@pytest.mark.parametrize("before", [None, OTHER])
def test_a_card_whose_taking_fails_is_not_spent(seats: Made, before: str | None) -> None:
    if before:
        seats(around_now(card=before)).take(before)
    found = seats(around_now())
    kept = found.taken("seat01")
    with pytest.raises(RuntimeError), found.taking(CODE) as seat:
        assert found.taken(seat.account) != kept
        raise RuntimeError("the database is away")
    assert (found.taken("seat01"), seats(around_now()).taken("seat01")) == (kept, kept)
    with found.taking(CODE):
        pass
    assert used(seats()) == [digest_of(CODE)]


def test_a_taking_that_fails_gives_nothing_back_that_somebody_else_took(seats: Made) -> None:
    told = event_of_two_cards()
    found = seats(told)
    with pytest.raises(RuntimeError), found.taking(CODE):
        found.take(OTHER)
        raise RuntimeError("the database is away")
    assert used(found) == [digest_of(OTHER)]


def event_of_two_cards() -> Event:
    first, second = around_now().seats[0], around_now(card=OTHER).seats[0]
    return around_now(seats=[first, second])


def test_the_pool_is_made_again_only_of_another_site() -> None:
    site = SimpleNamespace(console=SimpleNamespace(seats=("seat[01-03]",)))
    pool = Pool(lambda: site)
    assert pool() == {"seat01", "seat02", "seat03"}
    assert pool() is pool()
    site = SimpleNamespace(console=SimpleNamespace(seats=("seat07",)))
    assert pool() == {"seat07"}


@pytest.mark.parametrize("text", ["{", "[]", '{"seat01": 1}', '{"seat01": {"event": "school"}}'])
def test_a_file_that_cannot_be_read_opens_no_seat_and_stays(seats: Made, tmp_path: Path, text: str) -> None:
    (tmp_path / "seats.json").write_text(text)
    broken = seats(around_now())
    with pytest.raises(SeatsUnreadable, match=r"seats\.json"):
        broken.take(CODE)
    with pytest.raises(SeatsUnreadable):
        broken.hand_over("seat01")
    assert (tmp_path / "seats.json").read_text() == text


def test_a_full_disk_spends_no_card(seats: Made, tmp_path: Path) -> None:
    found = seats(around_now())
    (tmp_path / "seats.json").mkdir()
    with pytest.raises(SeatsUnreadable):
        found.take(CODE)
    assert (found.standing("seat01"), used(found)) == (False, [])


def test_wrong_codes_are_counted_for_who_gives_them_and_a_room_waits_for_nobody(seats: Made) -> None:
    found = seats(around_now())
    for _ in range(WRONG_CODES):
        found.check_guesses("browser a")
        found.note_guess("browser a")
    with pytest.raises(SignInRefused) as refused:
        found.check_guesses("browser a")
    assert refused.value.reason == "seat-too-often"
    assert 0 < refused.value.retry_after_seconds <= 60
    for number in range(40):
        found.check_guesses(f"browser {number}")


def test_a_thousand_guesses_from_ever_new_browsers_fill_no_record(seats: Made) -> None:
    found = seats(around_now())
    recorded = sum(found.is_recorded(f"{number:012}") for number in range(20_000))
    assert 900 < recorded < 1100
    assert found.take(CODE).account == "seat01", "and keep no card from opening its seat"


def test_a_seat_belongs_to_its_event_and_to_the_time_for_files_after_it() -> None:
    seat = Seat(event("school-files"), SeatCard(account="seat01", until_epoch=1))
    assert seat.goes_on(None)
    assert seat.goes_on(Taken("school", "", 1))
    assert not seat.goes_on(Taken("scho", "", 1))
    assert cards.lent(cards.by_account([event(until_epoch=NOW)])["seat01"], NOW) is None


def test_the_file_says_which_event_and_which_card(seats: Made, tmp_path: Path) -> None:
    seats(around_now()).take(CODE)
    (kept,) = json.loads((tmp_path / "seats.json").read_text()).items()
    assert kept[0] == "seat01"
    assert (kept[1]["event"], kept[1]["card"]) == ("school", digest_of(CODE))
