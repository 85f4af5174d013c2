"""The end of an event on the real cluster: within a minute nobody gets in, no job runs and nothing is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.events import EVENTS, Trainer, join, send
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

OWN, MADE = "hpchub_gpu_school", "s_tra_end"
SEATS = ["seat01", "seat02", "seat03"]
AFTER_SECONDS = 60
pytestmark = pytest.mark.usefixtures("small_servers")


@pytest.fixture(autouse=True)
def no_reservation_left(site: Site) -> Iterator[None]:
    """Whatever fails: a later test makes one of the same name."""
    yield
    site.stop_servers()
    until(lambda: is_gone(site, OWN) and is_gone(site, MADE), "both reservations to be gone", 60)


def is_gone(site: Site, name: str) -> bool:
    """Remove a reservation, which Slurm refuses while a job of it is completing; tell whether it is gone."""
    if is_reserved(site, name):
        site.slurm(f"scontrol -M leonardo delete reservationname={name} || true")
    return not is_reserved(site, name)


def is_reserved(site: Site, name: str) -> bool:
    return f"={name} " in site.slurm("scontrol -M leonardo -o show reservation")


def users_and_groups(site: Site) -> dict[str, Any]:
    """The hub's own people, and their groups."""
    return {each["name"]: (each["admin"], sorted(each["groups"])) for each in site.api("GET", "/users").json}


def test_nobody_gets_in_and_nothing_is_left_a_minute_after_the_end(site: Site, trainer: Trainer) -> None:
    people = {name: FormSession(site.url, name) for name in (*SEATS, "seat04")}
    before = users_and_groups(site)
    event = trainer.create(seconds=170, seats=4, people=SEATS, reservation=OWN)
    slug, code, ends = event["slug"], event["code"], event["plan"]["ends_epoch"]
    until(lambda: is_reserved(site, OWN), "the reservation", 90)
    assert trainer.ask("POST", f"/events/{slug}/room/start").json == {"starting": 3}
    for name in SEATS:
        job = site.job(site.ready(name, slug, 150))
        assert (job["Reservation"], job["JobState"]) == (OWN, "RUNNING")
    page = people["seat01"].fetch(f"{EVENTS}event/{slug}")
    assert time.time() < ends, "the servers took so long to start that this shows nothing"

    until(lambda: time.time() >= ends, "the end", 180)
    assert "opens no event" in join(people["seat04"], code).source
    assert send(people["seat01"], page, f"{EVENTS}event/{slug}/start").status in (404, 409)
    until(lambda: not any(map(site.live_jobs_of, SEATS)), "no job to run", AFTER_SECONDS)
    until(lambda: not is_reserved(site, OWN), "the reservation to be gone", max(ends + AFTER_SECONDS - time.time(), 1))
    assert slug not in [each["slug"] for each in site.api("GET", "/hpchub/events").json]
    assert time.time() < ends + AFTER_SECONDS

    refused = site.start("seat02", {"profile": "general/pytorch", "event": slug})
    assert refused.status == 400 and "not one of yours that are open now" in refused.message
    assert users_and_groups(site) == before, "the hub's own people are as they were"
    site.run("seat01", {"profile": "general/data-preparation"})


def test_an_event_is_closed_while_some_wait_and_some_start(site: Site, trainer: Trainer) -> None:
    site.slurm(
        f"scontrol -M leonardo create reservation reservationname={MADE} nodes=lrdn0009"
        " starttime=now duration=60 accounts=tra26_hack"
    )
    names = [f"seat{number:02}" for number in range(1, 7)]
    event = trainer.create(seats=6, people=names, reservation=MADE)
    slug = event["slug"]
    assert trainer.ask("POST", f"/events/{slug}/room/start").json == {"starting": 6}
    states: list[str] = []

    def some_of_each() -> bool:
        states[:] = [seat["state"] for seat in trainer.ask("GET", f"/events/{slug}/room").json]
        return "queued" in states and bool({"starting", "working"} & set(states))

    until(some_of_each, "some to wait and some to start", 120)
    trainer.ask("POST", f"/events/{slug}/close")
    began = time.monotonic()
    until(lambda: not any(map(site.live_jobs_of, names)), f"no job to be left of {states}", AFTER_SECONDS)
    until(lambda: trainer.shown(slug)["cleared_epoch"], "nothing of the event to be left", AFTER_SECONDS)
    assert time.monotonic() - began < AFTER_SECONDS
    told = trainer.ask("GET", f"/events/{slug}/room").json
    assert {seat["state"] for seat in told} <= {"ended", "away"}, told
    assert not any(map(site.live_jobs_of, names)), "nothing was started behind its end"
