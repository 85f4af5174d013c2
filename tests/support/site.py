"""A running site for the tests: the demo itself, started by the demo's own program in a place of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.wait import until

REPOSITORY = Path(__file__).parents[2]
SYSTEM_PYTHON = "/usr/bin/python3"
PASSWORD = "demo"
PEOPLE = ("ada", "bruno", "carla", "dario")

# The tests' own site is on this machine: no proxy is asked.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        """The sentence of a refusal."""
        return str(self.json["message"])


class Site:
    """The demo in a folder of the tests'."""

    def __init__(self, folder: Path, port: int = 8000) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.hub_url = f"http://127.0.0.1:{port + 81}"
        self.hub_log = folder / "hub" / "hub.log"

    # The demo's own verbs

    def _demo(self, verb: str) -> str:
        return self._python("-m", "demo", verb)

    def _python(self, *arguments: str) -> str:
        environment = {**os.environ, "HPCHUB_DEMO_DIR": str(self.folder), "HPCHUB_DEMO_PORT": str(self.port)}
        done = subprocess.run(
            [SYSTEM_PYTHON, "-B", *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        return done.stdout

    def up(self) -> str:
        """Start the site, or whatever of it does not run."""
        return self._demo("up")

    def stop(self) -> None:
        """Stop the site."""
        self._demo("stop")

    # The hub as a process

    @property
    def hub_pid(self) -> int:
        return int((self.folder / "hub.pid").read_text())

    def kill_hub(self) -> None:
        """Kill the hub as a power cut would."""
        pid = self.hub_pid
        os.kill(pid, signal.SIGKILL)
        self.wait_for_death()

    def wait_for_death(self) -> None:
        """Wait until the hub is dead."""
        pid = self.hub_pid
        until(lambda: not _runs(pid), "the hub to be dead", 60, pause=0.01)

    def restart_hub(self) -> None:
        """Kill the hub and start it again, with the code and the settings of now."""
        self.kill_hub()
        self.up()

    def start_hub(self) -> None:
        """Start a dead hub as it was installed, and nothing else, which takes a moment less than `up`."""
        self._python("-c", "from demo.hub import start; from demo.place import Place; start(Place.from_environment())")

    def log(self, since_bytes: int = 0) -> str:
        """All that the hub and the proxy have written, or what came after so many bytes."""
        with self.hub_log.open("rb") as file:
            file.seek(since_bytes)
            return file.read().decode(errors="replace")

    # The API

    @property
    def admin_token(self) -> str:
        return (self.folder / "admin-token").read_text().strip()

    def api(self, method: str, path: str, body: Any = None, token: str | None = None, seconds: float = 60) -> Answer:
        """Ask the hub's API as its administrator, or with another token (an empty one: with none)."""
        token = self.admin_token if token is None else token
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {token}"} if token else {}
        return self._fetch(urllib.request.Request(f"{self.url}/hub/api{path}", data, headers, method=method), seconds)

    def get(self, path: str, token: str = "") -> Answer:
        """Fetch a page, without a browser and without JavaScript."""
        headers = {"Authorization": f"token {token}"} if token else {}
        return self._fetch(urllib.request.Request(f"{self.url}{path}", headers=headers), 60)

    def post(self, path: str, token: str) -> Answer:
        """Send an empty POST to a page or to a notebook server."""
        headers = {"Authorization": f"token {token}"}
        return self._fetch(urllib.request.Request(f"{self.url}{path}", b"", headers, method="POST"), 60)

    @staticmethod
    def _fetch(request: urllib.request.Request, seconds: float) -> Answer:
        try:
            with _OPENER.open(request, timeout=seconds) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def token_of(self, user: str) -> str:
        """Make an API token with all rights of a person."""
        return str(self.api("POST", f"/users/{user}/tokens", {"note": "test"}).json["token"])

    # Servers and sessions

    @staticmethod
    def server_path(user: str, server: str = "") -> str:
        return f"/users/{user}/servers/{server}" if server else f"/users/{user}/server"

    def start(
        self, user: str, choice: Any = None, server: str = "", token: str | None = None, seconds: float = 60
    ) -> Answer:
        """Ask for a server."""
        return self.api("POST", self.server_path(user, server), choice, token, seconds)

    def server(self, user: str, server: str = "") -> dict[str, Any]:
        """Give the hub's model of a server; empty where it has none."""
        servers = self.api("GET", f"/users/{user}?include_stopped_servers").json["servers"]
        return dict(servers.get(server, {}))

    def session(self, user: str, server: str = "") -> dict[str, Any]:
        """Give the last session of a server, as its user reads it."""
        state = self.server(user, server).get("state") or {}
        stored = state.get("session")
        if not stored:
            return {}
        answer = self.api("GET", f"/hpchub/sessions/{stored['request']['session_id']}")
        return dict(answer.json) if answer.status == 200 else {}

    def ready(self, user: str, server: str = "", seconds: float = 90) -> dict[str, Any]:
        """Wait until a server is ready; return its session."""
        until(lambda: self.server(user, server).get("ready"), f"{user}'s server {server!r} to be ready", seconds)
        return self.session(user, server)

    def run(self, user: str, choice: Any, server: str = "") -> dict[str, Any]:
        """Start a server and wait until it is ready; return its session."""
        answer = self.start(user, choice, server)
        assert answer.status in (201, 202), answer
        return self.ready(user, server)

    def stop_servers(self, but_for: str = "") -> None:
        """Stop every server of everybody, and wait until neither the hub nor Slurm has any; named ones are removed.

        One person's may be left as they are.
        """

        def people(which: str) -> list[Any]:
            return [each for each in self.api("GET", f"/users?{which}").json if each["name"] != but_for]

        def jobs() -> list[str]:
            return [job for job in self.live_jobs() if job.split()[2] != but_for]

        for person in people("state=active"):
            for name in person["servers"]:
                self.api("DELETE", self.server_path(person["name"], name))
        until(lambda: not people("state=active"), "all servers to be stopped")
        until(lambda: not jobs(), "all jobs to be gone")
        for person in people("include_stopped_servers"):
            for name in filter(None, person["servers"]):
                self.api("DELETE", self.server_path(person["name"], name), {"remove": True})

    # Slurm

    def slurm(self, command: str, as_user: str | None = None) -> str:
        """Run one of Slurm's commands on the site's clusters, by default as root; return its output."""
        argv = ["runuser", "-u", as_user, "--", "/bin/sh", "-c"] if as_user else ["/bin/sh", "-c"]
        script = f". {shlex.quote(str(self.folder / 'env'))}; {command}"
        done = subprocess.run([*argv, script], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def live_jobs(self) -> list[str]:
        """List the jobs that wait or run, on both clusters: ``cluster id user name``."""
        found = []
        for cluster in ("leonardo", "it4lia"):
            lines = self.slurm(f"squeue -h -M {cluster} -o '%i %u %j'").splitlines()
            found += [f"{cluster} {line}" for line in lines if not line.startswith("CLUSTER:")]
        return found

    def live_jobs_of(self, user: str) -> list[str]:
        """List one person's jobs that wait or run."""
        return [job for job in self.live_jobs() if job.split()[2] == user]

    def job(self, session: dict[str, Any]) -> dict[str, str]:
        """Give what ``scontrol show job`` says of a session's job, field by field."""
        text = self.slurm(f"scontrol -M {session['cluster']} -o -d show job {session['job_id']}")
        return dict(item.partition("=")[::2] for item in text.split())


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
