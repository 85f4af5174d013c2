"""A crash sweep: people press Start and Stop, the hub dies at one instant after another, and what is found is noted.

At each instant one person's start and another's stop are under way, somebody else starts into a full queue or stops
there, one session waits in the queue all the time, and one notebook runs all the time.  That one is JupyterLab; those
that start and stop are small servers (:mod:`tests.support.small`): more of a start is the hub's and the job's own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from hpchub.jobs.launcher import LAUNCHER_SECONDS
from hpchub.jobs.request import read_comment
from tests.support.choices import ADA, BRUNO
from tests.support.killing import Killing, stored_sessions
from tests.support.site import Site
from tests.support.wait import until

STARTS = {
    "ada": {**ADA, "cluster": "leonardo"},
    "bruno": {**BRUNO, "cluster": "leonardo"},
    # it4lia is full as long as the sweep lasts
    "carla": {**ADA, "profile": "general/pytorch", "cluster": "it4lia", "allocation": "tra26_hack"},
    "dario": {
        **ADA,
        "profile": "manufacturing/predictive-maintenance",
        "cluster": "it4lia",
        "allocation": "aifac_manif01",
    },
    "seat01": {**ADA, "profile": "general/data-preparation", "allocation": "tra26_hack", "minutes": 60},
}
TURNS = ("ada", "bruno")
"""They start and stop in turn."""
QUEUES = "carla"
WAITS = "dario"
RUNS = "seat01"
REST_SECONDS = LAUNCHER_SECONDS + 60
"""A hub that died while its launcher was being started leaves a session of which only this time tells the end."""
LIVE = frozenset({"PENDING", "CONFIGURING", "RUNNING"})


@dataclass
class Found:
    """What was found of one person around one death of the hub."""

    instant: str
    user: str
    pressed: str
    """``start``, ``stop`` or nothing."""
    stored: dict[str, Any]
    """The session as the dead hub had stored it; empty where there was none."""
    after: dict[str, Any] = field(default_factory=dict)
    """The session when everything had come to rest after the restart."""
    had_job: bool = False
    """Whether Slurm has ever had a job of the stored session."""
    works: bool = False
    """Whether the server was ready and answered through the proxy, or the session waits in the queue."""

    @property
    def was_live(self) -> bool:
        return bool(self.stored) and self.stored["phase"] != "ended"

    @property
    def lost(self) -> bool:
        """Whether a session is another one now; or is over, although it had a job and nobody stopped it."""
        if not self.was_live:
            return False
        other = self.after.get("id") != self.stored["request"]["session_id"]
        return other or (self.had_job and self.pressed != "stop" and not self.works)

    @property
    def cleanly_ended(self) -> bool:
        """Whether there is no server, and its user can read why, if there ever was a session."""
        if not self.after:
            return not self.was_live
        return bool(self.after["phase"] == "ended" and self.after["message"])

    def line(self) -> str:
        """Give the table's line."""
        stored = f"{self.stored['phase']}{'' if self.stored['job_id'] else ', no job id'}" if self.stored else "nothing"
        after = self.after.get("ending") or self.after.get("phase") or "no session"
        state = "works" if self.works else "over" if self.cleanly_ended else "WRONG"
        lost = " LOST" if self.lost else ""
        return f"{self.instant:<24} {self.user:<7} {self.pressed or '-':<6} {stored:<22} {after:<16} {state}{lost}"


