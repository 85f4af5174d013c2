"""What notebooks are told while they run, when they ask again, and how those of events wait."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pydantic import ValidationError

from hpchub.catalogue.event import Event, Helper, Message
from hpchub.events import EventKeeper
from hpchub.handlers.notebook import RoomHandler
from hpchub.jobs.notebook import Hand, Use, end_epoch, event_of, pause_seconds, told
from hpchub.jobs.session import Session
from hpchub.notebooks import ANSWERS_A_SECOND, WAIT_SECONDS, Notebooks
from hpchub.slurm.model import ClusterView
from tests.unit.data.job_request import JOB, SESSION_ID, request

NOW = 1_800_000_000
ENDS = NOW + 7200
SCHOOL = Event(
    slug="school",
    title="GPU school",
    opens_epoch=NOW - 600,
    closes_epoch=NOW + 3600,
    members=("carla", "ada", "bruno"),
    trainers=("carla",),
    cluster="leonardo",
    allocation="tra26_hack",
    profiles=("general/*",),
)
SESSION = Session(request=request(event="school"), token_id=7, begun_epoch=NOW - 60, job_id=JOB.job_id)
VIEW = ClusterView("leonardo", jobs={JOB.job_id: replace(JOB, end_epoch=ENDS)})


def seen(event: Event | None = SCHOOL, session: Session = SESSION) -> dict[str, object]:
    return told(session, VIEW, event, NOW)


def with_changes(**changes: object) -> Event:
    return SCHOOL.model_copy(update=changes)


def test_a_session_without_an_event_is_told_its_end_alone() -> None:
    assert seen(None) == {"ends_epoch": ENDS, "event": None, "hand": None, "messages": [], "helpers": []}


def test_a_session_ends_with_its_event_if_that_is_earlier() -> None:
    assert end_epoch(SESSION, VIEW, SCHOOL) == SCHOOL.closes_epoch
    assert end_epoch(SESSION, VIEW, with_changes(closes_epoch=ENDS + 1)) == ENDS


def test_the_end_of_a_job_that_was_not_seen_to_run_is_not_known() -> None:
    assert end_epoch(SESSION, None, SCHOOL) is None
    assert end_epoch(SESSION, ClusterView("leonardo"), SCHOOL) is None


def test_the_event_is_the_one_that_the_session_was_started_in() -> None:
    other = with_changes(slug="another")
    assert event_of(SESSION, (other, SCHOOL)) is SCHOOL
    assert event_of(SESSION, (other,)) is None
    assert event_of(replace(SESSION, request=request()), (other, SCHOOL)) is None


def test_only_messages_for_this_person_are_told() -> None:
    both = Message(epoch=NOW, who="carla", says="Hello")
    others = Message(epoch=NOW + 1, who="carla", says="For the blue team", to=("bruno",))
    assert seen(with_changes(messages=(both, others)))["messages"] == [{"epoch": NOW, "who": "carla", "says": "Hello"}]


def test_a_hand_is_one_s_own_and_trainers_have_none() -> None:
    assert seen()["hand"] is False
    assert seen(with_changes(hands=("bruno",)))["hand"] is False
    assert seen(with_changes(hands=("bruno", "ada")))["hand"] is True
    assert seen(with_changes(trainers=("ada",)))["hand"] is None


def test_who_may_see_this_notebook_now_is_told() -> None:
    here = Helper(owner="ada", session=SESSION_ID, helper="carla", until_epoch=NOW + 60)
    elsewhere = here.model_copy(update={"session": "f" * 32})
    over = here.model_copy(update={"until_epoch": NOW})
    helpers = seen(with_changes(helpers=(here, elsewhere, over)))["helpers"]
    assert helpers == [{"name": "carla", "until_epoch": NOW + 60}]


def test_who_lets_all_trainers_in_is_told_each_of_them() -> None:
    everybody = Helper(owner="ada", session=SESSION_ID, helper=None, until_epoch=NOW + 60)
    helpers = seen(with_changes(helpers=(everybody,), trainers=("carla", "teresa")))["helpers"]
    assert helpers == [{"name": name, "until_epoch": NOW + 60} for name in ("carla", "teresa")]


def test_nothing_of_anybody_else_is_told() -> None:
    crowded = with_changes(
        hands=("bruno",),
        messages=(Message(epoch=NOW, who="carla", says="Hello", to=("ada", "bruno")),),
        helpers=(Helper(owner="bruno", session="f" * 32, helper="carla", until_epoch=NOW + 60),),
    )
    assert "bruno" not in str(seen(crowded))


@pytest.mark.parametrize(
    ("left_seconds", "in_event", "seconds"),
    [
        (None, False, 20),
        (8 * 3600, False, 600),
        (30 * 60, False, 300),
        (26 * 60, False, 60),
        (10 * 60, False, 60),
        (-5, False, 60),
        (8 * 3600, True, 60),
    ],
)
def test_when_a_notebook_asks_again(left_seconds: int | None, in_event: bool, seconds: int) -> None:
    assert pause_seconds(None if left_seconds is None else NOW + left_seconds, in_event, NOW) == seconds


@pytest.mark.parametrize("body", ["", "{}", '{"up": "yes"}', '{"up": true, "who": "bruno"}', "[true]"])
def test_what_is_no_hand_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        Hand.model_validate_json(body)


@pytest.mark.parametrize("percent", ["-1", "101", "a lot", "1e2000"])
def test_what_is_no_use_of_gpus_is_refused(percent: str) -> None:
    with pytest.raises(ValidationError):
        Use.model_validate({"gpu_percent": percent})


async def test_who_waits_is_woken_by_news() -> None:
    notebooks = Notebooks()
    began = time.monotonic()
    waiting = asyncio.create_task(notebooks.news(60))
    await asyncio.sleep(0)
    assert notebooks.waiting == 1
    notebooks.tell()
    await waiting
    assert notebooks.waiting == 0 and time.monotonic() - began < 30


async def test_who_goes_away_waits_no_longer() -> None:
    notebooks = Notebooks()
    waiting = asyncio.create_task(notebooks.news(60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert notebooks.waiting == 0


def test_a_large_room_waits_longer_and_never_takes_all_connections() -> None:
    notebooks = Notebooks()
    assert (notebooks.wait_seconds, notebooks.full) == (WAIT_SECONDS, False)
    notebooks.waiting = 1000
    assert notebooks.waiting / notebooks.wait_seconds <= ANSWERS_A_SECOND
    notebooks.waiting = 10**9
    assert notebooks.full


def test_the_hub_knows_of_a_hand_before_it_is_pushed(tmp_path: Path) -> None:
    told_of = []
    keeper = EventKeeper(tmp_path / "events.json", lambda: told_of.append(keeper.events))
    keeper.replace((SCHOOL, with_changes(slug="another")))
    for up, hands in ((True, ("ada",)), (True, ("ada",)), (False, ())):
        keeper.note_hand("school", "ada", up)
        assert [event.hands for event in keeper.events] == [hands, ()]
    assert len(told_of) == 4


@pytest.mark.parametrize("weak", ["", "W/"])
async def test_the_name_of_an_answer_that_a_proxy_made_weak_is_known(weak: str) -> None:
    body, notebooks = b"{}", Notebooks()
    sent = {"If-None-Match": f'{weak}"{hashlib.sha256(body).hexdigest()[:32]}"', "Prefer": "wait"}
    stream = SimpleNamespace(closed=lambda: False)
    handler = SimpleNamespace(
        engine=SimpleNamespace(notebooks=notebooks),
        request=SimpleNamespace(headers=sent, connection=SimpleNamespace(stream=stream)),
        _event_of=lambda session: SCHOOL,
        _told=lambda session: body,
    )
    asked = asyncio.create_task(RoomHandler._wait(cast("RoomHandler", handler), SESSION))
    await asyncio.sleep(0)
    assert notebooks.waiting == 1 and not asked.done(), "there is nothing new"
    asked.cancel()
