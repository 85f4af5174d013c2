"""A room of people on the real hub, the real Slurm and the real console: they join, work, and it ends by itself."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hpchub.cli import app
from tests.support.events import EVENTS, Trainer, join, send
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

RESERVATION = "s_tra_school"
pytestmark = pytest.mark.usefixtures("small_servers")


@pytest.fixture
def reserved(site: Site) -> Iterator[None]:
    """A node of leonardo is reserved for the school's account."""
    site.slurm(
        f"scontrol -M leonardo create reservation reservationname={RESERVATION} nodes=lrdn0010"
        " starttime=now duration=60 accounts=tra26_hack"
    )
    yield
    site.stop_servers()
    site.slurm(f"scontrol -M leonardo delete reservationname={RESERVATION}")


def accounted_seconds(site: Site, jobs: list[str]) -> int:
    """How long jobs ran, as Slurm's accounting has it once all of them have ended."""

    def rows() -> list[str]:
        told = site.slurm(f"sacct -M leonardo -X -n -P -o End,ElapsedRaw -j {','.join(jobs)}").split()
        return told if len(told) == len(jobs) and not any(row.startswith("Unknown") for row in told) else []

    return sum(int(row.partition("|")[2]) for row in until(rows, "all jobs to have ended in the accounting", 60))


def reported(trainer: Trainer, slug: str) -> dict[str, Any]:
    """The report of two seats with a session each, once all its hours are those of Slurm's accounting."""
    told = dict(trainer.ask("GET", f"/events/{slug}/report").json)
    assert (told["came"], told["sessions"], told["failures"]) == (2, 2, 0)
    return told if told["accounted"] else {}


@pytest.mark.usefixtures("reserved")
def test_a_room_joins_by_a_link_and_works_in_the_reservation_until_the_trainer_ends_it(
    site: Site, trainer: Trainer
) -> None:
    event = trainer.create(reservation=RESERVATION)
    slug = event["slug"]
    people = {name: FormSession(site.url, name) for name in ("seat01", "seat02", "seat03")}
    opened = people["seat01"].fetch(event["join_path"])
    assert opened.status == 200 and "GPU school" in opened.source
    assert not site.server("seat01", slug), "a link starts nothing"

    for name in ("seat01", "seat02"):
        page = join(people[name], event["code"])
        assert page.status == 200 and f"/{name}/{slug}" in page.url, page
    full = join(people["seat03"], event["code"])
    assert full.status == 409 and "All 2 seats are taken" in full.source

    jobs = [site.job(site.ready(name, slug, 180)) for name in ("seat01", "seat02")]
    for job in jobs:
        assert (job["Reservation"], job["Account"], job["NodeList"]) == (RESERVATION, "tra26_hack", "lrdn0010")
    again = people["seat01"].fetch(f"{EVENTS}event/{slug}")
    there = send(people["seat01"], again, f"{EVENTS}event/{slug}/start")
    assert f"/user/seat01/{slug}/" in there.url

    site.start("seat02", {"profile": "general/data-preparation"})
    own = site.ready("seat02", seconds=180)
    began = time.monotonic()
    assert trainer.ask("POST", f"/events/{slug}/close").json["state"] == "over"
    until(lambda: not site.server("seat01", slug).get("ready"), "seat01's server to be stopped", 60)
    until(lambda: trainer.shown(slug)["cleared_epoch"], "nothing of the event to be left", 60)
    assert time.monotonic() - began < 60
    assert not site.live_jobs_of("seat01")
    assert [job.split()[1] for job in site.live_jobs_of("seat02")] == [own["job_id"]], "what is not the event's goes on"
    elapsed = accounted_seconds(site, [job["JobId"] for job in jobs])
    told = until(lambda: reported(trainer, slug), "the report to have what Slurm accounted", 120)
    # one GPU and eight cores a session, and a core-hour an hour of a core
    assert told["gpu_hours"] == round(elapsed / 3600, 4)
    assert told["core_hours"] == pytest.approx(8 * elapsed / 3600, abs=0.001)
    assert sum(line["gpu_hours"] for line in told["lines"]) == pytest.approx(told["gpu_hours"], abs=0.0002)
    answer = site.start("seat01", {"profile": "general/pytorch", "event": slug})
    assert answer.status == 400 and "not one of yours that are open now" in answer.message
    assert "opens no event" in join(people["seat03"], event["code"]).source


