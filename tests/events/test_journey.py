"""A room of forty from the plan to the report: Carla in the real browser, forty people, a real cluster.

Ten of the forty have JupyterLab (three by `./run test`), the others a small server in a job just as real.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.access import judge
from tests.support.events import EVENTS, Trainer, join
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.small import small_servers
from tests.support.thorough import THOROUGH
from tests.support.visitor import Visitor
from tests.support.wait import until

NAME = "hpchub_journey"
CARDS, EARLY, LATE = 4, 10 if THOROUGH else 3, 2
SEATS = [f"seat{number:02}" for number in range(1, 41)]
READY_SECONDS = 420


@pytest.fixture(autouse=True)
def nothing_left(site: Site) -> Iterator[None]:
    """Whatever fails: other tests find free seats, idle nodes and no reservation."""
    yield
    site.slurm("scontrol -M leonardo update nodename=lrdn[0001-0010] state=resume 2>/dev/null || true")
    site.stop_servers()
    site.slurm(f"scontrol -M leonardo delete reservationname={NAME} || true")


def states(trainer: Trainer, slug: str) -> dict[str, str]:
    """Each seat's state, by its person."""
    return {seat["name"]: seat["state"] for seat in trainer.ask("GET", f"/events/{slug}/room").json}


def shows(page: Page, seat: str, state: str) -> None:
    """Wait until the open page shows a seat's state, without being loaded again."""
    expect(page.locator(f"[data-seat={seat}]")).to_have_attribute("data-state", state, timeout=90_000)


def main_process(seat: str, slug: str) -> int:
    """The process id of a seat's notebook server."""
    for folder in Path("/proc").iterdir():
        try:
            environment, line = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"/user/{seat}/{slug}/".encode() in environment and b"jupyterhub-singleuser" in line:
            return int(folder.name)
    raise AssertionError(f"{seat} has no notebook server")


def seconds_by_slurm(site: Site, slug: str, jobs: set[str]) -> int:
    """What Slurm's accounting has of jobs: the sum of their seconds, each with one GPU."""
    told = site.slurm(f"sacct -M leonardo -X -n -P -o End,ElapsedRaw,AllocTRES -j {','.join(sorted(jobs))}").split()
    assert all("gres/gpu=1" in line for line in told if line.split("|")[1] != "0"), told
    until_ended = [line for line in told if line.startswith("Unknown")]
    return 0 if until_ended or len(told) != len(jobs) else sum(int(line.split("|")[1]) for line in told)


def test_a_room_of_forty(site: Site, trainer: Trainer, visitor: Visitor) -> None:
    carla, page = visitor, visitor.page
    carla.sign_in("carla")
    slug = plan(carla)
    event = trainer.shown(slug)
    code = event["code"]
    lent = [each["name"] for each in event["participants"]]
    assert len(lent) == CARDS
    people = [name for name in SEATS if name not in lent]
    early, late = people[:EARLY], people[-LATE:]

    until(lambda: f"={NAME} " in site.slurm("scontrol -M leonardo -o show reservation"), "the reservation", 90)
    carla.go(f"{EVENTS}event/{slug}")
    carla.press(page.get_by_role("button", name="Rehearse now"))
    expect(page.get_by_text("It worked: ready after")).to_be_visible(timeout=240_000)
    judge(carla, "journey-rehearsed")
    page.get_by_role("link", name="Cards to print").click()
    expect(page.locator(".hpchub-seat-card")).to_have_count(CARDS)
    judge(carla, "journey-cards")

    for name in early:
        assert f"/{name}/{slug}" in join(FormSession(site.url, name), code).url
    for name in early:
        site.ready(name, slug, READY_SECONDS)
    with small_servers(site.folder / "environments"):
        for name in people[EARLY:-LATE]:
            assert trainer.ask("POST", "/join", {"code": code}, site.token_of(name)).status == 200
        carla.go(f"{EVENTS}event/{slug}/room")
        began = time.monotonic()
        carla.press(page.get_by_role("button", name="Start all"))
        joined = [name for name in SEATS if name not in late]
        until(lambda: all(states(trainer, slug).get(name) == "working" for name in joined), "38 to work", READY_SECONDS)
        print(f"\n{len(joined) - EARLY} seats more work {time.monotonic() - began:.1f} s after *Start all*")
        for name in late:
            join(FormSession(site.url, name), code)
            site.ready(name, slug, 120)
        assert set(states(trainer, slug).values()) == {"working"} and len(states(trainer, slug)) == 40
        assert "opens no event" not in join(FormSession(site.url, people[0]), code).source
        for name in SEATS:
            expect(page.locator(f"[data-seat={name}]")).to_have_attribute("data-state", re.compile("working|idle"))
        judge(carla, "journey-room-working")
        trouble(site, trainer, page, slug, people)
        judge(carla, "journey-room-trouble")
        mended(site, trainer, page, slug, people)

    helped(site, trainer, carla, slug, people[0])
    jobs = {site.session(name, slug)["job_id"] for name in SEATS}
    extended(site, carla, slug, site.session(people[0], slug)["job_id"])
    assert jobs == {site.session(name, slug)["job_id"] for name in SEATS}, "nobody was started again"
    closed(site, trainer, carla, slug)


