"""The pages of events, without a browser: who sees what, what a button does, and what a stranger's form does not."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from hpchub.catalogue.material import Material
from hpchub.console import forms
from hpchub.console.plans import Plan
from hpchub.console.signin import BASE, COOKIE, STATE_COOKIE
from hpchub.handlers.capacity import Question
from tests.unit.data.console import CALLERS, HOUR, NINE, Console


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


async def opened(console: Console, **changes: Any) -> str:
    """Create an event that is open now; give its code."""
    event = await console.create(**changes)
    console.now_epoch = NINE
    return str(event["code"])


def words(page: httpx.Response) -> str:
    """What a person reads of a page."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page.text.split("<main", 1)[1]).split()))


CARLA = CALLERS["carla"]
OPENED = {"Sec-Fetch-Mode": "navigate"}
"""What a browser says of a page that its person opens."""
FORM = {
    "title": "Scuola GPU <b>",
    "description": "Two days.\nBring a laptop.",
    "starts_epoch": "2030-03-18T09:00",
    "ends_epoch": "2030-03-18T17:30",
    "setup_minutes": "30",
    "seats": "20",
    "cluster": "leonardo",
    "allocation": "tra26_hack",
    "profile": "general/pytorch",
    "size": "",
    "minutes": "",
    "reservation": "",
    "people": "ada, bruno",
    "groups": "",
    "trainers": "teresa",
    "by_code": "yes",
}


@pytest.mark.parametrize("path", ["", "join", "join/AAAA-AAAA", "new", "event/gpu-school"])
async def test_a_stranger_is_sent_to_the_hub_to_sign_in_and_comes_back(console: Console, path: str) -> None:
    page = await console.visit("", path)
    assert page.status_code == 303
    assert page.headers["Location"].startswith("/hub/api/oauth2/authorize?client_id=service-events&")
    assert "code_challenge_method=S256" in page.headers["Location"]
    state = re.search(r"state=([^&]+)", page.headers["Location"])
    assert state and STATE_COOKIE in page.headers["Set-Cookie"] and state[1] in page.headers["Set-Cookie"]


async def test_a_sign_in_that_this_browser_did_not_begin_is_begun_again(console: Console) -> None:
    _, state = console.sign_in.begin(f"{BASE}new")
    page = await console.visit("", f"oauth_callback?code=abc&state={state}")
    assert page.status_code == 303 and "/oauth2/authorize?" in page.headers["Location"]
    assert COOKIE not in [cookie.split("=")[0] for cookie in page.headers.get_list("Set-Cookie")]


@pytest.mark.parametrize(("language", "said"), [("en", "Events that you manage"), ("it", "Eventi che gestisci")])
async def test_pages_are_in_the_reader_s_language(console: Console, language: str, said: str) -> None:
    page = await console.visit("carla", "", language=language)
    assert page.status_code == 200 and said in words(page)
    assert page.headers["Content-Language"] == language and f'<html lang="{language}">' in page.text


async def test_the_switch_of_languages_keeps_to_these_pages(console: Console) -> None:
    page = await console.visit("ada", "language/it?next=/services/events/join")
    assert (page.status_code, page.headers["Location"]) == (303, f"{BASE}join")
    for path in ("https://evil.example/", "//evil.example", "/user/mallory/", f"{BASE}\\..\\x"):
        page = await console.visit("ada", f"language/it?next={path}")
        assert page.headers["Location"] == BASE
    assert (await console.visit("ada", "language/xx")).status_code == 404


@pytest.mark.parametrize("path", ["", "new", "join", "event/gpu-school", "event/gpu-school/code", "event/nothing"])
async def test_every_page_has_a_strict_policy_and_nothing_that_it_forbids(console: Console, path: str) -> None:
    await opened(console)
    page = await console.visit("carla", path)
    nonce = re.search(r"'nonce-([^']+)'", page.headers["Content-Security-Policy"])
    assert nonce and "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store" and page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", page.text)
    for tag in re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", page.text):
        assert f'nonce="{nonce[1]}"' in tag


