"""An event whose reservation the console makes by itself, on the real cluster, and removes when the event is over."""

from __future__ import annotations

import pytest

from tests.support.events import Trainer, join
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

NAME = "hpchub_gpu_school"
pytestmark = pytest.mark.usefixtures("small_servers")


def shown(site: Site) -> dict[str, str]:
    """What Slurm says of the reservation; empty where it has none."""
    lines = site.slurm("SLURM_TIME_FORMAT=%s scontrol -M leonardo -o show reservation").splitlines()
    return dict(item.partition("=")[::2] for line in lines if f"={NAME} " in line for item in line.split())


def test_an_event_makes_its_reservation_and_leaves_none(site: Site, trainer: Trainer) -> None:
    event = trainer.create(reservation=NAME, seats=5)
    found = until(lambda: shown(site), "the reservation", 90)
    assert (found["NodeCnt"], found["Accounts"]) == ("2", "tra26_hack")
    assert int(found["EndTime"]) == event["plan"]["ends_epoch"]

    join(FormSession(site.url, "seat01"), event["code"])
    job = site.job(site.ready("seat01", event["slug"], 180))
    assert job["Reservation"] == NAME

    trainer.ask("POST", f"/events/{event['slug']}/close")
    until(lambda: not shown(site), "the reservation to be gone", 90)
    assert not site.live_jobs_of("seat01")
