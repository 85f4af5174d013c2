"""What a waiting person is told, against the real queue: place, expected start, reason, and in which language."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from hpchub.jobs.script import render
from spawners.progress import is_news
from tests.support.choices import LOOKED_AT
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

WHOLE_NODE = {"cluster": "leonardo", "size": "large", "minutes": 60}
CHOICES: dict[str, dict[str, Any]] = {
    "ada": {"profile": "agrifood/remote-sensing", **WHOLE_NODE},
    "bruno": {"profile": "cybersecurity/log-analysis", **WHOLE_NODE},
    "carla": {"profile": "general/pytorch", **WHOLE_NODE},
}
GPU_NODES = 10


def take(site: Site, name: str, nodes: int, qos: str = "normal", minutes: int = 30) -> str:
    """Have dario ask for whole GPU nodes, outside of the hub; return the job's id."""
    options = (
        f"-A aifac_manif01 -p boost_usr_prod --qos={qos} -N {nodes} --exclusive -t {minutes} -J {name} -o /dev/null"
    )
    answer = site.slurm(f"sbatch --parsable -M leonardo {options} --wrap='sleep 3600'", as_user="dario")
    return answer.strip().split(";")[0]


def asked(site: Site, job_id: str, field: str) -> str:
    """Ask squeue for one field of a job."""
    lines = site.slurm(f"SLURM_TIME_FORMAT=%s squeue -h -M leonardo -j {job_id} -O {field}:30").splitlines()
    return lines[-1].strip()


@pytest.fixture
def last_node(site: Site) -> Iterator[str]:
    """All of Leonardo's GPU nodes are taken, one of them by a job of its own; gives the id of that."""
    jobs = [take(site, "most", GPU_NODES - 1), take(site, "last", 1)]
    until(lambda: all(asked(site, job, "State") == "RUNNING" for job in jobs), "all nodes to be taken")
    yield jobs[-1]
    site.slurm("scancel -M leonardo --me", as_user="dario")


def start(site: Site, user: str) -> None:
    """Start a session that has to wait for a whole node."""
    # JupyterHub 6.1 answers 201 also to a start that goes on, if the one before it failed.
    assert site.start(user, CHOICES[user]).status in (201, 202)
    until(lambda: site.session(user).get("phase") == "queued", f"{user}'s job to be queued")


def places(site: Site) -> dict[str, tuple[int, int]]:
    """Give the place of everyone who waits in line, as the API tells it."""
    waiting = {user: site.session(user).get("waiting") for user in CHOICES}
    return {user: (each["position"], each["of"]) for user, each in waiting.items() if each and each["position"]}


def source(site: Site, user: str) -> str | None:
    """Tell who says when a waiting session is expected to start."""
    waiting: dict[str, Any] = site.session(user)["waiting"] or {}
    return waiting.get("expected_start_source")


def read_in(site: Site, session_id: str, languages: str) -> tuple[dict[str, Any], str | None]:
    """Read a session in a browser's languages; return it, and the language that was answered."""
    headers = {"Authorization": f"token {site.admin_token}", "Accept-Language": languages}
    request = urllib.request.Request(f"{site.url}/hub/api/hpchub/sessions/{session_id}", headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer), answer.headers["Content-Language"]


class Listener(threading.Thread):
    """Keeps the events of a server's start, as JupyterHub's progress stream sends them."""

    def __init__(self, site: Site, user: str) -> None:
        super().__init__(daemon=True)
        self.events: list[dict[str, Any]] = []
        headers = {"Authorization": f"token {site.admin_token}", "Accept": "text/event-stream"}
        self._request = urllib.request.Request(f"{site.url}/hub/api/users/{user}/server/progress", headers=headers)

    @property
    def places(self) -> list[tuple[int | None, int | None]]:
        """The places in line that the events have told until now."""
        told = [each["waiting"] for each in self.events if each.get("waiting")]
        return [(each["position"], each["of"]) for each in told]

    def run(self) -> None:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self._request, timeout=120) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    self.events.append(json.loads(line.removeprefix(b"data:")))


