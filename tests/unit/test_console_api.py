"""The API of events: who may do what, who gets a seat, and what the hub is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpchub.console.plans import Plan
from hpchub.console.rounds import once
from tests.unit.data.console import HOUR, MINUTE, NINE, Console, catalogue_with_approval, plan
from tests.unit.test_docs import API, first_words, table


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


@pytest.fixture
def strict(tmp_path: Path) -> Console:
    """A console of a site where administrators approve events."""
    return Console(tmp_path, catalogue_with_approval())


async def test_a_trainer_creates_an_event_and_the_hub_knows_it(console: Console) -> None:
    event = await console.create(reservation="s_tra_school", size="small")
    assert (event["slug"], event["state"], event["trainers"]) == ("gpu-school", "planned", ["carla"])
    assert console.hub.events == [
        {
            "slug": "gpu-school",
            "title": "GPU school",
            "opens_epoch": NINE - 30 * MINUTE,
            "closes_epoch": NINE + 8 * HOUR,
            "members": ["carla"],
            "groups": [],
            "cluster": "leonardo",
            "allocation": "tra26_hack",
            "reservation": "s_tra_school",
            "profiles": ["general/pytorch"],
            "size": "small",
            "rehearsal": None,
            "messages": [],
            "hands": [],
            "helpers": [],
            "seats": [],
            "trainers": ["carla"],
            "teams": [],
            "material": None,
            "folders": False,
        }
    ]


async def test_two_events_of_one_title_have_different_names(console: Console) -> None:
    assert [(await console.create())["slug"] for _ in range(3)] == ["gpu-school", "gpu-school-2", "gpu-school-3"]


@pytest.mark.parametrize("who", ["ada", "dario"])
async def test_only_trainers_create_events(console: Console, who: str) -> None:
    answer = await console.ask(who, "POST", "/events", plan())
    assert (answer.status_code, answer.json()["message"]) == (403, "Only trainers create events.")
    assert console.hub.events == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cluster": "next"}, "There is no cluster next. Possible: leonardo, it4lia."),
        ({"profile": "general/nothing"}, "There is no profile general/nothing on leonardo."),
        ({"size": "huge"}, "Profile general/pytorch has no size huge. Possible: "),
        ({"seats": 201}, "An event has at most 200 seats here."),
        ({"trainers": [f"t{number}" for number in range(51)]}, "An event has at most 50 trainers"),
        ({"starts_epoch": 1, "ends_epoch": 2}, "its end is past"),
        ({"ends_epoch": NINE}, "ends_epoch"),
        ({"by_code": False}, "by_code"),
        ({"seats": 0}, "seats"),
        ({"seats": "2"}, "seats"),
        ({"rooms": 3}, "rooms: Extra inputs are not permitted"),
        ({"profile": "general/*"}, "profile"),
        ({"allocation": "a b"}, "allocation"),
        ({"title": " "}, "title"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_with_what_is_wrong(
    console: Console, changes: dict[str, Any], words: str
) -> None:
    answer = await console.ask("carla", "POST", "/events", plan(**changes))
    assert answer.status_code == 400 and words in answer.json()["message"]
    assert (await console.ask("carla", "GET", "/events")).json() == []


async def test_a_refusal_does_not_repeat_what_was_sent(console: Console) -> None:
    answer = await console.ask("carla", "POST", "/events", plan(title="x" * 200, secret="hunter2"))
    assert answer.status_code == 400 and "hunter2" not in answer.text and "xxx" not in answer.text


@pytest.mark.parametrize("who", ["", "mallory"])
async def test_a_token_of_the_hub_is_needed(console: Console, who: str) -> None:
    for method, path in [("GET", "/events"), ("POST", "/join"), ("GET", "/mine"), ("GET", "/events/gpu-school")]:
        answer = await console.ask(who, method, path, {"code": "x"} if method == "POST" else None)
        assert answer.status_code == 403


async def test_a_trainer_sees_only_their_own_events(console: Console) -> None:
    await console.create()
    other = await console.create("teresa", title="Other", trainers=["carla"])
    assert [event["slug"] for event in (await console.ask("teresa", "GET", "/events")).json()] == ["other"]
    assert {event["slug"] for event in (await console.ask("carla", "GET", "/events")).json()} == {"gpu-school", "other"}
    assert {event["slug"] for event in (await console.ask("admin", "GET", "/events")).json()} == {"gpu-school", "other"}
    assert other["trainers"] == ["teresa", "carla"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/record"), ("POST", "/close"), ("POST", "/code"), ("DELETE", "/code"), ("POST", "/approve")],
)
@pytest.mark.parametrize("who", ["teresa", "ada"])
async def test_what_is_not_ones_own_is_as_if_it_were_not_there(
    console: Console, who: str, method: str, path: str
) -> None:
    await console.create()
    not_there = await console.ask(who, method, f"/events/nothing{path}")
    not_theirs = await console.ask(who, method, f"/events/gpu-school{path}")
    assert not_there.status_code == not_theirs.status_code == 404
    assert not_there.json() == not_theirs.json()


async def test_an_administrator_approves_where_the_site_wants_that(strict: Console) -> None:
    event = await strict.create()
    assert event["state"] == "requested" and strict.hub.events == []
    strict.now_epoch = NINE
    answer = await strict.ask("ada", "POST", "/join", {"code": event["code"]})
    assert answer.status_code == 404
    answer = await strict.ask("carla", "POST", "/events/gpu-school/approve")
    assert (answer.status_code, answer.json()["message"]) == (403, "Only administrators approve or refuse events.")
    answer = await strict.ask("admin", "POST", "/events/gpu-school/approve")
    assert answer.json()["state"] == "open" and [each["slug"] for each in strict.hub.events] == ["gpu-school"]
    answer = await strict.ask("admin", "POST", "/events/gpu-school/approve")
    assert (answer.status_code, answer.json()["message"]) == (
        409,
        "This cannot be done: the event GPU school is open.",
    )


async def test_a_refused_event_says_why_and_cannot_be_joined(strict: Console) -> None:
    event = await strict.create()
    answer = await strict.ask("admin", "POST", "/events/gpu-school/refuse", {"reason": "No GPUs that week."})
    assert (answer.json()["state"], answer.json()["refusal"]) == ("refused", "No GPUs that week.")
    strict.now_epoch = NINE
    assert (await strict.ask("ada", "POST", "/join", {"code": event["code"]})).status_code == 404
    assert strict.hub.events == []


# Joining


async def opened(console: Console, **changes: Any) -> str:
    """Create an event that is open now; give its code."""
    event = await console.create(**changes)
    console.now_epoch = NINE
    return str(event["code"])


async def test_who_joins_is_a_member_at_the_hub_at_once(console: Console) -> None:
    code = await opened(console)
    answer = await console.ask("ada", "POST", "/join", {"code": code.lower().replace("-", " ")})
    assert answer.status_code == 200 and answer.json()["slug"] == "gpu-school"
    assert console.hub.events[0]["members"] == ["carla", "ada"]
    again = await console.ask("ada", "POST", "/join", {"code": code})
    assert again.status_code == 200
    shown = (await console.ask("carla", "GET", "/events/gpu-school")).json()
    assert [(each["name"], each["by"]) for each in shown["participants"]] == [("ada", "code")]
    assert shown["seats_left"] == 1


@pytest.mark.parametrize(("who", "changes"), [("ada", {"people": ["ada"]}), ("dario", {"groups": ["school"]})])
async def test_who_is_invited_joins_without_a_code(console: Console, who: str, changes: dict[str, Any]) -> None:
    await opened(console, by_code=False, **changes)
    assert [each["slug"] for each in (await console.ask(who, "GET", "/mine")).json()] == ["gpu-school"]
    assert (await console.ask("bruno", "GET", "/mine")).json() == []
    assert (await console.ask("bruno", "POST", "/join", {"event": "gpu-school"})).status_code == 404
    assert (await console.ask(who, "POST", "/join", {"event": "gpu-school"})).status_code == 200


async def test_a_code_works_only_while_the_event_is_open(console: Console) -> None:
    event = await console.create()
    code = {"code": event["code"]}
    console.now_epoch = NINE - 31 * MINUTE
    answer = await console.ask("ada", "POST", "/join", code)
    assert (answer.status_code, answer.json()["message"]) == (409, "This event is not open yet.")
    console.now_epoch = NINE - 30 * MINUTE
    assert (await console.ask("ada", "POST", "/join", code)).status_code == 200
    console.now_epoch = NINE + 8 * HOUR
    assert (await console.ask("bruno", "POST", "/join", code)).status_code == 404


async def test_a_code_works_until_the_seats_are_full(console: Console) -> None:
    code = {"code": await opened(console)}
    for who in ("ada", "bruno"):
        assert (await console.ask(who, "POST", "/join", code)).status_code == 200
    answer = await console.ask("dario", "POST", "/join", code)
    assert (answer.status_code, answer.json()["message"]) == (409, "All 2 seats are taken. Ask the trainer.")
    assert (await console.ask("carla", "POST", "/join", code)).status_code == 200, "trainers need no seat"
    assert console.hub.events[0]["members"] == ["carla", "ada", "bruno"]


async def test_a_revoked_code_works_no_more_and_who_has_joined_stays(console: Console) -> None:
    code = {"code": await opened(console)}
    await console.ask("ada", "POST", "/join", code)
    assert (await console.ask("carla", "DELETE", "/events/gpu-school/code")).json()["code"] is None
    assert (await console.ask("bruno", "POST", "/join", code)).status_code == 404
    assert (await console.ask("ada", "POST", "/mine/gpu-school/start")).status_code == 202
    new = (await console.ask("carla", "POST", "/events/gpu-school/code")).json()["code"]
    assert new and new != code["code"]
    assert (await console.ask("bruno", "POST", "/join", code)).status_code == 404
    assert (await console.ask("bruno", "POST", "/join", {"code": new})).status_code == 200


async def test_guessing_codes_is_limited_for_each_person(console: Console) -> None:
    code = {"code": await opened(console)}
    for _ in range(10):
        assert (await console.ask("ada", "POST", "/join", {"code": "AAAA-AAAA"})).status_code == 404
    answer = await console.ask("ada", "POST", "/join", code)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "600")
    assert answer.json()["message"] == "Too many wrong codes. Try again in 10 minutes."
    assert (await console.ask("bruno", "POST", "/join", code)).status_code == 200, "others of the room are not meant"
    console.start()
    assert (await console.ask("ada", "POST", "/join", code)).status_code == 429, "a restart forgets no guess"
    console.now_epoch += 10 * MINUTE
    assert (await console.ask("ada", "POST", "/join", code)).status_code == 200


async def test_the_link_guesses_too(console: Console) -> None:
    code = await opened(console)
    for _ in range(10):
        assert (await console.visit("ada", "join/AAAA-AAAA")).status_code == 404
    assert (await console.visit("ada", f"join/{code}")).status_code == 429


async def test_a_service_has_no_seat(console: Console) -> None:
    code = {"code": await opened(console)}
    assert (await console.ask("script", "POST", "/join", code)).status_code == 403


# Starting and ending


async def test_one_click_starts_the_event_s_choice(console: Console) -> None:
    code = {"code": await opened(console, size="small", minutes=480)}
    await console.ask("ada", "POST", "/join", code)
    console.now_epoch = NINE + 6 * HOUR
    answer = await console.ask("ada", "POST", "/mine/gpu-school/start")
    assert (answer.status_code, answer.json()) == (202, {"path": "/hub/spawn-pending/ada/gpu-school"})
    assert console.hub.choice("ada", "gpu-school") == {
        "profile": "general/pytorch",
        "event": "gpu-school",
        "size": "small",
        "minutes": 119,
    }, "until the end, with a minute for the way to the hub"


async def test_a_start_is_the_hub_s_to_refuse(console: Console) -> None:
    code = {"code": await opened(console)}
    await console.ask("ada", "POST", "/join", code)
    console.hub.refusal = "You have 3 sessions; 3 are possible."
    answer = await console.ask("ada", "POST", "/mine/gpu-school/start")
    assert (answer.status_code, answer.json()["message"]) == (409, "You have 3 sessions; 3 are possible.")


async def test_nobody_starts_without_a_seat(console: Console) -> None:
    await opened(console, people=["ada"])
    answer = await console.ask("ada", "POST", "/mine/gpu-school/start")
    assert answer.status_code == 409 and "no seat" in answer.json()["message"]
    assert (await console.ask("bruno", "POST", "/mine/gpu-school/start")).status_code == 404
    assert console.hub.servers.get("ada", {}) == {}


@pytest.mark.parametrize("how", ["its time is over", "its trainer closes it"])
async def test_when_an_event_ends_its_servers_end_and_nothing_else_does(console: Console, how: str) -> None:
    code = {"code": await opened(console)}
    for who in ("ada", "bruno"):
        await console.ask(who, "POST", "/join", code)
        await console.ask(who, "POST", "/mine/gpu-school/start")
    console.hub.servers["ada"][""] = {"ready": True, "pending": None, "user_options": {"event": None}}
    console.hub.servers["bruno"]["mine"] = {"ready": True, "pending": None, "user_options": {"event": "gpu-school"}}
    if how == "its time is over":
        console.now_epoch = NINE + 8 * HOUR
    else:
        assert (await console.ask("carla", "POST", "/events/gpu-school/close")).json()["state"] == "over"
    await once(console.verbs)
    assert console.hub.events == []
    assert (list(console.hub.servers["ada"]), list(console.hub.servers["bruno"])) == ([""], [])
    await once(console.verbs)
    shown = (await console.ask("carla", "GET", "/events/gpu-school")).json()
    assert (shown["state"], shown["cleared_epoch"]) == ("over", int(console.now_epoch))
    assert (await console.ask("ada", "POST", "/mine/gpu-school/start")).status_code == 404


async def test_an_event_that_is_extended_goes_on(console: Console) -> None:
    await opened(console)
    for ends_epoch, words in [(NINE + 8 * HOUR, "not after"), (NINE + 90 * 24 * HOUR, "at most 60 days")]:
        answer = await console.ask("carla", "POST", "/events/gpu-school/extend", {"ends_epoch": ends_epoch})
        assert answer.status_code == 400 and words in answer.json()["message"]
    answer = await console.ask("carla", "POST", "/events/gpu-school/extend", {"ends_epoch": NINE + 9 * HOUR})
    assert answer.json()["plan"]["ends_epoch"] == console.hub.events[0]["closes_epoch"] == NINE + 9 * HOUR
    console.now_epoch = NINE + 8 * HOUR
    assert (await console.ask("carla", "GET", "/events/gpu-school")).json()["state"] == "open"
    console.now_epoch = NINE + 9 * HOUR
    assert (
        await console.ask("carla", "POST", "/events/gpu-school/extend", {"ends_epoch": NINE + 10 * HOUR})
    ).status_code == 409


async def test_a_hub_that_is_away_loses_nothing(console: Console) -> None:
    code = {"code": await opened(console)}
    console.hub.away = True
    answer = await console.ask("carla", "POST", "/events", plan(title="Other", ends_epoch=NINE + HOUR))
    assert answer.status_code == 503, "nobody can say whose allocation it is"
    answer = await console.ask("ada", "POST", "/join", code)
    assert answer.status_code == 503 and "The hub does not answer" in answer.json()["message"]
    console.hub.away = False
    await once(console.verbs)
    assert console.hub.events[0]["members"] == ["carla", "ada"]


async def test_a_hub_that_forgot_its_events_is_told_again(console: Console) -> None:
    await console.create()
    told, console.hub.events = console.hub.events, []
    await once(console.verbs)
    assert console.hub.events == told


async def test_events_that_a_script_told_the_hub_stay(console: Console) -> None:
    await console.create()
    (told,) = console.hub.events
    other = {**told, "slug": "of-a-script"}
    console.hub.events = [other, {**told, "title": "changed behind us"}]
    await once(console.verbs)
    assert console.hub.events == [other, told]
    await console.ask("carla", "POST", "/events/gpu-school/close")
    assert console.hub.events == [other]


async def test_a_restart_of_the_console_loses_nothing(console: Console) -> None:
    code = {"code": await opened(console)}
    await console.ask("ada", "POST", "/join", code)
    before = (await console.ask("carla", "GET", "/events")).json()
    console.start()
    assert (await console.ask("carla", "GET", "/events")).json() == before
    assert (await console.ask("bruno", "POST", "/join", code)).status_code == 200


async def test_the_record_says_who_did_what(strict: Console) -> None:
    event = await strict.create()
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    strict.now_epoch = NINE
    await strict.ask("ada", "POST", "/join", {"code": event["code"]})
    await strict.ask("carla", "DELETE", "/events/gpu-school/code")
    await strict.ask("carla", "POST", "/events/gpu-school/close")
    record = (await strict.ask("carla", "GET", "/events/gpu-school/record")).json()
    assert [(act["who"], act["verb"], act["detail"]) for act in record] == [
        ("carla", "create", "GPU school"),
        ("admin", "approve", ""),
        ("ada", "join", "code"),
        ("carla", "revoke-code", ""),
        ("carla", "close", ""),
    ]
    assert event["code"] not in str(record)


async def test_refusals_are_in_the_caller_s_language(console: Console) -> None:
    answer = await console.ask("ada", "POST", "/events", plan(), **{"Accept-Language": "it"})
    assert answer.json()["message"] == "Solo i docenti creano eventi."


async def test_the_reference_has_every_request_and_every_field_of_a_plan(console: Console) -> None:
    document = (await console.ask("", "GET", "/openapi.json")).json()
    requests = [
        f"{method.upper()} {path.removeprefix('/services/events/api')}"
        for path, methods in document["paths"].items()
        for method in methods
    ]
    assert sorted(row[0] for row in table(API, "Events")) == sorted(requests)
    assert first_words(table(API, "Events", 1)) == list(Plan.model_fields)
