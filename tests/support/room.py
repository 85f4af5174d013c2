"""A full room: twenty people with a running notebook, five who wait in the queue, and what can be asked of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hpchub.jobs.request import read_comment
from tests.support.choices import ADA
from tests.support.kernel import execute, start_kernel
from tests.support.site import Site
from tests.support.wait import until

SEAT = {**ADA, "profile": "general/pytorch", "allocation": "tra26_hack"}
RUNNING, WAITING = 20, 5
NODES_LEFT = 5
"""Of Leonardo's ten GPU nodes, four GPUs each: exactly twenty sessions of one GPU fit."""
START_SECONDS = 300
"""For twenty JupyterLabs that start at once on two cores."""


class Room:
    """The people of a room, by what their session should be; ``sessions`` are the ids that they began with."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.running = [f"seat{number:02}" for number in range(1, RUNNING + 1)]
        self.waiting = [f"seat{number:02}" for number in range(RUNNING + 1, RUNNING + WAITING + 1)]
        self.sessions: dict[str, str] = {}
        self.token = self.kernel = ""

    def fill(self) -> None:
        """Take half of the nodes away, start everybody, and compute something in the first notebook."""
        job = (
            f"-A aifac_manif01 -p boost_usr_prod -N {NODES_LEFT} --exclusive -t 120 -J filler -o /dev/null "
            "--wrap='sleep 7200'"
        )
        self.site.slurm(f"sbatch -M leonardo {job}", as_user="dario")
        until(lambda: "R" in self.site.slurm("squeue -M leonardo -h -n filler -o %t").split(), "the filler to run")
        self._start(self.running)
        for user in self.running:
            self.site.ready(user, seconds=START_SECONDS)
        for user in self.waiting:
            # one after the other, so that they wait in this order
            self._start([user])
            until(lambda user=user: self.phase(user) == "queued", f"{user} to wait in the queue", 60)  # type: ignore[misc]
        self.sessions = {user: self.site.session(user)["id"] for user in (*self.running, *self.waiting)}
        self.token = self.site.token_of(self.running[0])
        self.kernel = start_kernel(self.site, self.running[0], self.token)
        assert self.compute("answer = 6 * 7; print(answer)") == "42\n"

    def _start(self, users: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            for answer in pool.map(lambda user: self.site.start(user, SEAT), users):
                assert answer.status in (201, 202), answer

    def empty(self) -> None:
        """Give everything back."""
        self.site.slurm("scancel -M leonardo -n filler", as_user="dario")
        self.site.stop_servers()

    def phase(self, user: str) -> str:
        return str(self.site.session(user).get("phase"))

    def compute(self, code: str) -> str:
        """Run code in the kernel of the first notebook, which remembers."""
        return execute(self.site, self.running[0], self.token, self.kernel, code)

    def check_usable(self) -> None:
        """Assert that every running notebook answers through the proxy, and that a kernel computes."""
        for user in self.running:
            assert self.site.get(f"/user/{user}/api").status == 200, user
        assert self.compute("print(answer + 1)") == "43\n"

    def check_right(self, seconds: float = 90) -> None:
        """Assert that soon everybody has the session that they began with, in its phase, and one job each."""
        expected = {**dict.fromkeys(self.running, "ready"), **dict.fromkeys(self.waiting, "queued")}
        deadline = time.monotonic() + seconds
        until(
            lambda: self._phases(expected) == expected or time.monotonic() > deadline,
            "everybody to be in the right phase",
            seconds + 60,
            pause=1,
        )
        assert self._phases(expected) == expected
        assert {user: self.site.session(user)["id"] for user in expected} == {
            user: self.sessions[user] for user in expected
        }
        live = [job.split()[2] for job in self.site.live_jobs() if job.split()[3] == "hpchub"]
        assert sorted(live) == sorted(expected)
        assert [session for session, jobs in self._jobs_by_session().items() if jobs > 1] == []

    def _phases(self, users: Iterable[str]) -> dict[str, str]:
        return {user: self.phase(user) for user in users}

    def _jobs_by_session(self) -> Counter[str]:
        lines = self.site.slurm("squeue -h -M leonardo -t all -n hpchub -O Comment:400").splitlines()
        identities = [read_comment(line.strip()) for line in lines if not line.startswith("CLUSTER")]
        return Counter(identity["session"] for identity in identities if identity)

    def leave(self, user: str) -> None:
        """Note that a person has stopped, and that the next in the queue takes the place."""
        self.running.remove(user)
        self.running.append(self.waiting.pop(0))


class Visitor:
    """Asks the hub's API for what pages and scripts ask, evenly, and takes the time of each answer."""

    def __init__(self, room: Room, pause_seconds: float = 0.1) -> None:
        session = room.sessions[room.running[1]]
        self._paths = [f"/users/{room.running[1]}", f"/hpchub/sessions/{session}", "/users?state=active"]
        self._site = room.site
        self._pause_seconds = pause_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)
        self.seconds: list[float] = []
        self.wrong: list[Any] = []

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask_on(self) -> None:
        while not self._over.wait(self._pause_seconds):
            path = self._paths[len(self.seconds) % len(self._paths)]
            began = time.monotonic()
            answer = self._site.api("GET", path)
            self.seconds.append(time.monotonic() - began)
            if answer.status != 200:
                self.wrong.append(answer)

    def percentile(self, percent: float) -> float:
        """Give the time below which so many percent of the answers came, in seconds."""
        return sorted(self.seconds)[min(int(len(self.seconds) * percent / 100), len(self.seconds) - 1)]


def last(seconds: float, began: float, do: Callable[[], object]) -> None:
    """Do something again and again until so many seconds after ``began`` (by the monotonic clock)."""
    while (left := began + seconds - time.monotonic()) > 0:
        do()
        threading.Event().wait(min(2, max(left, 0)))
