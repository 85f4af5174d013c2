"""What a trainer does with a plan on the real cluster: rehearses it, changes it, lets it end later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.events import Trainer, join
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

NAME = "hpchub_gpu_school"
DAY_SECONDS = 86400
pytestmark = pytest.mark.usefixtures("small_servers")


@pytest.fixture(autouse=True)
def no_reservation_left(site: Site) -> Iterator[None]:
    """Whatever fails: a later test makes one of the same name."""
    yield
    site.stop_servers()
    until(lambda: is_gone(site), "the reservation to be gone", 60)


def is_gone(site: Site) -> bool:
    """Remove the reservation, which Slurm refuses while a job of it is completing; tell whether it is gone."""
    if reserved(site):
        site.slurm(f"scontrol -M leonardo delete reservationname={NAME} || true")
    return not reserved(site)


def reserved(site: Site) -> dict[str, str]:
    """What Slurm says of the reservation; empty where it has none."""
    lines = site.slurm("SLURM_TIME_FORMAT=%s scontrol -M leonardo -o show reservation").splitlines()
    return dict(item.partition("=")[::2] for line in lines if f"={NAME} " in line for item in line.split())


def ends_epoch(site: Site, job_id: str) -> int:
    """When the time limit ends a job, as Slurm says it."""
    told = site.slurm(f"SLURM_TIME_FORMAT=%s scontrol -M leonardo -o show job {job_id}")
    return int(dict(item.partition("=")[::2] for item in told.split())["EndTime"])


def accounted(site: Site, job_id: str) -> str:
    """The seconds of a job that has ended, as the accounting has them; empty as long as it has not."""
    told = site.slurm(f"sacct -M leonardo -X -n -P -o End,ElapsedRaw -j {job_id}").strip()
    return "" if not told or told.startswith("Unknown") else told.partition("|")[2]


def test_a_rehearsal_runs_one_seat_for_real_the_day_before(site: Site, trainer: Trainer) -> None:
    tomorrow = int(time.time()) + DAY_SECONDS
    event = trainer.create(starts_epoch=tomorrow, ends_epoch=tomorrow + 3600, people=["seat01"], reservation=NAME)
    slug = event["slug"]
    assert event["state"] == "planned"
    until(lambda: reserved(site), "the reservation of tomorrow", 90)

    answer = trainer.ask("POST", f"/events/{slug}/rehearse")
    assert (answer.status, answer.json["rehearsal"]["step"]) == (202, "asked"), answer
    until(lambda: trainer.shown(slug)["rehearsal"]["step"] == "started", "its start", 60)
    refused = site.start("seat01", {"profile": "general/pytorch", "event": slug})
    assert refused.status == 400 and "not one of yours that are open now" in refused.message

    tried = until(
        lambda: (lambda told: told if told["step"] == "done" else {})(trainer.shown(slug)["rehearsal"]), "its end", 240
    )
    assert tried["ready"], (tried, site.log()[-3000:])
    assert 0 <= tried["queued_seconds"] <= tried["ready_seconds"] < 200
    job = site.job({"cluster": "leonardo", "job_id": tried["job_id"]})
    assert (job["UserId"].partition("(")[0], job["Account"]) == ("carla", "tra26_hack")
    assert "Reservation" not in job, "it has not begun: Slurm would not have started the job before tomorrow"
    until(lambda: not site.live_jobs_of("carla"), "no job to be left", 60)
    refused = site.start("carla", {"profile": "general/pytorch", "event": slug})
    assert refused.status == 400, "it was for the rehearsal only"

    seconds = until(lambda: accounted(site, tried["job_id"]), "its end in the accounting", 60)
    told: dict[str, Any] = until(
        lambda: (lambda told: told if told["accounted"] else {})(trainer.ask("GET", f"/events/{slug}/report").json),
        "the report to have it",
        120,
    )
    assert (told["sessions"], told["came"]) == (1, 0)
    assert told["gpu_hours"] == round(int(seconds) / 3600, 4)

    asked = {"cluster": "leonardo", "jobs": [tried["job_id"], "999999"]}
    accounts = site.api("POST", "/hpchub/accounting", asked)
    assert accounts.status == 200 and accounts.json[tried["job_id"]]["seconds"] == int(seconds)
    assert list(accounts.json) == [tried["job_id"]], "of what is not there, or not a hub's, nothing is told"
    for body, status in (({**asked, "cluster": "next"}, 404), ({**asked, "jobs": ["1 -u root"]}, 400), ({}, 400)):
        assert site.api("POST", "/hpchub/accounting", body).status == status
    assert site.api("POST", "/hpchub/accounting", asked, token=site.token_of("carla")).status == 403


def test_an_event_that_changes_takes_its_reservation_and_its_running_notebooks_along(
    site: Site, trainer: Trainer
) -> None:
    event = trainer.create(seconds=1800, seats=1, minutes=120, reservation=NAME)
    slug, ends = event["slug"], event["plan"]["ends_epoch"]
    until(lambda: reserved(site), "the reservation", 90)
    join(FormSession(site.url, "seat01"), event["code"])
    session = site.ready("seat01", slug, 180)
    job_id = session["job_id"]
    assert ends - 180 <= ends_epoch(site, job_id) <= ends + 60

    assert trainer.ask("PATCH", f"/events/{slug}", {"seats": 5}).status == 200
    until(lambda: reserved(site)["NodeCnt"] == "2", "the reservation to have room for five", 180)

    later = ends + 1800
    assert trainer.ask("POST", f"/events/{slug}/extend", {"ends_epoch": later}).status == 200
    until(lambda: int(reserved(site)["EndTime"]) == later, "the reservation to last as long", 240)
    until(lambda: later - 60 <= ends_epoch(site, job_id) <= later, "the job to last as long", 60)
    until(lambda: (site.session("seat01", slug)["ends_epoch"] or 0) > ends + 600, "the hub to know it", 90)
    now = site.session("seat01", slug)
    assert (now["job_id"], now["phase"]) == (job_id, "ready"), "without a restart"
    assert "prolonged" in [act["verb"] for act in trainer.ask("GET", f"/events/{slug}/record").json]

    trainer.ask("POST", f"/events/{slug}/close")
    until(lambda: not reserved(site), "the reservation to be gone", 120)
