"""Whose decision an event is: what a trainer may do alone, and what an administrator has to approve."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.data.console import HOUR, NINE, Console, catalogue_with_approval

LATER = {"ends_epoch": NINE + 9 * HOUR}


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


@pytest.fixture
def strict(tmp_path: Path) -> Console:
    """A console of a site where administrators approve events."""
    return Console(tmp_path, catalogue_with_approval())


async def test_whose_allocation_it_is_not_asks_an_administrator(console: Console) -> None:
    console.hub.associated = frozenset({"bruno"})
    event = await console.create(allocation="aifac_cyber01", people=["bruno"])
    asked = console.hub.asked["plan"]
    assert (asked["cluster"], asked["allocation"], asked["people"]) == ("leonardo", "aifac_cyber01", ["carla"])
    console.now_epoch = NINE
    assert event["state"] == "requested" and console.hub.events == []
    assert (await console.ask("carla", "POST", "/events/gpu-school/room/start")).status_code == 409
    assert console.hub.servers == {}, "nothing was started as bruno"
    assert (await console.ask("admin", "POST", "/events/gpu-school/approve")).json()["state"] == "open"


async def test_an_administrator_needs_no_allocation_to_create_an_event(console: Console) -> None:
    console.hub.associated = frozenset()
    assert (await console.create("admin"))["state"] == "planned"


async def test_what_was_approved_ends_later_only_by_an_administrator(strict: Console) -> None:
    await strict.create()
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    answer = await strict.ask("carla", "POST", "/events/gpu-school/extend", LATER)
    assert answer.status_code == 403 and "Ask an administrator" in answer.json()["message"]
    assert strict.hub.events[0]["closes_epoch"] == NINE + 8 * HOUR
    assert (await strict.ask("admin", "POST", "/events/gpu-school/extend", LATER)).status_code == 200
    assert strict.hub.events[0]["closes_epoch"] == NINE + 9 * HOUR


async def test_what_nobody_has_approved_yet_its_trainer_may_change(strict: Console) -> None:
    await strict.create()
    answer = await strict.ask("carla", "POST", "/events/gpu-school/extend", LATER)
    assert (answer.status_code, answer.json()["state"]) == (200, "requested")


async def test_an_event_of_a_foreign_allocation_stays_as_it_was_approved(console: Console) -> None:
    console.hub.associated = frozenset()
    await console.create()
    await console.ask("admin", "POST", "/events/gpu-school/approve")
    assert (await console.ask("carla", "POST", "/events/gpu-school/extend", LATER)).status_code == 403


async def test_an_event_that_was_planned_without_a_code_never_gets_one(strict: Console) -> None:
    event = await strict.create(by_code=False, people=["ada"])
    await strict.ask("admin", "POST", "/events/gpu-school/approve")
    answer = await strict.ask("carla", "POST", "/events/gpu-school/code")
    assert answer.status_code == 409 and "planned without a code" in answer.json()["message"]
    assert event["code"] is (await strict.ask("carla", "GET", "/events/gpu-school")).json()["code"] is None
    assert "New code" not in (await strict.visit("carla", "event/gpu-school")).text


async def test_what_was_changed_after_the_page_was_shown_is_not_approved(strict: Console) -> None:
    await strict.create()
    (seen,) = re.findall(r'name="plan_digest" value="(\w+)"', (await strict.visit("admin", "event/gpu-school")).text)
    await strict.ask("carla", "PATCH", "/events/gpu-school", {"seats": 200})
    for sent in ({"plan_digest": seen}, {}):
        answer = await strict.visit("admin", "event/gpu-school/approve", sent)
        assert answer.status_code == 409 and "Somebody else has just changed this event" in answer.text
    refused = await strict.ask("admin", "POST", "/events/gpu-school/approve", {"plan_digest": seen})
    assert refused.status_code == 409
    event = (await strict.ask("admin", "GET", "/events/gpu-school")).json()
    assert event["state"] == "requested" and event["plan_digest"] != seen
    sent = {"plan_digest": event["plan_digest"]}
    assert (await strict.visit("admin", "event/gpu-school/approve", sent)).status_code == 303
    assert (await strict.ask("admin", "GET", "/events/gpu-school")).json()["state"] == "planned"
