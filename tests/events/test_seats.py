"""Temporary seats for real: a card opens one, once; who is in it, and until when; what is left of it."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.access import judge
from tests.support.audit import events
from tests.support.seats import Guest, Lender, alert, digest_of, new_code
from tests.support.site import Site
from tests.support.visitor import NARROW, Visitor
from tests.support.wait import until

SEAT = "seat31"
CHOICE = {"profile": "general/pytorch", "size": "small", "event": "school"}


@pytest.fixture
def lender(site: Site) -> Iterator[Lender]:
    """Whoever lends accounts; they are ordinary ones again afterwards."""
    found = Lender(site)
    yield found
    found.end()
    site.stop_servers()
    until(lambda: found.hand_over(SEAT)[0] == 204, f"{SEAT} to be handed over", 120, pause=2)


def audited(site: Site) -> list[tuple[Any, ...]]:
    """What the record says of seats."""
    found = [each for each in events(site, "sign-in") if each["action"].startswith("seat-")]
    return [(each["action"], each.get("username"), each.get("event"), each.get("reason")) for each in found]


def test_a_person_with_a_phone_takes_a_seat_by_its_card(site: Site, lender: Lender, visitor: Visitor) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    visitor.go("/hub/login")
    visitor.page.get_by_role("link", name="I have a card for a seat of an event").click()
    judge(visitor, "seat-code")
    visitor.page.set_viewport_size({"width": NARROW, "height": 740})
    visitor.page.get_by_label("Code of your card").fill("AAAA-BBBB-CCCC")
    visitor.page.get_by_role("button", name="Next").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("This card opens no seat.")
    judge(visitor, "seat-refused")
    visitor.go(f"/hub/hpchub/seat?code={code}")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("GPU school")
    judge(visitor, "seat")
    visitor.page.set_viewport_size({"width": NARROW, "height": 740})
    visitor.page.get_by_role("button", name="Take this seat").click()
    visitor.page.wait_for_url("**/services/events/event/school")
    visitor.go("/hub/hpchub/me")
    expect(visitor.page.locator("main")).to_contain_text(f"{SEAT} of GPU school, until ")
    judge(visitor, "seat-me")
    visitor.go(f"/hub/hpchub/seat?code={code}")
    # its own card leads on
    visitor.page.wait_for_url("**/services/events/event/school")


def test_whoever_is_signed_in_reads_it_in_their_language(site: Site, lender: Lender, italian_visitor: Visitor) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    italian_visitor.sign_in("ada")
    italian_visitor.go(f"/hub/hpchub/seat?code={code}")
    expect(italian_visitor.page.get_by_role("button", name="Esci come ada e prendi questo posto")).to_be_visible()
    judge(italian_visitor, "seat-instead")
    italian_visitor.page.get_by_role("link", name="English").click()
    expect(italian_visitor.page.get_by_role("button", name="Sign ada out and take this seat")).to_be_visible()


def test_no_log_and_no_file_has_a_code(site: Site, lender: Lender) -> None:
    right, wrong = new_code(), new_code()
    lender.lend({SEAT: right})
    guest = Guest(site.url)
    guest.show(wrong)
    guest.type(wrong)
    guest.fetch(f"/hub/hpchub/language/it?next=%2Fhub%2Fhpchub%2Fseat%3Fcode%3D{wrong}")
    # not one of our forms: JupyterHub refuses it with words about the request
    guest.fetch(f"/hub/hpchub/seat?code={wrong}", {"code": wrong, "take": "1"})
    guest.take(right)
    assert guest.who == SEAT
    texts = {path: path.read_text(errors="replace") for path in (site.folder / "hub").glob("*") if path.is_file()}
    texts = {path: text for path, text in texts.items() if "sqlite" not in path.name}
    assert "/hub/hpchub/seat?code=[secret]" in texts[site.hub_log]
    for code in (right, wrong):
        spellings = (code, code.replace("-", ""), code.replace("-", "%2D"))
        assert [str(path) for path, text in texts.items() if any(each in text for each in spellings)] == []


def test_a_card_opens_its_seat_once(site: Site, lender: Lender) -> None:
    code, before = new_code(), len(audited(site))
    lender.lend({SEAT: code})
    first, second = Guest(site.url), Guest(site.url)
    open_page = second.show(code)
    assert first.take(code).url == f"{site.url}/services/events/event/school"
    assert first.who == SEAT
    assert alert(second.press(open_page)).startswith("This card has been used already.")
    assert (second.show(code).status, second.who) == (403, "")
    told = site.api("GET", "/hpchub/cards").json
    assert (told["taken"][SEAT]["event"], told["taken"][SEAT]["card"]) == ("school", digest_of(code))
    assert audited(site)[before:] == [
        ("seat-taken", SEAT, "school", None),
        ("seat-refused", None, None, "seat-used"),
        ("seat-refused", None, None, "seat-used"),
    ]


def test_a_new_card_signs_out_whoever_used_the_lost_one_when_it_is_used(site: Site, lender: Lender) -> None:
    lost, new = new_code(), new_code()
    lender.lend({SEAT: lost})
    finder, owner = Guest(site.url), Guest(site.url)
    finder.take(lost)
    token = site.token_of(SEAT)
    lender.lend({SEAT: new})
    assert finder.who == SEAT
    owner.take(new)
    assert (owner.who, finder.who) == (SEAT, "")
    assert site.api("GET", "/user", token=token).status == 403
    assert alert(finder.show(lost)).startswith("This card opens no seat."), "a void card looks like none"


def test_a_server_that_was_started_before_anybody_came_goes_on(site: Site, lender: Lender, small_servers: None) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    session = site.run(SEAT, CHOICE)
    Guest(site.url).take(code)
    assert site.session(SEAT)["phase"] == "ready"
    job = site.slurm(f"squeue -h -M leonardo -j {session['job_id']} -o %T").split()[-1]
    assert job == "RUNNING"


def test_an_event_that_ends_leaves_nobody_in_its_seats(site: Site, lender: Lender, small_servers: None) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    guest = Guest(site.url)
    guest.take(code)
    token = site.token_of(SEAT)
    site.run(SEAT, CHOICE)
    ended = time.monotonic()
    lender.end()
    until(lambda: site.api("GET", "/user", token=token).status == 403, "the token to be dead", 60)
    until(lambda: not site.live_jobs_of(SEAT), "the job to be gone", 60)
    assert guest.who == ""
    assert time.monotonic() - ended < 60
    assert ("seat-ended", SEAT, "school", None) in audited(site)


def test_an_account_that_is_lent_takes_no_password(site: Site, lender: Lender) -> None:
    before = Guest(site.url)
    before.sign_in_by_password(SEAT)
    token = site.token_of(SEAT)
    assert before.who == SEAT
    lender.lend({SEAT: new_code()})
    until(lambda: before.who == "", "the earlier browser to be out", 60)
    until(lambda: site.api("GET", "/user", token=token).status == 403, "the earlier token to be dead", 60)
    page = before.sign_in_by_password(SEAT)
    assert "only the seat&#39;s card opens it" in page.source
    assert before.who == ""
    assert events(site, "sign-in")[-1]["reason"] == "seat"
    lender.end()
    before.sign_in_by_password(SEAT)
    assert before.who == SEAT, "nobody used it, so it is an ordinary account at once"


def test_whoever_is_signed_in_is_told_and_asked_first(site: Site, lender: Lender) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    ada = Guest(site.url)
    ada.sign_in_by_password("ada")
    page = ada.show(code)
    assert "In this browser ada is signed in. If you take the seat, ada is signed out here." in page.source
    ada.fetch(
        "/hub/hpchub/seat", {**{"take": "1", "code": code}, "_xsrf": page.source.split('value="')[1].split('"')[0]}
    )
    assert ada.who == "ada", "a form that does not say so signs nobody out"
    ada.press(ada.show(code))
    assert ada.who == SEAT
    assert SEAT in ada.fetch("/services/events/").source


def test_wrong_codes_are_counted_for_a_browser_and_not_for_the_room(site: Site, lender: Lender) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    guesser, neighbour = Guest(site.url), Guest(site.url)
    assert [guesser.type(new_code()).status for _ in range(11)] == [403] * 10 + [429]
    assert alert(guesser.show(code)).startswith("You have typed many wrong codes.")
    neighbour.take(code)
    assert neighbour.who == SEAT


def test_a_card_that_comes_too_early_or_of_another_pool_says_so(site: Site, lender: Lender) -> None:
    early, foreign = new_code(), new_code()
    lender.lend({SEAT: early}, opens_epoch=int(time.time()) + 600)
    assert "opens its seat from" in alert(Guest(site.url).show(early))
    lender.lend({"ada": foreign})
    assert "not one that this service may lend" in alert(Guest(site.url).show(foreign))
    ada = Guest(site.url)
    ada.sign_in_by_password("ada")
    assert ada.who == "ada"


def test_nothing_is_left_of_a_seat_that_was_handed_over(site: Site, lender: Lender, small_servers: None) -> None:
    code = new_code()
    lender.lend({SEAT: code})
    Guest(site.url).take(code)
    session = site.run(SEAT, CHOICE)
    entry = pwd.getpwnam(SEAT)
    home, elsewhere = Path(entry.pw_dir), site.folder / "precious"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    for path in (elsewhere, elsewhere / "file"):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    site.slurm(f"mkdir -p {home}/work/deep && touch {home}/work/deep/data && ln -s {elsewhere} {home}/link", SEAT)
    assert (home / ".local" / "share" / "hpchub" / f"{session['id']}.log").exists()
    assert lender.hand_over(SEAT) == (409, f"{SEAT} is lent to school.")
    lender.end()
    assert Guest(site.url).sign_in_by_password(SEAT).status == 403, "the files are the seat's until then"
    until(lambda: lender.hand_over(SEAT)[0] == 204, "the account to be handed over", 120, pause=0.2)
    skeleton = sorted(path.name for path in Path("/etc/skel").iterdir())
    assert sorted(path.name for path in home.iterdir()) == skeleton
    assert (elsewhere / "file").read_text() == "kept"
    assert site.server(SEAT) == {} or site.server(SEAT)["user_options"] in (None, {})
    told = site.api("GET", "/hpchub/cards").json
    assert SEAT not in told["taken"] and digest_of(code) not in str(told)
    assert ("seat-handed-over", SEAT, None, None) in audited(site)
    again = Guest(site.url)
    again.sign_in_by_password(SEAT)
    assert again.who == SEAT


def test_a_job_that_the_hub_knows_nothing_of_keeps_the_home(site: Site, lender: Lender) -> None:
    home = pwd.getpwnam(SEAT).pw_dir
    command = f"cd {home} && sbatch --parsable -M leonardo -p lrd_all_serial -A tra26_hack -t 5 --wrap 'sleep 300'"
    job = site.slurm(command, SEAT).split(";")[0].strip()
    site.slurm(f"touch {home}/data", SEAT)
    try:
        status, message = lender.hand_over(SEAT)
        assert (status, f"there are still jobs on leonardo: {job}" in message) == (409, True), message
        assert Path(home, "data").exists()
    finally:
        site.slurm(f"scancel -M leonardo {job}")


def test_only_an_account_of_the_pool_is_handed_over_and_only_by_who_may_change_groups(site: Site) -> None:
    home = Path(pwd.getpwnam("ada").pw_dir)
    (home / "work.txt").write_text("hers")
    assert Lender(site).hand_over("ada") == (404, "ada is not in the site's pool of seats.")
    token = site.token_of("carla")
    assert site.api("POST", f"/hpchub/seats/{SEAT}/hand-over", token=token).status == 403
    assert site.api("GET", "/hpchub/cards", token=token).status == 403
    assert (home / "work.txt").read_text() == "hers"
    (home / "work.txt").unlink()


def test_a_sign_in_form_that_is_too_old_says_so(site: Site) -> None:
    page = Guest(site.url).fetch("/hub/login", {"username": "ada", "password": "demo", "_xsrf": "of yesterday"})
    assert (page.status, alert(page)) == (403, "This page was open for too long. Try again.")
