"""The hub is killed at instants all over the life of a session, and restarted: nothing is lost, doubled or orphaned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.killing import Killing
from tests.support.site import Site
from tests.support.small import small_servers
from tests.support.sweep import QUEUES, RUNS, STARTS, WAITS, Sweep
from tests.support.tell import tell
from tests.support.thorough import THOROUGH
from tests.support.wait import until

INSTANTS = 25 if THOROUGH else 13
"""All of them in `./run soak tests`; the points around each step of a start and a stop are always struck."""
RECONCILED_SECONDS = 60
"""Two views that are 20 s apart, the idle interval, and a cancel."""


@pytest.fixture(scope="module")
def sweep(started_site: Site, pytestconfig: pytest.Config) -> Iterator[Sweep]:
    """The whole sweep; the tests look at what it found."""
    killing = Killing(started_site)
    with patience(started_site), killing.installed():
        fill_it4lia(started_site)
        sweep = Sweep(killing)
        started_site.run(RUNS, STARTS[RUNS])
        try:
            with small_servers(started_site.folder / "environments"):
                run(sweep)
            yield sweep
        finally:
            show(sweep, pytestconfig)
            sweep.close()
            started_site.slurm("scancel -M it4lia -n filler", as_user="seat02")
            started_site.stop_servers()


@contextmanager
def patience(site: Site) -> Iterator[None]:
    """What a job may take before it speaks is the default: the demo's few seconds are few on a busy machine."""
    file = site.folder / "site" / "site.yaml"
    before = file.read_text()
    file.write_text(before.replace("contact_seconds: 6", "contact_seconds: 60"))
    try:
        yield
    finally:
        file.write_text(before)


def run(sweep: Sweep) -> None:
    sweep.begin()
    for number in range(INSTANTS):
        sweep.kill_at((number + 0.5) / INSTANTS)
    inside, around_sbatch = sweep.killing.inside, sweep.killing.around_sbatch
    for side in ("before", "after"):
        user = sweep.starter()
        sweep.kill_when(f"{side} sbatch", around_sbatch(side, user), {user: "start"})
        for stored in ("begun", "submitted"):
            user = sweep.starter()
            sweep.kill_when(f"{side} commit {stored}", inside(f"{side} commit {stored} {user}"), {user: "start"})
        user = sweep.starter()
        sweep.kill_when(f"{side} first report", inside(f"{side} report {user}"), {user: "start"})
        user = sweep.stopper()
        sweep.kill_when(f"{side} commit ended", inside(f"{side} commit ended {user}"), {user: "stop"})


def fill_it4lia(site: Site) -> None:
    """Take all of it4lia, so that a new session waits in the queue."""
    job = "-A tra26_hack -p gb200_usr_prod -N 2 --exclusive -t 60 -J filler -o /dev/null --wrap='sleep 3600'"
    site.slurm(f"sbatch -M it4lia {job}", as_user="seat02")
    until(lambda: "R" in site.slurm("squeue -M it4lia -h -n filler -o %t").split(), "it4lia to be full")


def show(sweep: Sweep, config: pytest.Config) -> None:
    """Print the table: instant, who, what was pressed, what was stored at the death, what was found."""
    times = f"a start takes {sweep.spawn_seconds:.2f} s, a stop {sweep.stop_seconds:.2f} s"
    tell(config, "", times, *(found.line() for found in sweep.found if found.pressed))


def test_the_hub_died_at_every_stage(sweep: Sweep) -> None:
    starts = [each for each in sweep.found if each.pressed == "start" and each.user != QUEUES]
    stages = {each.stored["phase"] for each in starts if each.was_live}
    assert stages >= {"submitted", "starting"}
    assert [each for each in starts if not each.was_live], "no start was cut short before its session was stored"
    stops = [each for each in sweep.found if each.pressed == "stop" and each.user != QUEUES]
    assert {each.was_live for each in stops} == {True, False}
    assert len({each.instant for each in sweep.found}) == INSTANTS + 10


def test_no_session_is_lost(sweep: Sweep) -> None:
    assert [each.line() for each in sweep.found if each.lost] == []


def test_no_session_is_submitted_twice(sweep: Sweep) -> None:
    sessions = Counter(identity["session"] for identity in sweep.jobs.values())
    assert len(sessions) > INSTANTS
    assert [session for session, jobs in sessions.items() if jobs > 1] == []
    assert sweep.twice == []


def test_everyone_has_a_working_server_or_reads_why_not(sweep: Sweep) -> None:
    assert [each.line() for each in sweep.found if not (each.works or each.cleanly_ended)] == []


def test_a_stop_that_was_cut_short_is_not_blamed_on_somebody_else(sweep: Sweep) -> None:
    ends = {each.after["ending"] for each in sweep.found if each.pressed == "stop" and not each.works}
    assert ends <= {"stopped", "stop-owed"}


def test_who_waits_keeps_the_place(sweep: Sweep) -> None:
    jobs = {each.after.get("job_id") for each in sweep.found if each.user == WAITS}
    assert len(jobs) == 1
    assert all(each.after["phase"] == "queued" for each in sweep.found if each.user == WAITS)


def test_a_running_notebook_is_not_disturbed(sweep: Sweep) -> None:
    assert len({each.after.get("id") for each in sweep.found if each.user == RUNS}) == 1
    assert all(each.works for each in sweep.found if each.user == RUNS)


def test_no_job_is_left_without_a_session(sweep: Sweep) -> None:
    until(lambda: not sweep.orphans(), "the reconciler to have found every orphan", RECONCILED_SECONDS, pause=1)