def test_places_are_the_order_in_which_slurm_starts_jobs(site: Site, last_node: str) -> None:
    start(site, "ada")
    listener = Listener(site, "ada")
    listener.start()
    start(site, "bruno")
    start(site, "carla")
    first = take(site, "first", 1, qos="boost_qos_dbg")  # its priority is higher
    until(lambda: places(site) == {"ada": (2, 4), "bruno": (3, 4), "carla": (4, 4)}, "everybody's place")

    rows = [line.split() for line in site.slurm("sprio -h -M leonardo -o '%i %Y'").splitlines() if line[0] != "C"]
    by_sprio = [job_id for job_id, _ in sorted(rows, key=lambda row: (-int(row[1]), int(row[0])))]
    assert by_sprio == [first, *(site.session(user)["job_id"] for user in CHOICES)]

    site.slurm(f"scancel -M leonardo {last_node}", as_user="dario")
    until(lambda: places(site) == {"ada": (1, 3), "bruno": (2, 3), "carla": (3, 3)}, "everybody to move up")
    assert asked(site, first, "State") == "RUNNING"
    # what lasts shorter than the stream's pace need not be told
    until(lambda: listener.places[-1:] == [(1, 3)], "ada to be told")

    site.slurm(f"scancel -M leonardo {first}", as_user="dario")
    session = site.ready("ada", seconds=90)
    until(lambda: places(site) == {"bruno": (1, 2), "carla": (2, 2)}, "the others to move up once more")

    listener.join(timeout=90)
    assert listener.places.index((2, 4)) < listener.places.index((1, 3), listener.places.index((2, 4)))
    assert all(is_news(later, earlier) for earlier, later in pairwise(listener.events))
    assert listener.events[-1]["ready"]

    assert session["waiting"] is None
    epochs = {each["phase"]: each["epoch"] for each in session["timeline"]}
    assert list(epochs) == ["submitted", "queued", "starting", "ready"]
    assert sorted(epochs.values()) == list(epochs.values())


def test_the_expected_start_is_the_scheduler_s_plan(site: Site, last_node: str) -> None:
    start(site, "ada")
    until(lambda: source(site, "ada") == "scheduler", "a plan")
    session = site.session("ada")
    ends = int(asked(site, last_node, "EndTime"))
    assert ends - 60 <= session["waiting"]["expected_start_epoch"] <= ends + 120
    assert time.time() - session["cluster_says"]["taken_epoch"] < 20
    assert session["cluster_says"]["silent_since_epoch"] is None


@contextmanager
def planning_one_job_only(site: Site) -> Iterator[None]:
    """Leonardo's scheduler plans the start of the first waiting job, and of no other."""
    conf = site.slurm("scontrol -M leonardo show config | sed -n 's/^SLURM_CONF *= //p'").strip()
    reconfigure(site, f"sed -i s/bf_continue/bf_continue,bf_max_job_test=1/ {conf}")
    try:
        yield
    finally:
        reconfigure(site, f"sed -i s/,bf_max_job_test=1// {conf}")


def reconfigure(site: Site, change: str) -> None:
    """Change slurm.conf; from Slurm 23.11 on slurmctld starts anew for it, and is away for a moment."""
    site.slurm(f"{change} && scontrol -M leonardo reconfigure")
    up = "squeue -M leonardo >/dev/null 2>&1 && echo up || true"
    until(lambda: site.slurm(up), "leonardo to answer again")


def test_a_start_that_slurm_has_not_planned_is_estimated(site: Site, last_node: str) -> None:
    with planning_one_job_only(site):
        start(site, "ada")
        until(lambda: source(site, "ada") == "scheduler", "a plan for the first")
        start(site, "bruno")
        until(lambda: source(site, "bruno") == "estimate", "an estimate for the second", 60)
        session = site.session("bruno")
        assert asked(site, session["job_id"], "StartTime") == "N/A"
        assert session["waiting"]["expected_start_epoch"] >= int(asked(site, last_node, "EndTime")) - 60
    assert len(site.live_jobs_of("bruno")) == 1


def test_an_estimate_submits_nothing(site: Site, last_node: str) -> None:
    request = {
        **{"verb": "submit", "user": "ada", "cluster": "leonardo", "session": LOOKED_AT.session_id},
        **{"script": render(LOOKED_AT), "environment": {}, "test_only": True},
    }
    all_of_ada = "squeue -h -M leonardo -u ada --states=all -o %i"
    before = site.slurm(all_of_ada)
    program = site.folder / "libexec" / "hpchub-launch"
    done = subprocess.run([program], input=json.dumps(request), capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert answer["ok"], answer
    assert answer["start_epoch"] >= int(asked(site, last_node, "EndTime")) - 60
    assert not site.live_jobs_of("ada")
    assert site.slurm(all_of_ada) == before


@pytest.mark.own_notebooks
def test_a_waiting_person_reads_the_reason_in_their_language(site: Site, last_node: str) -> None:
    start(site, "ada")
    session_id = site.session("ada")["id"]
    until(lambda: site.session("ada")["waiting"]["code"] == "Resources", "Slurm's reason")
    session, language = read_in(site, session_id, "it-CH, it;q=0.9, en;q=0.5")
    assert language == "it"
    assert session["waiting"]["sentence"] == "È tra le prossime; quello che le serve al momento è occupato."
    assert session["waiting"]["kind"] == "wait"
    assert session["sentence"].startswith(f"Il job {session['job_id']} aspetta su leonardo.")
    session, language = read_in(site, session_id, "fr")
    assert (language, session["waiting"]["code"]) == ("en", "Resources")
    assert session["waiting"]["sentence"] == "It is among the next; what it needs is in use at the moment."