async def test_a_trainer_creates_an_event_by_the_form(console: Console) -> None:
    shown = await console.visit("carla", "new")
    assert shown.status_code == 200 and 'value="general/pytorch"' in shown.text
    page = await console.visit("carla", "new", FORM)
    assert page.status_code == 303, words(page)
    event = (await console.ask("carla", "GET", "/events")).json()[0]
    assert page.headers["Location"] == f"{BASE}event/{event['slug']}"
    assert event["trainers"] == ["carla", "teresa"] and event["plan"]["people"] == ["ada", "bruno"]
    assert event["plan"]["ends_epoch"] - event["plan"]["starts_epoch"] == 8.5 * HOUR
    shown = await console.visit("carla", f"event/{event['slug']}")
    assert "Scuola GPU <b>" in words(shown) and "Scuola GPU &lt;b&gt;" in shown.text
    assert event["code"] in words(shown)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"starts_epoch": "tomorrow"}, "a day and a time"),
        ({"ends_epoch": "2030-03-18T08:00"}, "after the start"),
        ({"seats": "many"}, "a whole number"),
        ({"seats": "0"}, "a whole number"),
        ({"allocation": "a b"}, "a name as Slurm"),
        ({"title": " "}, "some words"),
        ({"cluster": "next"}, "There is no cluster next"),
        ({"starts_epoch": "2020-03-18T09:00", "ends_epoch": "2020-03-18T10:00"}, "its end is past"),
    ],
)
async def test_what_is_wrong_stands_in_the_form_and_nothing_typed_is_lost(
    console: Console, changes: dict[str, str], said: str
) -> None:
    page = await console.visit("carla", "new", {**FORM, **changes})
    assert page.status_code == 400 and said in words(page)
    assert "Bring a laptop." in page.text and 'value="ada, bruno"' in page.text


async def test_the_form_is_for_trainers(console: Console) -> None:
    for form in (None, FORM):
        page = await console.visit("ada", "new", form)
        assert page.status_code == 403 and "Only trainers create events." in words(page)


async def test_one_click_joins_and_starts(console: Console) -> None:
    code = await opened(console)
    link = await console.visit("ada", f"join/{code}")
    assert link.status_code == 200 and "GPU school" in words(link) and console.hub.servers == {}
    page = await console.visit("ada", "join", {"code": code})
    assert (page.status_code, page.headers["Location"]) == (303, "/hub/spawn-pending/ada/gpu-school")
    assert list(console.hub.servers["ada"]) == ["gpu-school"]
    again = await console.visit("ada", "event/gpu-school/start", {})
    assert again.headers["Location"] == "/hub/spawn-pending/ada/gpu-school"


async def test_a_wrong_code_is_said_on_the_same_page(console: Console) -> None:
    page = await console.visit("ada", "join", {"code": "nonsense"})
    assert page.status_code == 404 and "This code opens no event." in words(page) and 'value="nonsense"' in page.text


async def test_who_is_invited_sees_the_event_and_others_do_not(console: Console) -> None:
    await opened(console, people=["ada"])
    assert "GPU school" in words(await console.visit("ada", ""))
    assert "GPU school" not in words(await console.visit("bruno", ""))
    assert (await console.visit("bruno", "event/gpu-school")).status_code == 404
    page = await console.visit("ada", "event/gpu-school/join", {})
    assert page.headers["Location"] == "/hub/spawn-pending/ada/gpu-school"


async def test_a_participant_s_page_has_neither_code_nor_names(console: Console) -> None:
    code = await opened(console)
    await console.visit("ada", "join", {"code": code})
    await console.visit("bruno", "join", {"code": code})
    page = await console.visit("ada", "event/gpu-school")
    assert page.status_code == 200 and "To my notebook" in words(page)
    assert code not in page.text and "bruno" not in page.text
    assert (await console.visit("ada", "event/gpu-school/code")).status_code == 404


async def test_what_slurm_lacks_stands_on_the_trainer_s_page_with_the_command(console: Console) -> None:
    command = "sacctmgr -i modify qos name=normal set MaxTRESPerUser=gres/gpu=2"
    console.hub.findings = [
        {"about": "limits", "severity": "missing", "says": "The QOS lets 1 run.", "command": command},
        {"about": "dates", "severity": "fine", "says": "The dates are fine.", "command": ""},
    ]
    await opened(console, people=["ada"])
    await console.create("teresa", title="Other")
    page = words(await console.visit("carla", "event/gpu-school"))
    assert "Something is missing" in page and "The QOS lets 1 run." in page and command in page
    assert "The QOS" not in words(await console.visit("ada", "event/gpu-school"))
    console.hub.away = True
    assert "is not known at the moment" in words(await console.visit("carla", "event/gpu-school"))


async def test_the_hub_s_check_reads_what_is_asked_of_it(console: Console) -> None:
    await console.create(people=["ada", "Ada Bianchi"], size="small", minutes=60, reservation="s_tra_school")
    await console.create("teresa", title="Other")
    assert (await console.ask("carla", "GET", "/events/gpu-school/capacity")).json() == []
    question = Question.model_validate_json(json.dumps(console.hub.asked))
    planned = question.plan.planned(None)
    assert (planned.opens_epoch, planned.closes_epoch, planned.members) == (NINE, NINE + 8 * HOUR, ("ada",))
    assert question.others is not None and [each.name for each in question.others] == ["other"]


