"""The room as a trainer sees it: true states of real jobs, and one button for all of them."""

from __future__ import annotations

import pytest

from tests.support.events import Trainer
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")
SEATS = [f"seat{number:02}" for number in range(1, 7)]


def states(trainer: Trainer, slug: str) -> dict[str, str]:
    """Each seat's state, by its person."""
    return {seat["name"]: seat["state"] for seat in trainer.ask("GET", f"/events/{slug}/room").json}


def test_a_room_is_started_watched_helped_and_stopped(site: Site, trainer: Trainer) -> None:
    event = trainer.create(seats=6, people=SEATS, by_code=False)
    room = f"/events/{event['slug']}/room"
    assert set(states(trainer, event["slug"]).values()) == {"away"}

    answer = trainer.ask("POST", f"{room}/start")
    assert (answer.status, answer.json) == (202, {"starting": 6})
    until(lambda: set(states(trainer, event["slug"]).values()) == {"working"}, "all to work", 300)
    jobs = {seat["name"]: site.session(seat["name"], event["slug"])["job_id"] for seat in trainer.ask("GET", room).json}
    assert len(set(jobs.values())) == 6
    assert trainer.ask("POST", f"{room}/start").json == {"starting": 0}

    site.slurm(f"scancel -M leonardo {jobs['seat04']}")
    until(lambda: states(trainer, event["slug"])["seat04"] == "failed", "seat04's tile to say that it failed", 90)
    told = {seat["name"]: seat["says"] for seat in trainer.ask("GET", room).json}
    assert "cancelled" in told["seat04"] and told["seat05"] == ""
    assert trainer.ask("POST", f"{room}/seat04/restart").status == 202
    assert trainer.ask("POST", f"{room}/seat05/restart").status == 202
    until(
        lambda: (
            site.session("seat05", event["slug"]).get("job_id") not in (None, jobs["seat05"])
            and set(states(trainer, event["slug"]).values()) == {"working"}
        ),
        "both to work again",
        240,
    )

    assert trainer.ask("POST", f"{room}/stop").status == 204
    until(lambda: not any(site.live_jobs_of(name) for name in SEATS), "no job to be left", 90)
    until(lambda: set(states(trainer, event["slug"]).values()) == {"ended"}, "all tiles to say so", 60)
    assert trainer.shown(event["slug"])["state"] == "open"
