"""Help in a room: hands, messages, and who is let into whose notebook; who may see and do what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hpchub.console.help import MOST_OF_A_HAND
from hpchub.console.help_store import HelpStore
from hpchub.console.model import MessageRow, TrainerRow
from hpchub.console.rounds import once
from hpchub.console.tiles import by_number
from tests.unit.data.console import MINUTE, NINE, Console, session
from tests.unit.test_console_pages import words

ID = "a" * 32
HELP = "/events/gpu-school/help"
MESSAGES = "/events/gpu-school/messages"


@pytest.fixture
async def room(tmp_path: Path) -> Console:
    """A school that is open: ada is in team Blu, bruno in Rossi, dario in none; carla and teresa run it."""
    console = Console(tmp_path)
    plan: dict[str, Any] = {"teams": [{"name": "Blu", "members": ["ada"]}, {"name": "Rossi", "members": ["bruno"]}]}
    code = (await console.create(seats=4, trainers=["teresa"], **plan))["code"]
    console.now_epoch = NINE
    for name in ("ada", "bruno", "dario"):
        assert (await console.ask(name, "POST", "/join", {"code": code})).status_code == 200
    return console


def hand(name: str) -> str:
    return f"/events/gpu-school/hands/{name}"


def consent(name: str) -> str:
    return f"/events/gpu-school/consents/{name}"


async def needs(room: Console) -> dict[str, dict[str, Any]]:
    """How everybody stands to help, as a trainer is told."""
    return {each["name"]: each for each in (await room.ask("carla", "GET", HELP)).json()}


# Hands


async def test_a_hand_goes_up_and_the_trainers_and_the_hub_know(room: Console) -> None:
    answer = await room.ask("ada", "POST", hand("ada"), {"up": True, "says": "  My kernel died. "})
    assert answer.status_code == 204
    told = (await needs(room))["ada"]
    assert (told["hand_epoch"], told["hand_says"]) == (NINE, "My kernel died.")
    assert room.hub.events[0]["hands"] == ["ada"]


async def test_a_hand_that_is_up_keeps_its_place(room: Console) -> None:
    await room.ask("ada", "POST", hand("ada"), {"up": True})
    room.now_epoch += 60
    await room.ask("ada", "POST", hand("ada"), {"up": True, "says": "Still."})
    told = (await needs(room))["ada"]
    assert (told["hand_epoch"], told["hand_says"]) == (NINE, "Still.")


@pytest.mark.parametrize("who", ["ada", "carla", "teresa", "admin", "hub"])
async def test_a_hand_is_lowered_by_its_person_a_trainer_or_the_hub(room: Console, who: str) -> None:
    await room.ask("ada", "POST", hand("ada"), {"up": True, "says": "Help"})
    assert (await room.ask(who, "POST", hand("ada"), {"up": False})).status_code == 204
    told = (await needs(room))["ada"]
    assert (told["hand_epoch"], told["hand_says"], room.hub.events[0]["hands"]) == (None, "", [])


async def test_the_hub_raises_a_hand_for_whom_it_has_asked(room: Console) -> None:
    assert (await room.ask("hub", "POST", hand("bruno"), {"up": True, "says": "?"})).status_code == 204
    record = (await room.ask("carla", "GET", "/events/gpu-school/record")).json()
    assert [(act["who"], act["verb"]) for act in record if act["verb"] == "hand-up"] == [("bruno", "hand-up")]
    assert (await room.ask("hub", "GET", HELP)).status_code == 404, "it may do nothing else"
    assert (await room.ask("hub", "POST", "/events/gpu-school/room/stop")).status_code == 404


@pytest.mark.parametrize(
    ("who", "whose", "up", "status"),
    [
        ("bruno", "ada", True, 404),
        ("bruno", "ada", False, 404),
        ("carla", "ada", True, 403),
        ("carla", "carla", True, 404),
        ("ada", "nobody", False, 404),
        ("hub", "nobody", True, 404),
        ("", "ada", True, 403),
    ],
)
async def test_nobody_raises_another_s_hand(room: Console, who: str, whose: str, up: bool, status: int) -> None:
    assert (await room.ask(who, "POST", hand(whose), {"up": up})).status_code == status
    assert [name for name, need in (await needs(room)).items() if need["hand_epoch"]] == []


async def test_all_hands_are_lowered_at_once(room: Console) -> None:
    for name in ("ada", "bruno"):
        await room.ask(name, "POST", hand(name), {"up": True})
    assert (await room.ask("ada", "DELETE", "/events/gpu-school/hands")).status_code == 404
    assert (await room.ask("carla", "DELETE", "/events/gpu-school/hands")).status_code == 204
    assert room.hub.events[0]["hands"] == []


async def test_a_hand_goes_up_in_an_open_event_only(room: Console) -> None:
    await room.ask("carla", "POST", "/events/gpu-school/close")
    answer = await room.ask("ada", "POST", hand("ada"), {"up": True})
    assert (answer.status_code, answer.json()["message"]) == (409, "The event is not open.")


async def test_a_hand_all_day_long_is_a_line_each_in_the_record(room: Console) -> None:
    for _ in range(5):
        for up in (True, False):
            await room.ask("ada", "POST", hand("ada"), {"up": up})
    record = (await room.ask("carla", "GET", "/events/gpu-school/record")).json()
    assert [act["verb"] for act in record if act["who"] == "ada"][-2:] == ["hand-up", "hand-down"]
    assert sum(act["verb"].startswith("hand") for act in record) == 2


# Messages


async def test_a_message_reaches_all_or_one_team_and_nobody_else(room: Console) -> None:
    assert (await room.ask("carla", "POST", MESSAGES, {"says": "Coffee at\n10:30"})).status_code == 201
    assert (await room.ask("teresa", "POST", MESSAGES, {"says": "For Blu", "team": "Blu"})).status_code == 201

    async def read(who: str) -> list[str]:
        return [each["says"] for each in (await room.ask(who, "GET", MESSAGES)).json()]

    assert await read("carla") == ["For Blu", "Coffee at\n10:30"]
    assert await read("ada") == ["For Blu", "Coffee at\n10:30"]
    assert await read("bruno") == await read("dario") == ["Coffee at\n10:30"]
    page = await room.visit("bruno", "event/gpu-school")
    assert "Coffee at" in words(page) and "For Blu" not in page.text and "Blu" not in page.text
    told = room.hub.events[0]["messages"]
    assert [(each["says"], each["to"], each["who"]) for each in told] == [
        ("Coffee at\n10:30", None, "carla"),
        ("For Blu", ["ada"], "teresa"),
    ]


async def test_the_hub_is_told_the_last_five(room: Console) -> None:
    for number in range(7):
        await room.ask("carla", "POST", MESSAGES, {"says": str(number)})
    assert [each["says"] for each in room.hub.events[0]["messages"]] == ["2", "3", "4", "5", "6"]
    assert len((await room.ask("ada", "GET", MESSAGES)).json()) == 7


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("ada", {"says": "x"}, 404),
        ("carla", {"says": " \n "}, 400),
        ("carla", {"says": "\x1c"}, 400),
        ("carla", {"says": "\x1e\x1f \u2028"}, 400),
        ("carla", {"says": "x" * 1001}, 400),
        ("carla", {"says": "x\u0000"}, 400),
        ("carla", {"says": "x", "team": "Verdi"}, 400),
    ],
)
async def test_what_is_no_message_of_a_trainer_s_is_refused(
    room: Console, who: str, body: dict[str, Any], status: int
) -> None:
    assert (await room.ask(who, "POST", MESSAGES, body)).status_code == status
    assert (await room.ask("carla", "GET", MESSAGES)).json() == []


async def test_control_characters_of_a_message_and_of_a_hand_go(room: Console) -> None:
    assert (await room.ask("carla", "POST", MESSAGES, {"says": "\x1cCoffee\r\nat\x1b 10"})).json()[
        "says"
    ] == "Coffee\nat 10"
    await room.ask("ada", "POST", hand("ada"), {"up": True, "says": "\x1f?\x1e"})
    assert (await needs(room))["ada"]["hand_says"] == "?"


async def test_an_event_that_the_hub_would_refuse_keeps_no_other_from_it(room: Console) -> None:
    await room.create("teresa", title="Other")
    crowd = [f"t{number:04}" for number in range(2001)]
    with room.verbs.store.sessions.begin() as database:
        database.add_all(TrainerRow(event_slug="other", name=name) for name in crowd)
    await room.ask("carla", "POST", MESSAGES, {"says": "Coffee"})
    told = {event["slug"]: event for event in room.hub.events}
    assert told["gpu-school"]["messages"][0]["says"] == "Coffee"
    assert told["other"]["trainers"] == ["teresa"], "what the hub was told last stays"


async def test_help_that_the_hub_would_refuse_keeps_nobody_out_of_the_event(room: Console) -> None:
    with room.verbs.store.sessions.begin() as database:
        database.add(MessageRow(event_slug="gpu-school", epoch=NINE, who="carla", says="", team=None))
    await room.verbs.push()
    assert (room.hub.events[0]["members"], room.hub.events[0]["messages"]) == (
        ["carla", "teresa", "ada", "bruno", "dario"],
        [],
    )


async def test_strangers_read_nothing(room: Console) -> None:
    await room.ask("carla", "POST", MESSAGES, {"says": "x"})
    for who in ("script", "hub"):
        answer = await room.ask(who, "GET", MESSAGES)
        assert answer.status_code == (200 if who == "script" else 404)
    await room.create("teresa", title="Other")
    assert (await room.ask("carla", "GET", "/events/other/messages")).status_code == 404


# Consent


async def test_who_lets_a_trainer_in_says_whom_and_until_when(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    answer = await room.ask("ada", "PUT", consent("ada"), {"helper": "carla", "minutes": 15})
    assert answer.json() == {"helper": "carla", "until_epoch": NINE + 15 * MINUTE, "session_id": ID}
    assert room.hub.events[0]["helpers"] == [
        {"owner": "ada", "session": ID, "helper": "carla", "until_epoch": NINE + 15 * MINUTE}
    ]
    page = words(await room.visit("ada", "event/gpu-school"))
    assert "carla can see and use your notebook until" in page and "End it now" in page
    mine = await room.visit("carla", "event/gpu-school/room")
    assert 'href="/user/ada/gpu-school/"' in mine.text and "You may see and use this notebook" in words(mine)
    other = await room.visit("teresa", "event/gpu-school/room")
    assert "/user/ada/" not in other.text and "Lets carla in until" in words(other)


async def test_all_trainers_are_let_in_at_once(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    await room.ask("ada", "PUT", consent("ada"), {})
    assert [each["helper"] for each in room.hub.events[0]["helpers"]] == [None], "the hub knows the trainers"
    for who in ("carla", "teresa"):
        assert "/user/ada/gpu-school/" in (await room.visit(who, "event/gpu-school/room")).text
    assert "/user/ada/" not in (await room.visit("admin", "event/gpu-school/room")).text


@pytest.mark.parametrize("who", ["ada", "carla"])
async def test_a_consent_ends_when_either_of_them_says_so(room: Console, who: str) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    await room.ask("ada", "PUT", consent("ada"), {"helper": "carla"})
    assert (await room.ask(who, "DELETE", consent("ada"))).status_code == 204
    assert room.hub.events[0]["helpers"] == []
    assert "/user/ada/" not in (await room.visit("carla", "event/gpu-school/room")).text


@pytest.mark.parametrize(
    ("later", "sessions"),
    [
        (16 * MINUTE, [session("ada", id=ID)]),
        (60, []),
        (60, [session("ada", "ended", id=ID, ending="stopped")]),
        (60, [session("ada", id="b" * 32)]),
    ],
)
async def test_a_consent_ends_with_its_time_and_with_its_session(
    room: Console, later: int, sessions: list[Any]
) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    await room.ask("ada", "PUT", consent("ada"), {"helper": "carla", "minutes": 15})
    room.now_epoch += 60
    await once(room.verbs)
    assert (await needs(room))["ada"]["helper"] == "carla"
    room.now_epoch += later
    room.hub.sessions = sessions
    assert "You may see and use" not in words(await room.visit("carla", "event/gpu-school/room"))
    await once(room.verbs)
    assert (await needs(room))["ada"]["helper"] is None


async def test_the_hub_is_not_told_of_a_consent_that_is_over(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    await room.ask("ada", "PUT", consent("ada"), {"minutes": 15})
    room.now_epoch += 15 * MINUTE
    await room.verbs.push()
    assert room.hub.events[0]["helpers"] == []


async def test_a_consent_that_is_over_goes_without_one_given_meanwhile_and_without_a_wish(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID), session("bruno", id=ID)]
    for name in ("ada", "bruno"):
        await room.ask(name, "PUT", consent(name), {"helper": "carla", "minutes": 15})
    over = (await room.app.state.helps.need("gpu-school", "ada")).consent
    room.now_epoch += 15 * MINUTE
    await room.ask("ada", "PUT", consent("ada"), {"helper": "carla", "minutes": 30})
    HelpStore(room.verbs.store).forget("gpu-school", "ada", "console", int(room.now_epoch), over)
    await room.ask("teresa", "POST", f"{consent('bruno')}/wish")
    await once(room.verbs)
    told = await needs(room)
    assert (told["ada"]["helper"], told["ada"]["helper_until_epoch"]) == ("carla", NINE + 45 * MINUTE)
    assert (told["bruno"]["helper"], told["bruno"]["asked_by"]) == (None, "teresa")


async def test_what_changes_nothing_is_no_line_of_the_record(room: Console) -> None:
    before = room.verbs.store.record("gpu-school")
    for who in ("ada", "carla"):
        assert (await room.ask(who, "DELETE", consent("ada"))).status_code == 204
    assert room.verbs.store.record("gpu-school") == before


async def test_a_consent_lasts_no_longer_than_the_event(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    room.now_epoch = ends = (await room.ask("carla", "GET", "/events/gpu-school")).json()["plan"]["ends_epoch"]
    room.now_epoch -= 60
    answer = await room.ask("ada", "PUT", consent("ada"), {"minutes": 480})
    assert answer.json()["until_epoch"] == ends


@pytest.mark.parametrize(
    ("who", "whose", "body", "status"),
    [
        ("carla", "ada", {}, 403),
        ("admin", "ada", {}, 403),
        ("bruno", "ada", {}, 404),
        ("hub", "ada", {}, 404),
        ("ada", "ada", {"helper": "bruno"}, 400),
        ("ada", "ada", {"helper": "mallory"}, 400),
        ("ada", "ada", {"minutes": 0}, 400),
        ("ada", "ada", {"minutes": 481}, 400),
        ("bruno", "bruno", {}, 409),
    ],
)
async def test_nobody_is_let_in_otherwise(
    room: Console, who: str, whose: str, body: dict[str, Any], status: int
) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    assert (await room.ask(who, "PUT", consent(whose), body)).status_code == status
    assert room.hub.events[0]["helpers"] == []


async def test_a_trainer_asks_and_the_participant_decides(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID)]
    wish = f"{consent('ada')}/wish"
    assert (await room.ask("bruno", "POST", wish)).status_code == 404
    assert (await room.ask("admin", "POST", wish)).status_code == 403, "not a trainer of this event"
    assert (await room.ask("teresa", "POST", wish)).status_code == 204
    page = await room.visit("ada", "event/gpu-school")
    assert "teresa asks to see and use your notebook." in words(page)
    assert '<option value="teresa" selected>' in page.text
    assert room.hub.events[0]["helpers"] == []
    await room.visit("ada", "event/gpu-school/keep-out", {})
    assert "teresa asks" not in words(await room.visit("ada", "event/gpu-school"))


# Pages


async def test_a_participant_s_page_has_their_notebook_in_words_and_the_hand(room: Console) -> None:
    room.hub.sessions = [session("ada", "queued", sentence="All GPUs are in use.")]
    page = words(await room.visit("ada", "event/gpu-school"))
    assert "Your notebook: in the queue" in page and "All GPUs are in use." in page and "Raise my hand" in page
    sent = await room.visit("ada", "event/gpu-school/hand", {"up": "yes", "says": "a" * 400 + "\x00"})
    assert (sent.status_code, sent.headers["Location"]) == (303, "/services/events/event/gpu-school")
    assert (await needs(room))["ada"]["hand_says"] == "a" * MOST_OF_A_HAND
    page = words(await room.visit("ada", "event/gpu-school"))
    assert "Your hand is up since" in page and "I need no help any more" in page
    await room.visit("ada", "event/gpu-school/hand", {"up": "no"})
    assert (await needs(room))["ada"]["hand_epoch"] is None


async def test_nobody_sees_another_s_hand_or_name(room: Console) -> None:
    await room.ask("ada", "POST", hand("ada"), {"up": True, "says": "My secret trouble"})
    page = await room.visit("bruno", "event/gpu-school")
    assert "My secret trouble" not in page.text and "ada" not in words(page)
    assert (await room.visit("bruno", "event/gpu-school/room")).status_code == 404
    assert (await room.ask("bruno", "GET", HELP)).status_code == 404


async def test_a_hub_that_is_away_takes_nobody_s_page(room: Console) -> None:
    room.hub.away = True
    page = await room.visit("ada", "event/gpu-school")
    assert page.status_code == 200 and "cannot be known at the moment" in words(page)
    sent = await room.visit("ada", "event/gpu-school/hand", {"up": "yes"})
    assert sent.status_code == 303 and (await needs(room))["ada"]["hand_epoch"] == NINE


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["dario", "bruno", "ada"]),
        ("?only=help", ["dario"]),
        ("?only=failed", ["bruno"]),
        ("?only=working", ["ada"]),
        ("?only=idle", []),
        ("?team=Blu", ["ada"]),
        ("?team=Blu&only=failed", []),
        ("?only=nonsense&view=%3Cb%3E", ["dario", "bruno", "ada"]),
        ("?view=compact", ["dario", "bruno", "ada"]),
    ],
)
async def test_the_room_is_filtered_by_its_address_and_hands_come_first(
    room: Console, query: str, shown: list[str]
) -> None:
    room.hub.sessions = [session("ada", id=ID), session("bruno", "ended", ending="out-of-memory")]
    await room.ask("dario", "POST", hand("dario"), {"up": True})
    page = await room.visit("carla", f"event/gpu-school/room{query}")
    assert re.findall(r'data-seat="([a-z]+)"', page.text) == shown
    assert "✋ 1" in page.text


async def test_the_room_counts_in_words(room: Console) -> None:
    room.hub.sessions = [session("ada", id=ID), session("bruno", "queued")]
    await room.ask("dario", "POST", hand("dario"), {"up": True})
    page = words(await room.visit("carla", "event/gpu-school/room"))
    assert "1 of 3 working · 1 waiting or starting · 1 needs help · 1 without a notebook" in page
    page = words(await room.visit("carla", "event/gpu-school/room?team=Blu"))
    assert "1 of 1 working ·" in page


async def test_a_notebook_that_does_nothing_is_idle(room: Console) -> None:
    old, fresh = NINE - 25 * MINUTE, NINE - 19 * MINUTE
    room.hub.sessions = [
        session("ada", active_epoch=old, gpu_percent=0),
        session("bruno", active_epoch=fresh, gpu_percent=93),
        session("dario", active_epoch=None),
    ]
    told = {seat["name"]: seat for seat in (await room.ask("carla", "GET", "/events/gpu-school/room")).json()}
    assert {name: (seat["state"], seat["idle_minutes"]) for name, seat in told.items()} == {
        "ada": ("idle", 25),
        "bruno": ("working", 0),
        "dario": ("working", 0),
    }
    assert (told["bruno"]["gpu_percent"], told["dario"]["gpu_percent"]) == (93, None)
    page = words(await room.visit("carla", "event/gpu-school/room"))
    assert "idle for 25 min" in page and "GPU 93 %" in page


async def test_buttons_of_the_room_keep_the_view(room: Console) -> None:
    await room.ask("ada", "POST", hand("ada"), {"up": True})
    view = "?team=Blu&only=help&view=compact"
    pressed = await room.visit("carla", f"event/gpu-school/room/lower{view}", {"name": "ada"})
    assert (pressed.status_code, pressed.headers["Location"]) == (303, f"/services/events/event/gpu-school/room{view}")
    assert (await needs(room))["ada"]["hand_epoch"] is None
    said = await room.visit("carla", "event/gpu-school/room/message?write=1", {"says": "To all\r\nof you", "team": ""})
    assert said.headers["Location"] == "/services/events/event/gpu-school/room"
    assert (await room.ask("dario", "GET", MESSAGES)).json()[0]["says"] == "To all\nof you"
    for verb in ("lower", "message", "ask-in", "keep-out"):
        refused = await room.visit("ada", f"event/gpu-school/room/{verb}", {"name": "bruno", "says": "x"})
        assert refused.status_code in (403, 404), verb
    assert (await room.visit("carla", "event/gpu-school/room/nonsense", {})).status_code == 404


async def test_only_administrators_find_the_log_of_a_failure(room: Console) -> None:
    room.hub.sessions = [session("bruno", "ended", id=ID, ending="crashed", sentence="It crashed.")]
    shown = {who: (await room.visit(who, "event/gpu-school/room")).text for who in ("carla", "admin")}
    assert [f"hpchub/log/{ID}" in shown[who] for who in ("carla", "admin")] == [False, True]
    assert "It crashed." in shown["carla"]
    assert f"hpchub/log/{ID}" in (await room.visit("bruno", "event/gpu-school")).text
    assert f"hpchub/log/{ID}" not in (await room.visit("ada", "event/gpu-school")).text


async def test_many_who_look_at_a_room_ask_the_hub_once(room: Console) -> None:
    asked = 0
    answer = room.verbs.hub.sessions_by_event

    async def count(language: str) -> Any:
        nonlocal asked
        asked += 1
        return await answer(language)

    room.verbs.hub.sessions_by_event = count  # type: ignore[method-assign]
    room.app.state.helps.looks.seconds = 60
    for _ in range(3):
        await room.visit("carla", "event/gpu-school/room")
        await room.visit("ada", "event/gpu-school")
    assert asked == 1
    await room.visit("carla", "event/gpu-school/room", language="it")
    assert asked == 2


def test_names_with_numbers_stand_in_their_order() -> None:
    names = ["seat10", "seat9", "ada", "seat1b", "seat1", "٣"]
    assert sorted(names, key=by_number) == ["ada", "seat1", "seat1b", "seat9", "seat10", "٣"]
