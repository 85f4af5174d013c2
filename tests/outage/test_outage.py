"""Slurm is away while a room works: nobody loses anything, and afterwards everything is right by itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.choices import ADA
from tests.support.room import SEAT, Room, Visitor, last
from tests.support.site import REPOSITORY, SYSTEM_PYTHON, Site
from tests.support.tell import tell
from tests.support.thorough import THOROUGH
from tests.support.trouble import answers, controller
from tests.support.wait import until

OUTAGE_SECONDS = float(os.environ.get("HPCHUB_OUTAGE_SECONDS", "30"))
NOTICED_SECONDS = 45
"""A query's own time limit, and what two cores with a full room need."""
BACK_SECONDS = 120
P99_SECONDS = 0.1
SERIAL = {**ADA, "profile": "general/data-preparation", "allocation": "tra26_hack", "minutes": 60}


@pytest.fixture(scope="module")
def room(started_site: Site) -> Iterator[Room]:
    """Twenty people work, five wait."""
    room = Room(started_site)
    try:
        room.fill()
        yield room
    finally:
        room.empty()


@pytest.fixture(autouse=True)
def nobody_is_lost(room: Room) -> Iterator[None]:
    """Before and after each outage everybody has the session that they should have."""
    until(lambda: answers(room.site), "both clusters to answer", BACK_SECONDS)
    room.check_right()
    yield
    until(lambda: answers(room.site), "both clusters to answer", BACK_SECONDS)
    room.check_right(BACK_SECONDS)
    room.check_usable()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def killed(site: Site, cluster: str) -> Iterator[None]:
    """A cluster's controller is dead, and started again afterwards."""
    os.kill(controller(site, cluster), signal.SIGKILL)
    try:
        yield
    finally:
        spec = ["--clusters", "demo/clusters.toml", "--people", "demo/people.toml"]
        subprocess.run(
            [SYSTEM_PYTHON, "-B", "-m", "devcluster", "up", str(site.folder), *spec],
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        )


@contextmanager
def squeue_for_the_hub(site: Site, script: str) -> Iterator[None]:
    """The hub's own squeue says something else; everybody else's is the real one."""
    squeue = Path("/usr/bin/squeue")
    real, ours = site.folder / "real-squeue", site.folder / "false-squeue"
    shutil.copy(squeue, real)
    ours.write_text(f'#!/bin/sh\n[ "$(id -un)" = hpchub-demo-hub ] || exec {real} "$@"\n{script.format(real=real)}\n')
    ours.chmod(0o755)
    subprocess.run(["mount", "--bind", ours, squeue], check=True)
    try:
        yield
    finally:
        # Lazily: a query of the hub's may just be running it.
        subprocess.run(["umount", "--lazy", squeue], check=True)


def show(config: pytest.Config, what: str, visitor: Visitor) -> None:
    milliseconds = [f"{1000 * visitor.percentile(percent):.0f} ms" for percent in (50, 99, 100)]
    p50, p99, most = milliseconds
    tell(config, "", f"{what}: {len(visitor.seconds)} API answers, p50 {p50}, p99 {p99}, most {most}")


def judge(visitor: Visitor) -> None:
    """All answers were right; and soon, which is measured where nothing else runs: by `./run soak outage`."""
    assert visitor.wrong == [] and visitor.seconds
    if THOROUGH:
        assert len(visitor.seconds) >= 300
        assert visitor.percentile(99) < P99_SECONDS


def work_through(room: Room, leaver: str, began: float) -> None:
    """What happens in a room while its controller is silent: work, a start that is refused, a stop that is owed."""
    site = room.site
    until(lambda: not answers(site), "the hub to notice", NOTICED_SECONDS)
    room.check_usable()
    refused = site.start("seat40", SEAT)
    assert refused.status in (400, 503)
    assert refused.message.startswith("Slurm on leonardo has not answered since ")
    assert site.api("DELETE", site.server_path(leaver), seconds=90).status in (202, 204)
    until(lambda: room.phase(leaver) == "ended", "the stop to be over for its user", 60)
    assert site.session(leaver)["ending"] == "stop-owed"
    room.leave(leaver)
    last(OUTAGE_SECONDS, began, room.check_usable)


@pytest.mark.parametrize("outage", ["hangs", "is killed"])
def test_the_controller_is_away(room: Room, outage: str, pytestconfig: pytest.Config) -> None:
    site, began = room.site, time.monotonic()
    away = stopped(controller(site, "leonardo")) if outage == "hangs" else killed(site, "leonardo")
    leaver = room.running[-1]
    with away, Visitor(room) as visitor:
        work_through(room, leaver, began)
    # the stop that was owed is carried out, and who waited longest gets the place
    until(lambda: not site.live_jobs_of(leaver), "the owed cancel to be carried out", BACK_SECONDS, pause=1)
    show(pytestconfig, f"slurmctld {outage}", visitor)
    judge(visitor)


def test_the_accounting_is_away(room: Room, pytestconfig: pytest.Config) -> None:
    site, began = room.site, time.monotonic()
    pid = int((site.folder / "run" / "slurmdbd.pid").read_text())
    with stopped(pid), Visitor(room) as visitor:
        assert site.start("seat39", SERIAL).status in (201, 202)
        site.ready("seat39", seconds=60)
        assert site.api("DELETE", site.server_path("seat39")).status in (202, 204)
        last(OUTAGE_SECONDS, began, room.check_usable)
        # it4lia is found through slurmdbd, and leonardo is not
        assert not site.api("GET", "/hpchub/snapshot").json["leonardo"]["silent_since_epoch"]
    until(lambda: not site.live_jobs_of("seat39"), "the job to be gone")
    show(pytestconfig, "slurmdbd hangs", visitor)
    judge(visitor)


@pytest.mark.parametrize(
    ("script", "is_an_answer"),
    [
        pytest.param("echo 'slurm_load_jobs error: so sorry'", False, id="garbage"),
        pytest.param('{real} "$@" | head -c 150', False, id="half a line"),
        pytest.param("exit 0", True, id="nothing"),
        pytest.param("exit 1", False, id="a failure"),
    ],
)
def test_squeue_answers(room: Room, script: str, is_an_answer: bool) -> None:
    site, began = room.site, time.monotonic()
    with squeue_for_the_hub(site, script):
        if not is_an_answer:
            until(lambda: not answers(site), "the hub to notice", NOTICED_SECONDS)
        last(10, began, room.check_usable)
        assert {room.phase(user) for user in room.running} == {"ready"}
        assert {room.phase(user) for user in room.waiting} == {"queued"}


def test_when_there_is_room_who_waits_starts(room: Room) -> None:
    room.site.slurm("scancel -M leonardo -n filler", as_user="dario")
    for user in list(room.waiting):
        room.site.ready(user, seconds=90)
        room.running.append(user)
        room.waiting.remove(user)
