"""Changing an event after it was created: what can be changed by whom, and what follows from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.data.console import HOUR, NINE, Console, catalogue_with_approval

NOON = NINE + 3 * HOUR


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


@pytest.fixture
def strict(tmp_path: Path) -> Console:
    """A console of a site where administrators approve events."""
    return Console(tmp_path, catalogue_with_approval())


async def change(console: Console, who: str = "carla", **changes: Any) -> Any:
    return await console.ask(who, "PATCH", "/events/gpu-school", changes)


async def test_what_is_not_named_stays_and_the_record_says_what_was_changed(console: Console) -> None:
    before = await console.create(description="Bring a laptop.", minutes=90)
    answer = await change(console, title="GPU school, again", seats=5, people=["ada"], description="Bring nothing.")
    assert answer.status_code == 200
    after = answer.json()
    assert after["slug"] == before["slug"] and after["code"] == before["code"]
    assert {name: after["plan"][name] for name in ("title", "seats", "people", "minutes")} == {
        "title": "GPU school, again",
        "seats": 5,
        "people": ["ada"],
        "minutes": 90,
    }
    assert console.hub.events[0]["title"] == "GPU school, again"
    (act,) = [act for act in console.verbs.store.record("gpu-school") if act.verb == "change"]
    assert act.who == "carla"
    assert act.detail == "title: GPU school → GPU school, again; description; seats: 2 → 5; people: none → ada"


async def test_nothing_that_differs_is_no_change(console: Console) -> None:
    await console.create()
    assert (await change(console, seats=2)).status_code == 200
    assert [act.verb for act in console.verbs.store.record("gpu-school")] == ["create"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seats": 201}, "An event has at most 200 seats here."),
        ({"cluster": "next"}, "There is no cluster next."),
        ({"profile": "general/nothing"}, "There is no profile general/nothing on leonardo."),
        ({"size": "huge"}, "has no size huge"),
        ({"starts_epoch": 1, "ends_epoch": 2}, "its end is past"),
        ({"ends_epoch": NINE}, "ends_epoch"),
        ({"by_code": False}, "by_code"),
        ({"seats": "many"}, "seats"),
        ({"slug": "other"}, "slug"),
        ({"title": None}, "title"),
    ],
)
async def test_the_rules_are_those_of_the_creation(console: Console, changes: dict[str, Any], words: str) -> None:
    before = await console.create()
    answer = await change(console, **changes)
    assert answer.status_code == 400 and words in answer.json()["message"]
    assert (await console.ask("carla", "GET", "/events/gpu-school")).json() == before


async def test_seats_that_are_taken_stay(console: Console) -> None:
    code = (await console.create(seats=3))["code"]
    console.now_epoch = NINE
    for name in ("ada", "bruno"):
        await console.ask(name, "POST", "/join", {"code": code})
    assert (await change(console, seats=2)).status_code == 200
    answer = await change(console, seats=1)
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "2 seats are taken or lent: the event cannot have fewer.",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "it4lia"},
        {"allocation": "tra26_other"},
        {"reservation": "s_tra_other"},
        {"starts_epoch": NOON},
        {"setup_minutes": 60},
    ],
)
async def test_what_has_come_true_stays_while_an_event_is_open(console: Console, changes: dict[str, Any]) -> None:
    await console.create()
    assert (await change(console, **{**changes, "title": "Planned"})).status_code == 200
    await change(console, title="GPU school")
    console.now_epoch = NOON - 1
    undone: dict[str, Any] = {
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "reservation": None,
        "starts_epoch": NINE,
    }
    undone["setup_minutes"] = 30
    answer = await change(console, **{name: undone[name] for name in changes})
    assert answer.status_code == 400 and "While an event is open" in answer.json()["message"]


async def test_an_event_that_is_open_can_have_more_seats_another_size_and_an_earlier_end(console: Console) -> None:
    await console.create()
    console.now_epoch = NINE
    answer = await change(console, seats=9, size="small", minutes=60, ends_epoch=NOON)
    assert answer.status_code == 200 and console.hub.events[0]["closes_epoch"] == NOON


async def test_what_is_over_is_not_changed(console: Console) -> None:
    await console.create()
    await console.ask("carla", "POST", "/events/gpu-school/close")
    assert (await change(console, seats=5)).status_code == 409


async def test_a_code_comes_and_goes_with_the_plan(console: Console) -> None:
    event = await console.create(people=["ada"])
    assert (await change(console, by_code=False)).json()["code"] is None
    code = (await change(console, by_code=True)).json()["code"]
    assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", code) and code != event["code"]


async def test_trainers_come_and_go_but_for_who_created_it(console: Console) -> None:
    await console.create(trainers=["teresa"])
    console.hub.servers["teresa"] = {"gpu-school": {"ready": True, "user_options": {"event": "gpu-school"}}}
    assert (await change(console, "teresa", trainers=["bruno"])).json()["trainers"] == ["carla", "bruno"]
    assert (await change(console, "teresa", seats=3)).status_code == 404
    assert console.hub.servers["teresa"] == {}, "the end of the event would not find it"


async def test_who_may_not_decide_asks_again_and_only_for_what_matters(strict: Console) -> None:
    await strict.create()
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    assert (await change(strict, title="GPUs", description="Bring a laptop.")).json()["state"] == "planned"
    assert (await change(strict, seats=3)).json()["state"] == "requested"
    assert strict.hub.events == [], "nobody can join before it was decided about"
    assert (await change(strict, "admin", seats=4)).json()["state"] == "requested"
    assert (await strict.ask("admin", "POST", "/events/gpu-school/approve")).json()["state"] == "planned"
    assert (await change(strict, "admin", seats=5)).json()["state"] == "planned"


async def test_an_event_that_is_open_is_not_changed_behind_those_who_approve(strict: Console) -> None:
    await strict.create()
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    strict.now_epoch = NINE
    answer = await change(strict, seats=3)
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "Ask an administrator to change this: the event is open, and it needs approval.",
    )
    assert (await change(strict, title="GPUs")).json()["state"] == "open"


async def test_an_allocation_that_one_may_not_use_needs_approval(console: Console) -> None:
    await console.create()
    console.hub.associated = frozenset()
    assert (await change(console, allocation="tra26_other")).json()["state"] == "requested"


async def test_two_events_do_not_come_to_share_a_reservation_that_the_hub_makes(console: Console) -> None:
    await console.create(reservation="hpchub_one")
    await console.create(title="Other", reservation="hpchub_two")
    answer = await change(console, reservation="hpchub_two")
    assert answer.status_code == 400 and "is that of another event" in answer.json()["message"]


async def test_a_reservation_that_was_made_keeps_its_name_and_its_account(console: Console) -> None:
    await console.create(reservation="hpchub_one")
    console.verbs.store.note("gpu-school", "console", NINE, "reservation-made", "hpchub_one: 1")
    for changes in ({"reservation": None}, {"allocation": "tra26_other"}, {"cluster": "it4lia"}):
        answer = await change(console, **changes)
        assert answer.status_code == 400 and "was made for this event" in answer.json()["message"]
    assert (await change(console, seats=9)).status_code == 200


async def test_a_rehearsal_of_something_else_is_forgotten(console: Console) -> None:
    await console.create()
    tried = {"by": "carla", "language": "en", "asked_epoch": 1, "until_epoch": 2, "step": "done", "ready": True}

    def remember(row: Any, _: Any) -> None:
        row.rehearsal = tried

    console.verbs.store.change("gpu-school", "carla", NINE, "rehearsed", remember)
    assert (await change(console, seats=9)).json()["rehearsal"]["ready"]
    assert (await change(console, size="small")).json()["rehearsal"] is None


@pytest.mark.parametrize(("who", "status"), [("teresa", 404), ("ada", 404), ("", 403), ("admin", 200)])
async def test_only_those_who_manage_an_event_change_it(console: Console, who: str, status: int) -> None:
    await console.create()
    assert (await change(console, who, title="Mine")).status_code == status
    page = await console.visit(who, "event/gpu-school/change")
    assert page.status_code == (303 if not who else status)


def fields(page: str) -> dict[str, str]:
    """What a browser would send of a form that nobody has touched."""
    found = dict(re.findall(r'<input class="form-control" id="[^"]+" name="(\w+)" type="[^"]+" value="([^"]*)"', page))
    found |= {
        name: re.sub(r"\s*\Z", "", text)
        for name, text in re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)</textarea>', page)
    }
    for name, options in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)" selected>', options)
        found[name] = chosen[0] if chosen else ""
    found |= {name: "yes" for name in re.findall(r'type="checkbox" [^>]*name="(\w+)" value="yes" checked', page)}
    return found


async def test_the_form_has_what_the_event_is_and_sent_as_it_is_changes_nothing(console: Console) -> None:
    teams = [
        {"name": "Blu", "members": ["ada", "bruno"], "size": "small"},
        {"name": "Rossi", "members": ["dario"]},
    ]
    before = await console.create(
        seats=7,
        size="small",
        minutes=90,
        people=["teresa"],
        more_profiles=["climate/*"],
        teams=teams,
        groups=["school"],
    )
    page = await console.visit("carla", "event/gpu-school/change")
    assert page.status_code == 200 and "Save the changes" in page.text
    sent = await console.visit("carla", "event/gpu-school/change", fields(page.text))
    assert sent.status_code == 303, sent.text
    assert (await console.ask("carla", "GET", "/events/gpu-school")).json() == before
    await console.visit("carla", "event/gpu-school/change", {**fields(page.text), "seats": "8"})
    plan = (await console.ask("carla", "GET", "/events/gpu-school")).json()["plan"]
    assert plan == {**before["plan"], "seats": 8}, "what the form does not have stays"


async def test_names_that_the_form_would_split_stay_where_nobody_touches_them(console: Console) -> None:
    named: dict[str, Any] = {"groups": ["IT Staff;Rome", "IT Guests"], "people": ["Anna Rossi"], "seats": 5}
    before = await console.create(**named, teams=[{"name": "Blu", "members": ["Anna Rossi", "ada"]}])
    page = await console.visit("carla", "event/gpu-school/change")
    sent = await console.visit("carla", "event/gpu-school/change", {**fields(page.text), "title": "GPUs"})
    assert sent.status_code == 303, sent.text
    plan = (await console.ask("carla", "GET", "/events/gpu-school")).json()["plan"]
    assert plan == {**before["plan"], "title": "GPUs"}
    await console.visit("carla", "event/gpu-school/change", {**fields(page.text), "groups": "school"})
    plan = (await console.ask("carla", "GET", "/events/gpu-school")).json()["plan"]
    assert (plan["groups"], plan["people"]) == (["school"], before["plan"]["people"])


async def test_what_was_approved_meanwhile_is_not_changed_by_what_was_decided_before(
    strict: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    await strict.create()
    told_before = strict.verbs.store.record

    def approved_now(*arguments: Any) -> Any:
        strict.verbs.store.approve("gpu-school", "admin", int(strict.now_epoch))
        return told_before(*arguments)

    monkeypatch.setattr(strict.verbs.store, "record", approved_now)
    answer = await change(strict, seats=9)
    assert answer.status_code == 409 and "Somebody else has just changed this event" in answer.json()["message"]


async def test_what_is_wrong_stands_at_its_field(console: Console) -> None:
    await console.create()
    page = await console.visit("carla", "event/gpu-school/change")
    wrong = await console.visit("carla", "event/gpu-school/change", {**fields(page.text), "seats": "none"})
    assert wrong.status_code == 400 and 'id="event-seats-wrong"' in wrong.text and "Change the event" in wrong.text