def plan(carla: Visitor) -> str:
    """Fill the form in; give the event's slug."""
    page = carla.page
    carla.go(f"{EVENTS}new")
    now = datetime.now() - timedelta(minutes=1)
    for name, text in {
        "title": "GPU school of forty",
        "starts_epoch": now.strftime("%Y-%m-%dT%H:%M"),
        "ends_epoch": (now + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M"),
        "seats": "40",
        "temporary_seats": str(CARDS),
        "seat_files_days": "0",
        "allocation": "tra26_hack",
        "reservation": NAME,
    }.items():
        page.locator(f"[name={name}]").fill(text)
    page.locator("[name=cluster]").select_option("leonardo")
    page.locator("[name=profile]").select_option("general/pytorch")
    page.locator("[name=size]").select_option("small")
    judge(carla, "journey-plan")
    carla.press(page.get_by_role("button", name="Create the event"))
    page.wait_for_url(re.compile(rf"{EVENTS}event/gpu-school-of-forty"))
    return page.url.rpartition("/")[2]


def trouble(site: Site, trainer: Trainer, page: Page, slug: str, people: list[str]) -> None:
    """Break three things; the open page tells them apart."""
    killed, cancelled, *others = people[EARLY:-LATE]
    os.kill(main_process(killed, slug), signal.SIGKILL)
    shows(page, killed, "failed")
    site.slurm(f"scancel -M leonardo {site.session(cancelled, slug)['job_id']}")
    shows(page, cancelled, "failed")
    says = {seat["name"]: seat["says"] for seat in trainer.ask("GET", f"/events/{slug}/room").json}
    assert "cancelled" in says[cancelled] and says[killed] not in ("", says[cancelled])

    # Three want a place, and two are free: those of the broken ones.  A drained node takes nothing new.
    moved = others[-1]
    drained = site.session(moved, slug)["node"]
    site.slurm(f"scontrol -M leonardo update nodename={drained} state=drain reason=journey")
    for name in (moved, killed, cancelled):
        assert trainer.ask("POST", f"/events/{slug}/room/{name}/restart").status == 202
    waiting = until(lambda: alone_in_the_queue(trainer, slug), "one of them to wait, and all others to work", 240)
    shows(page, waiting, "queued")
    assert waiting in (moved, killed, cancelled), "a drained node lets its jobs go on"


def alone_in_the_queue(trainer: Trainer, slug: str) -> str:
    """Who waits while all others work; empty as long as it is not like that."""
    now = states(trainer, slug)
    waiting = [name for name, state in now.items() if state == "queued"]
    working = sum(state in ("working", "idle") for state in now.values())
    return waiting[0] if (len(waiting), working) == (1, 39) else ""


def mended(site: Site, trainer: Trainer, page: Page, slug: str, people: list[str]) -> None:
    """The node is back: everybody works again."""
    site.slurm("scontrol -M leonardo update nodename=lrdn[0001-0010] state=resume 2>/dev/null || true")
    until(lambda: set(states(trainer, slug).values()) <= {"working", "idle"}, "all to work again", READY_SECONDS)
    for name in people:
        expect(page.locator(f"[data-seat={name}]")).to_have_attribute("data-state", re.compile("working|idle"))


def helped(site: Site, trainer: Trainer, carla: Visitor, slug: str, name: str) -> None:
    """Somebody raises a hand, and lets Carla in; she sees it and opens the notebook."""
    page, token = carla.page, site.token_of(name)
    notebook = f"/user/{name}/{slug}/api/status"
    assert site.get(notebook, trainer.token).status == 403
    asked = trainer.ask("POST", f"/events/{slug}/hands/{name}", {"up": True, "says": "It is slow"}, token)
    assert asked.status == 204
    expect(page.locator(f"[data-seat={name}]")).to_contain_text("It is slow")
    allowed = trainer.ask("PUT", f"/events/{slug}/consents/{name}", {"helper": "carla"}, token)
    assert allowed.status == 200
    expect(page.locator(f"#open-{name}")).to_be_visible()
    until(lambda: site.get(notebook, trainer.token).status == 200, "carla to be let in", 90)
    judge(carla, "journey-room-help")
    carla.press(page.locator(f"#lower-{name}"))
    expect(page.locator(f"[data-seat={name}]")).not_to_contain_text("It is slow")


def extended(site: Site, carla: Visitor, slug: str, job_id: str) -> None:
    """She lets it end later; reservation and running jobs come along."""
    page = carla.page
    carla.go(f"{EVENTS}event/{slug}")
    before = ends_epoch(site, job_id)
    carla.press(page.locator("summary", has_text="Let it end later"))
    field = page.locator("#event-ends")
    later = datetime.strptime(field.input_value(), "%Y-%m-%dT%H:%M") + timedelta(minutes=30)
    field.fill(later.strftime("%Y-%m-%dT%H:%M"))
    carla.press(page.get_by_role("button", name="Extend it"))
    until(lambda: ends_epoch(site, job_id) > before + 600, "the jobs to last longer", 180)
    judge(carla, "journey-extended")


def ends_epoch(site: Site, job_id: str) -> int:
    """When the time limit ends a job, as Slurm says it."""
    told = site.slurm(f"SLURM_TIME_FORMAT=%s scontrol -M leonardo -o show job {job_id}")
    return int(dict(item.partition("=")[::2] for item in told.split())["EndTime"])


def closed(site: Site, trainer: Trainer, carla: Visitor, slug: str) -> None:
    """She ends it: within a minute nothing is left, and the report has what Slurm has."""
    page = carla.page
    carla.press(page.locator("summary", has_text="End the event now"))
    carla.press(page.get_by_role("button", name="End it"))
    until(lambda: not any(map(site.live_jobs_of, SEATS)), "no job to be left", 60, 1)
    until(lambda: f"={NAME} " not in site.slurm("scontrol -M leonardo -o show reservation"), "no reservation", 60, 1)
    told: dict[str, Any] = until(
        lambda: (lambda told: told if told["accounted"] else {})(trainer.ask("GET", f"/events/{slug}/report").json),
        "the accounting of all",
        180,
    )
    csv = FormSession(site.url, "carla").fetch(f"{EVENTS}event/{slug}/sessions.csv").source
    jobs = set(re.findall(r"(?m)^.*?,leonardo,(\d+),", csv))
    seconds = until(lambda: seconds_by_slurm(site, slug, jobs), "sacct to know all ends", 60, 1)
    assert told["came"] == 40
    assert told["gpu_hours"] == pytest.approx(seconds / 3600, abs=1e-3)
    carla.go(f"{EVENTS}event/{slug}/report")
    judge(carla, "journey-report")