class Sweep:
    """The people, their buttons and the deaths of the hub.

    ``found`` holds what was found; ``jobs`` every job of the hub that Slurm has listed, by cluster and id, with its
    comment; ``twice`` every moment at which somebody's server had two live jobs.
    """

    def __init__(self, killing: Killing) -> None:
        self.site: Site = killing.site
        self.killing = killing
        self.found: list[Found] = []
        self.jobs: dict[str, dict[str, str]] = {}
        self.twice: list[str] = []
        self._buttons = ThreadPoolExecutor(max_workers=4)
        self.spawn_seconds = self.stop_seconds = 0.0

    def close(self) -> None:
        """Let go of the buttons."""
        self._buttons.shutdown()

    # Before the first death

    def begin(self) -> None:
        """Let one session wait, and measure how long a start and a stop take; the one that runs is running."""
        assert self.site.start(WAITS, STARTS[WAITS]).status == 202
        until(lambda: self._waits(WAITS), "dario to wait in the queue")
        self.site.run("bruno", STARTS["bruno"])
        began = time.monotonic()
        self.site.run("ada", STARTS["ada"])
        self.spawn_seconds, began = time.monotonic() - began, time.monotonic()
        self._press("ada", "stop")
        self.stop_seconds = time.monotonic() - began

    # One death

    def kill_at(self, fraction: float) -> None:
        """Kill the hub when this fraction of a start and of a stop is over."""
        starter, stopper = self._turns()
        to_queue = "stop" if self._waits(QUEUES) else "start"
        leads = {
            starter: fraction * self.spawn_seconds,
            stopper: fraction * self.stop_seconds,
            QUEUES: fraction * self.stop_seconds,
        }
        pressed = {starter: "start", stopper: "stop", QUEUES: to_queue}
        longest = max(leads.values())
        under_way = [
            self._buttons.submit(self._press, user, pressed[user], longest - lead) for user, lead in leads.items()
        ]
        threading.Event().wait(longest)
        self.site.kill_hub()
        self._look(f"{fraction:4.0%} of start and stop", pressed, under_way)

    def kill_when(self, instant: str, death: AbstractContextManager[None], pressed: dict[str, str]) -> None:
        """Kill the hub by a point that these presses reach."""
        with death:
            under_way = [self._buttons.submit(self._press, user, button) for user, button in pressed.items()]
        self._look(instant, pressed, under_way)

    def starter(self) -> str:
        """Somebody of the two without a server."""
        return self._turns()[0]

    def stopper(self) -> str:
        """Somebody of the two with a server."""
        return self._turns()[1]

    def _turns(self) -> tuple[str, str]:
        """Give who starts and who stops next; where both would do the same, one of them does it before."""
        have = [user for user in TURNS if self.site.server(user).get("ready")]
        if len(have) == 2:
            self._press(have[0], "stop")
        elif not have:
            self.site.run(TURNS[1], STARTS[TURNS[1]])
        return (TURNS[0], TURNS[1]) if self.site.server(TURNS[1]).get("ready") else (TURNS[1], TURNS[0])

    def _press(self, user: str, button: str, wait_seconds: float = 0) -> int:
        """Press Start or Stop; return the status of the answer, or 0 where the hub died before it."""
        threading.Event().wait(wait_seconds)
        try:
            if button == "start":
                return self.site.start(user, STARTS[user]).status
            return self.site.api("DELETE", self.site.server_path(user)).status
        except (OSError, HTTPException):
            return 0

    def _look(self, instant: str, pressed: dict[str, str], under_way: list[Future[int]]) -> None:
        """Note what the dead hub had stored, start it, and note what has become of it once all is at rest."""
        stored = stored_sessions(self.site)
        self.site.start_hub()
        for press in under_way:
            press.result()
        for user in STARTS:
            found = Found(instant, user, pressed.get(user, ""), stored.get((user, ""), {}))
            what = f"{user}'s server to come to rest after {instant}"
            until(lambda user=user: self._at_rest(user), what, REST_SECONDS)  # type: ignore[misc]
            found.after = self.site.session(user)
            found.works = self._waits(user) or self._answers(user)
            self.found.append(found)
        self._count_jobs(instant)
        had_jobs = {identity["session"] for identity in self.jobs.values()}
        for found in self.found[-len(STARTS) :]:
            found.had_job = bool(found.stored) and found.stored["request"]["session_id"] in had_jobs

    def _waits(self, user: str) -> bool:
        return self.site.session(user).get("phase") == "queued"

    def _at_rest(self, user: str) -> bool:
        return not self.site.server(user).get("pending") or self._waits(user)

    def _answers(self, user: str) -> bool:
        return bool(self.site.server(user).get("ready")) and self.site.get(f"/user/{user}/api").status == 200

    # Slurm's side

    def _count_jobs(self, instant: str) -> None:
        live: dict[tuple[str, str], list[str]] = {}
        for cluster in ("leonardo", "it4lia"):
            fields = "JobID:20|,UserName:32|,State:20|,Comment:400"
            for line in self.site.slurm(f"squeue -h -M {cluster} -t all -n hpchub -O '{fields}'").splitlines():
                if "|" not in line:
                    continue
                job_id, user, state, comment = (word.strip() for word in line.split("|", 3))
                identity = read_comment(comment)
                assert identity is not None, f"job {job_id} of {user} says {comment!r}"
                self.jobs[f"{cluster} {job_id}"] = identity
                if state in LIVE:
                    live.setdefault((user, identity["server"]), []).append(job_id)
        self.twice += [f"{instant}: {who} has the jobs {ids}" for who, ids in live.items() if len(ids) > 1]

    def orphans(self) -> list[str]:
        """List the live jobs whose sessions the hub does not have, or has as over."""
        self._count_jobs("at the end")
        sessions = {each["id"]: each for each in self.site.api("GET", "/hpchub/sessions").json}
        orphans = []
        for line in self.site.live_jobs():
            cluster, job_id, _, _ = line.split(maxsplit=3)
            identity = self.jobs.get(f"{cluster} {job_id}")
            if identity and sessions.get(identity["session"], {"phase": "ended"})["phase"] == "ended":
                orphans.append(line)
        return orphans
