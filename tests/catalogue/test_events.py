"""An event with a reservation, for real: its people start in it, everybody else does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.site import Site

RESERVATION = "s_tra_school"
CHOICE = {"profile": "general/pytorch", "size": "small", "event": "gpu-school"}


def event(**changes: Any) -> dict[str, Any]:
    """An event of carla's that is open for an hour."""
    now = int(time.time())
    return {
        "slug": "gpu-school",
        "title": "GPU school",
        "opens_epoch": now - 60,
        "closes_epoch": now + 3600,
        "members": ["carla"],
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "reservation": RESERVATION,
        "profiles": ["general/*"],
        **changes,
    }


def push(site: Site, *events: dict[str, Any]) -> None:
    answer = site.api("PUT", "/hpchub/events", list(events))
    assert answer.status == 204, answer


@pytest.fixture
def school(site: Site) -> Iterator[None]:
    """A node of leonardo is reserved for the school's account for an hour, and the hub knows of the school."""
    site.slurm(
        f"scontrol -M leonardo create reservation reservationname={RESERVATION} nodes=lrdn0010"
        " starttime=now duration=60 accounts=tra26_hack"
    )
    push(site, event())
    yield
    push(site)
    site.stop_servers()
    site.slurm(f"scontrol -M leonardo delete reservationname={RESERVATION}")


@pytest.mark.usefixtures("school")
def test_a_session_of_an_event_runs_in_its_reservation_and_ends_with_it(site: Site) -> None:
    session = site.run("carla", CHOICE)
    job = site.job(session)
    assert (job["Reservation"], job["Account"], job["NodeList"]) == (RESERVATION, "tra26_hack", "lrdn0010")
    # Without a time of its own a job is ended after the partition's default, in the middle of the course.
    hours, minutes, _ = (int(part) for part in job["TimeLimit"].split(":"))
    assert 50 <= 60 * hours + minutes <= 60
    assert site.server("carla")["user_options"]["event"] == "gpu-school"


@pytest.mark.usefixtures("school")
def test_a_start_without_the_event_stays_out_of_the_reservation(site: Site) -> None:
    session = site.run("carla", {**CHOICE, "event": None, "cluster": "leonardo"})
    job = site.job(session)
    assert job.get("Reservation", "") in ("", "(null)")
    assert job["NodeList"] != "lrdn0010"


@pytest.mark.usefixtures("school")
def test_an_event_is_for_its_members(site: Site) -> None:
    answer = site.start("ada", CHOICE)
    assert (answer.status, answer.message) == (
        400,
        "Event 'gpu-school' is not one of yours that are open now. Yours: none.",
    )
    assert not site.live_jobs_of("ada")


@pytest.mark.usefixtures("school")
def test_a_choice_beside_the_event_is_refused(site: Site) -> None:
    answer = site.start("carla", {**CHOICE, "cluster": "it4lia"})
    assert (answer.status, answer.message) == (
        400,
        "Event gpu-school decides the cluster: leonardo; asked for: 'it4lia'.",
    )


def test_the_hub_keeps_the_events_over_a_restart(site: Site) -> None:
    push(site, event(), event(slug="other"))
    try:
        site.kill_hub()
        site.start_hub()
        assert [each["slug"] for each in site.api("GET", "/hpchub/events").json] == ["gpu-school", "other"]
    finally:
        push(site)
    assert site.api("GET", "/hpchub/events").json == []


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([event(closes_epoch=1)], "closes_epoch"),
        ([event(chairs=40)], "0.chairs: Extra inputs are not permitted"),
        ([event(), event()], "gpu-school is there twice"),
        ({"events": []}, "the body: "),
    ],
)
def test_what_is_no_list_of_events_changes_nothing(site: Site, events: Any, words: str) -> None:
    push(site, event(slug="before"))
    try:
        answer = site.api("PUT", "/hpchub/events", events)
        assert answer.status == 400 and words in answer.message
        assert [each["slug"] for each in site.api("GET", "/hpchub/events").json] == ["before"]
    finally:
        push(site)


def test_only_who_may_change_groups_sees_or_sets_events(site: Site) -> None:
    token = site.token_of("ada")
    assert site.api("GET", "/hpchub/events", token=token).status == 403
    assert site.api("PUT", "/hpchub/events", [event(members=["ada"])], token=token).status == 403
    assert site.api("PUT", "/hpchub/events", [event(members=["ada"])], token="").status == 403
    assert site.api("GET", "/hpchub/events").json == []
