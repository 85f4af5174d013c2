"""The room as a trainer sees it: true states of real jobs, and one button for all of them."""

from __future__ import annotations

import pytest

from tests.support.events import Trainer
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")
SEATS = [f"seat{number:02}" for number in range(1, 41)]


def states(trainer: Trainer, slug: str) -> dict[str, str]:
    """Each seat's state, by its person."""
    return {seat["name"]: seat["state"] for seat in trainer.ask("GET", f"/events/{slug}/room").json}


def test_a_room_is_started_watched_helped_and_stopped(site: Site, trainer: Trainer) -> None:
    event = trainer.create(seats=40, people=SEATS, by_code=False)
    room = f"/events/{event['slug']}/room"
    assert set(states(trainer, event["slug"]).values()) == {"away"}

    answer = trainer.ask("POST", f"{room}/start")
    assert (answer.status, answer.json) == (202, {"starting": 40})
    until(lambda: set(states(trainer, event["slug"]).values()) == {"working"}, "all forty to work", 300)
    jobs = {seat["name"]: site.session(seat["name"], event["slug"])["job_id"] for seat in trainer.ask("GET", room).json}
    assert len(set(jobs.values())) == 40
    assert trainer.ask("POST", f"{room}/start").json == {"starting": 0}

    site.slurm(f"scancel -M leonardo {jobs['seat11']}")
    until(lambda: states(trainer, event["slug"])["seat11"] == "failed", "seat11's tile to say that it failed", 90)
    told = {seat["name"]: seat["says"] for seat in trainer.ask("GET", room).json}
    assert "cancelled" in told["seat11"] and told["seat12"] == ""
    assert trainer.ask("POST", f"{room}/seat11/restart").status == 202
    assert trainer.ask("POST", f"{room}/seat12/restart").status == 202
    until(
        lambda: (
            site.session("seat12", event["slug"]).get("job_id") not in (None, jobs["seat12"])
            and set(states(trainer, event["slug"]).values()) == {"working"}
        ),
        "both to work again",
        240,
    )

    assert trainer.ask("POST", f"{room}/stop").status == 204
    until(lambda: not any(site.live_jobs_of(name) for name in SEATS), "no job to be left", 90)
    until(lambda: set(states(trainer, event["slug"]).values()) == {"ended"}, "all tiles to say so", 60)
    assert trainer.shown(event["slug"])["state"] == "open"