def test_an_event_ends_by_itself(site: Site, trainer: Trainer) -> None:
    event = trainer.create(seconds=75)
    assert f"/seat04/{event['slug']}" in join(FormSession(site.url, "seat04"), event["code"]).url
    until(lambda: site.live_jobs_of("seat04"), "seat04's job to be there", 60)
    until(lambda: time.time() >= event["plan"]["ends_epoch"], "its end", 100)
    until(lambda: not site.live_jobs_of("seat04"), "no job to be left", 60)
    until(lambda: trainer.shown(event["slug"])["cleared_epoch"], "nothing of the event to be left", 60)
    assert trainer.shown(event["slug"])["state"] == "over"
    assert event["slug"] not in [each["slug"] for each in site.api("GET", "/hpchub/events").json]


def test_a_console_that_is_killed_in_the_middle_comes_back_with_everything(site: Site, trainer: Trainer) -> None:
    event = trainer.create(size=None)
    person = FormSession(site.url, "seat05")
    page = person.fetch(f"{EVENTS}join/{event['code']}")
    before = trainer.shown(event["slug"])
    pid = int((site.folder / "console.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    until(
        lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes(), "its death"
    )
    assert site.get("/hub/login").status == 200, "the hub goes on without it"
    assert [each["slug"] for each in site.api("GET", "/hpchub/events").json] == [event["slug"]]
    site.up()
    assert trainer.shown(event["slug"]) == before
    # the form was drawn by the process that died
    assert f"/seat05/{event['slug']}" in send(person, page, f"{EVENTS}join", code=event["code"]).url


def test_a_hub_that_restarts_keeps_the_event_s_people(site: Site, trainer: Trainer) -> None:
    event = trainer.create()
    join(FormSession(site.url, "seat06"), event["code"])
    site.kill_hub()
    site.start_hub()
    (known,) = site.api("GET", "/hpchub/events").json
    assert known["members"] == ["carla", "seat06"]


def test_the_command_line_does_what_the_pages_do(site: Site, trainer: Trainer) -> None:
    def hpchub(*arguments: str) -> Any:
        options = ["--site", str(site.folder / "site" / "site.yaml"), "--token-file", str(site.folder / "admin-token")]
        done = CliRunner().invoke(app, ["events", *arguments, *options, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    made = hpchub(
        "create", "--title", "From a terminal", "--starts", "2999-01-01", "--ends", "2999-01-02", "--seats", "40",
        "--cluster", "leonardo", "--allocation", "tra26_hack", "--profile", "general/pytorch", "--trainer", "carla",
    )  # fmt: skip
    assert (made["slug"], made["state"]) == ("from-a-terminal", "planned")
    assert "from-a-terminal" in [event["slug"] for event in hpchub("list")]
    assert hpchub("revoke-code", "from-a-terminal")["code"] is None
    assert hpchub("new-code", "from-a-terminal")["code"] not in (None, made["code"])
    assert trainer.shown("from-a-terminal")["created_by"] == "hpchub-admin"
    assert hpchub("close", "from-a-terminal")["state"] == "over"
    assert [act["verb"] for act in hpchub("record", "from-a-terminal")] == [
        "create", "revoke-code", "new-code", "close",
    ]  # fmt: skip


def test_tokens_and_cookies_of_others_open_nothing(site: Site, trainer: Trainer) -> None:
    event = trainer.create()
    ada = site.token_of("ada")
    narrow = site.api("POST", "/users/carla/tokens", {"scopes": ["read:users:name!user=carla"]}).json["token"]
    for token in (ada, narrow, "", "f" * 32):
        assert trainer.ask("GET", f"/events/{event['slug']}", token=token).status in (403, 404)
        assert trainer.ask("POST", f"/events/{event['slug']}/close", token=token).status in (403, 404)
    assert trainer.ask("POST", "/events", event["plan"], token=ada).status == 403
    page = FormSession(site.url, "ada").fetch(f"{EVENTS}event/{event['slug']}")
    assert page.status == 404 and event["code"] not in page.source
    assert trainer.shown(event["slug"])["state"] == "open"


def test_a_sign_out_is_one_for_the_events_too(site: Site, trainer: Trainer) -> None:
    carla = FormSession(site.url, "carla")
    assert "Events that you manage" in carla.fetch(EVENTS).source
    carla.fetch("/hub/logout")
    assert "/hub/login" in carla.fetch(EVENTS).url


def test_no_log_has_a_code_or_a_token(site: Site, trainer: Trainer) -> None:
    event = trainer.create()
    join(FormSession(site.url, "seat07"), event["code"])
    logs = site.log() + (site.folder / "hub" / "console.log").read_text()
    console_token = (site.folder / "hub" / "secrets" / "console-token").read_text().strip()
    assert "seat07" in logs
    for secret in (event["code"], event["code"].replace("-", ""), trainer.token, console_token):
        assert secret not in logs