async def test_a_start_that_the_hub_refuses_is_said_and_the_seat_is_kept(console: Console) -> None:
    code = await opened(console)
    console.hub.refusal = "You have 3 sessions; 3 are possible."
    page = await console.visit("ada", "join", {"code": code})
    assert page.status_code == 409 and "You have 3 sessions" in words(page) and "To my notebook" in words(page)


@pytest.mark.parametrize(
    ("who", "button", "verb"),
    [("carla", "revoke-code", "revoke-code"), ("carla", "new-code", "new-code"), ("carla", "close", "close")],
)
async def test_a_trainer_s_buttons_do_what_they_say(console: Console, who: str, button: str, verb: str) -> None:
    await opened(console)
    page = await console.visit(who, f"event/gpu-school/{button}", {})
    assert page.status_code == 303
    record = (await console.ask("carla", "GET", "/events/gpu-school/record")).json()
    assert [act["verb"] for act in record] == ["create", verb]
    assert (await console.visit("teresa", f"event/gpu-school/{button}", {})).status_code == 404


async def test_a_trainer_lets_an_event_end_later(console: Console) -> None:
    event = await console.create()
    # a browser's field has whole minutes
    ends_epoch = (event["plan"]["ends_epoch"] + HOUR) // 60 * 60
    later = forms.typed(ends_epoch, None)
    page = await console.visit("carla", "event/gpu-school/extend", {"ends_epoch": later})
    assert page.status_code == 303
    assert (await console.verbs.show(CARLA, "gpu-school")).plan.ends_epoch == ends_epoch
    page = await console.visit("carla", "event/gpu-school/extend", {"ends_epoch": "soon"})
    assert page.status_code == 400 and "not after the one that it has" in words(page)


async def test_the_wall_shows_the_code_and_where_to_go(console: Console) -> None:
    code = await opened(console)
    page = await console.visit(
        "carla", "event/gpu-school/code", more={"X-Forwarded-Proto": "https", "Host": "hub.example", **OPENED}
    )
    assert code in words(page) and "https://hub.example/services/events/join" in words(page)


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"_xsrf": ""}, {}),
        ({"_xsrf": "0" * 64}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Mode": "cors"}),
    ],
)
async def test_a_form_of_somebody_else_s_does_nothing(
    console: Console, form: dict[str, str], headers: dict[str, str]
) -> None:
    await opened(console)
    page = await console.visit("carla", "event/gpu-school/close", form, more=headers)
    assert page.status_code == 403
    assert (await console.ask("carla", "GET", "/events/gpu-school")).json()["state"] == "open"


async def test_a_script_of_a_notebook_server_reads_nothing(console: Console) -> None:
    await opened(console)
    page = await console.visit(
        "carla", "event/gpu-school", more={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    )
    assert page.status_code == 403 and "GPU school" not in page.text


async def test_with_https_only_a_browser_that_says_so_opens_a_page(console: Console) -> None:
    await opened(console)
    https = {"X-Forwarded-Proto": "https"}
    silent = await console.visit("carla", "event/gpu-school", more=https)
    assert silent.status_code == 403 and "GPU school" not in silent.text
    assert (await console.visit("carla", "event/gpu-school", more={**https, **OPENED})).status_code == 200


async def test_whoever_opens_a_page_in_a_window_cannot_reach_into_it(console: Console) -> None:
    await opened(console)
    page = await console.visit("carla", "event/gpu-school")
    assert page.headers["Cross-Origin-Opener-Policy"] == "noopener-allow-popups"


async def test_a_cookie_that_is_not_ours_is_nobody_s(console: Console) -> None:
    transport = httpx.ASGITransport(console.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        client.cookies.set(COOKIE, "carla")
        assert (await client.get(BASE)).status_code == 303


async def test_what_is_too_large_is_refused(console: Console) -> None:
    page = await console.visit("carla", "new", {**FORM, "description": "x" * 1_100_000})
    assert page.status_code == 413


@pytest.mark.parametrize("path", ["nothing", "api/nothing", "event/UPPER"])
async def test_what_is_not_there_is_said(console: Console, path: str) -> None:
    assert (await console.visit("carla", path)).status_code == 404


def test_a_form_has_every_field_of_a_plan() -> None:
    # patterns of further profiles are for scripts
    assert {*forms.LABELS, "more_profiles", "material"} - set(Material.model_fields) == set(Plan.model_fields)


def test_times_of_the_form_are_those_of_the_site() -> None:
    rome = ZoneInfo("Europe/Rome")
    read = forms.read_plan(FORM, rome)
    assert isinstance(read, Plan)
    assert (read.starts_epoch, forms.typed(read.starts_epoch, rome)) == (1_900_051_200, "2030-03-18T09:00")
