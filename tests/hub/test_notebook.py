"""What a running notebook may ask the hub: its own session's news, by its own token, and nothing of anybody else's."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub.processes import token_of
from tests.support.events import Trainer
from tests.support.kernel import execute, start_kernel
from tests.support.site import Answer, Site
from tests.support.wait import until

with_small_servers = pytest.mark.usefixtures("small_servers")
WHAT_KERNELS_SEE = """
import os
from importlib.util import find_spec
print([name for name in os.environ if "CONFIG_PATH" in name], find_spec("hpchub_session"))
"""
FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}


def ask(site: Site, session: dict[str, Any], token: str, what: str = "room", **headers: str) -> tuple[Answer, Any]:
    """Ask as the notebook server does; give the answer and its headers."""
    request = urllib.request.Request(
        f"{site.hub_url}/hub/api/hpchub/sessions/{session['id']}/{what}",
        headers={"Authorization": f"token {token}", **headers},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
            return Answer(answer.status, answer.read().decode()), answer.headers
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode()), error.headers


@with_small_servers
def test_a_session_is_told_of_by_its_own_token_alone(site: Site) -> None:
    session = site.run("ada", FREE)
    other = site.run("bruno", FREE)
    token = token_of(session["id"])
    until(lambda: ask(site, session, token)[0].json["ends_epoch"], "the end to be known", 60)
    told, headers = ask(site, session, token, "room?gpu_percent=41")
    assert told.json["ends_epoch"] == site.session("ada")["ends_epoch"]
    assert 60 <= int(headers["Retry-After"]) <= 600
    assert site.session("ada")["gpu_percent"] == 41
    assert ask(site, session, token, **{"If-None-Match": headers["Etag"]})[0].status == 304
    for wrong in (token_of(other["id"]), site.token_of("ada"), site.admin_token, "f" * 32, ""):
        assert ask(site, session, wrong)[0].status == 403
        assert site.api("POST", f"/hpchub/sessions/{session['id']}/hand", {"up": True}, token=wrong).status == 403
    assert ask(site, session, token, "room?gpu_percent=4000")[0].status == 400
    assert site.api("POST", f"/hpchub/sessions/{session['id']}/hand", {"up": True}, token=token).status == 409
    site.stop_servers()
    assert ask(site, session, token)[0].status == 403, "the token has ended with its session"


@pytest.fixture
def trainer(site: Site) -> Iterator[Trainer]:
    """Carla; her event is over afterwards."""
    carla = Trainer(site)
    yield carla
    for event in carla.ask("GET", "/events").json:
        if event["state"] in ("planned", "open"):
            carla.ask("POST", f"/events/{event['slug']}/close")


@with_small_servers
def test_a_question_of_an_event_is_answered_when_there_is_news(site: Site, trainer: Trainer) -> None:
    event = trainer.create(seats=2, people=["seat01"], by_code=False)
    slug = event["slug"]
    assert trainer.ask("POST", f"/events/{slug}/room/start").status == 202
    session = site.ready("seat01", slug, 120)
    token = token_of(session["id"])
    until(lambda: ask(site, session, token)[0].json["ends_epoch"], "the end to be known", 60)
    told, headers = ask(site, session, token)
    assert told.json["event"] == {"slug": slug, "title": "GPU school"} and told.json["hand"] is False

    got: list[tuple[float, Answer]] = []

    def wait_for_news() -> None:
        answer, _ = ask(site, session, token, **{"If-None-Match": headers["Etag"], "Prefer": "wait"})
        got.append((time.monotonic(), answer))

    waiting = threading.Thread(target=wait_for_news)
    waiting.start()
    raised = site.api("POST", f"/hpchub/sessions/{session['id']}/hand", {"up": True}, token=token)
    assert raised.status == 204, raised
    waiting.join(45)  # without news it would take 50 s
    assert got and got[0][1].status == 200 and got[0][1].json["hand"] is True
    needs = {each["name"]: each["hand_epoch"] for each in trainer.ask("GET", f"/events/{slug}/help").json}
    assert needs["seat01"]


def test_a_notebook_s_kernels_see_nothing_of_it(site: Site) -> None:
    site.run("ada", FREE)
    token = site.token_of("ada")
    assert site.get("/user/ada/hpchub/session", token).json["mine"] is True
    kernel = start_kernel(site, "ada", token)
    assert execute(site, "ada", token, kernel, WHAT_KERNELS_SEE) == "[] None\n"
