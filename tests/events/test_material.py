"""Material, teams and folders of an event, as people find them in their notebooks: real git, real JupyterLab."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.access import judge
from tests.support.events import EVENTS, Trainer
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until

READY_SECONDS = 240
NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
COMMIT = "git -c user.name=Carla -c user.email=carla@example.org commit --quiet --all --message"


def shell(user: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run something as somebody, as the notebooks run: what they make is nobody else's."""
    return subprocess.run(["runuser", "-l", user, "-c", f"set -e; umask 077; {script}"], text=True, capture_output=True)


def done(user: str, script: str) -> str:
    """The same, of something that works."""
    ran = shell(user, script)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def repository(site: Site) -> Path:
    """Carla's, in the folder of the allocation, so that its group can read it."""
    bare = site.folder / "work" / "tra26_hack" / "gpu-course.git"
    done(
        "carla",
        f"umask 027; git init --quiet --initial-branch main course; cd course; mkdir day1;"
        f" echo '{NOTEBOOK}' > day1/start.ipynb; echo 'load the data' > tasks.txt; git add .; {COMMIT} 'Day 1';"
        f" git clone --quiet --bare --no-hardlinks --config core.sharedRepository=group . {bare};"
        f" git remote add shared {bare}",
    )
    return bare


def seats(trainer: Trainer, slug: str) -> dict[str, dict[str, Any]]:
    return {seat["name"]: seat for seat in trainer.ask("GET", f"/events/{slug}/room").json}


def work(trainer: Trainer, slug: str, *names: str) -> None:
    """Wait until they have their notebooks."""

    def all_work() -> bool:
        room = seats(trainer, slug)
        assert all(room[name]["state"] != "failed" for name in names), room
        return all(room[name]["state"] in ("working", "idle") for name in names)

    until(all_work, f"{names} to work", READY_SECONDS)


def test_two_teams_work_with_the_material_that_is_open_before_them(
    site: Site, trainer: Trainer, visitor: Visitor, italian_visitor: Visitor, repository: Path
) -> None:
    event = trainer.create(
        seats=3,
        by_code=False,
        teams=[{"name": "Blu", "members": ["seat01", "seat03"]}, {"name": "Rosso", "members": ["seat02"]}],
        material={"repository": f"file://{repository}", "branch": "main", "opens": "day1/start.ipynb"},
        folders=True,
    )
    slug = event["slug"]
    place = f"events/{slug}"
    # the shared folder is the trainer's, so she comes first
    assert trainer.ask("POST", f"/mine/{slug}/start").status == 202
    site.ready("carla", slug, READY_SECONDS)
    done("carla", f"echo 1,2,3 > {place}/shared/data.csv")
    for name, team in (("seat01", "Blu"), ("seat02", "Rosso")):
        assert trainer.ask("PUT", f"/events/{slug}/teams/{name}", {"team": team}).status == 200
        assert trainer.ask("POST", f"/events/{slug}/room/{name}/restart").status == 202
    work(trainer, slug, "seat01", "seat02")
    assert {name: (seat["team"], seat["says"]) for name, seat in seats(trainer, slug).items()} == {
        "seat01": ("Blu", ""),
        "seat02": ("Rosso", ""),
        "seat03": ("Blu", ""),
    }

    visitor.sign_in("seat01")
    visitor.go(f"{EVENTS}event/{slug}")
    expect(visitor.page.get_by_role("heading", name="Your team: Blu")).to_be_visible()
    judge(visitor, "event-with-files")
    visitor.page.get_by_role("button", name="To my notebook").click()
    visitor.page.wait_for_url(f"**/lab/tree/{place}/gpu-course/day1/start.ipynb")
    expect(visitor.page.locator(".jp-NotebookPanel")).to_be_visible()
    visitor.screenshot("event-material-open")

    italian_visitor.sign_in("carla")
    italian_visitor.go(f"{EVENTS}event/{slug}")
    expect(italian_visitor.page.locator("#teams")).to_contain_text("non ancora arrivati: seat03")
    judge(italian_visitor, "event-with-teams")

    assert done("seat01", f"cat {place}/shared/data.csv") == "1,2,3\n"
    assert shell("seat01", f"echo mine > {place}/shared/mine.txt").returncode != 0
    assert shell("seat01", f"rm -f {place}/shared/data.csv").returncode != 0
    done("seat01", f"echo found > {place}/team/results.txt")
    blu = repository.parent / "events" / slug / "teams" / "blu"
    done("seat03", f"echo more >> {blu}/results.txt; cp {blu}/results.txt {blu}/again.txt")
    assert done("seat01", f"cat {place}/team/again.txt") == "found\nmore\n"
    assert done("seat02", f"ls {place}/team") == ""

    done("seat01", f"echo 'what I did' >> {place}/gpu-course/tasks.txt")
    done(
        "carla", f"cd course; echo '{NOTEBOOK}' > day2.ipynb; git add .; {COMMIT} 'Day 2'; git push --quiet shared main"
    )
    before = site.session("seat01", slug)["job_id"]
    assert trainer.ask("POST", f"/events/{slug}/room/seat01/restart").status == 202
    until(lambda: site.session("seat01", slug).get("job_id") not in (None, before), "another job", READY_SECONDS)
    work(trainer, slug, "seat01")
    assert seats(trainer, slug)["seat01"]["says"] == ""
    assert done("seat01", f"cat {place}/gpu-course/tasks.txt") == "load the data\nwhat I did\n"
    assert "day2.ipynb" in done("seat01", f"ls {place}/gpu-course")

    assert trainer.ask("POST", f"/events/{slug}/close").status == 200
    until(lambda: not site.live_jobs_of("seat01"), "the notebooks to be stopped", 90)
    assert done("seat01", f"cat {place}/gpu-course/tasks.txt {place}/team/results.txt").startswith("load the data\n")


def test_material_that_is_not_there_stops_nobody_and_is_seen(site: Site, trainer: Trainer, visitor: Visitor) -> None:
    event = trainer.create(people=["seat05"], material={"repository": "/nowhere/gpu-course.git", "opens": "a.ipynb"})
    slug = event["slug"]
    assert trainer.ask("POST", f"/events/{slug}/room/start").json == {"starting": 1}
    work(trainer, slug, "seat05")
    says = (
        "The material of the event could not be fetched: fatal: '/nowhere/gpu-course.git' does not appear to be a git"
    )
    assert says in seats(trainer, slug)["seat05"]["says"]
    assert says in site.session("seat05", slug)["troubles"][0]
    note = done("seat05", f"cat events/{slug}/MATERIAL-IS-MISSING.txt")
    assert says in note and "Non è stato possibile scaricare il materiale" in note
    visitor.sign_in("seat05")
    visitor.go(f"{EVENTS}event/{slug}")
    visitor.page.get_by_role("button", name="To my notebook").click()
    visitor.page.wait_for_url(f"**/lab/tree/events/{slug}")
    expect(visitor.page.locator(".jp-DirListing-item", has_text="MATERIAL-IS-MISSING.txt")).to_be_visible()
