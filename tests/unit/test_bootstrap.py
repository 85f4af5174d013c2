"""What runs inside the job, really run: by a Python of its own, fed as the job script feeds it.

A small web server stands for the hub's report handler and a small program for the notebook server, because their
failures must be controlled; the real ones are run in the ring ``slurm``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from hpchub.jobs import bootstrap, exits
from tests.support.served import Quiet, served
from tests.support.wait import until

SOURCE = Path(bootstrap.__file__).read_text()
SECRET = "0123456789abcdef-token"
SESSION = "0123456789abcdef0123456789abcdef"
SECONDS = 60

LISTEN = """
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit
import json, os, sys

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([self.path, sys.argv[1:], os.environ["JUPYTERHUB_SERVICE_URL"]]).encode())

url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
server = HTTPServer((url.hostname, url.port), Answer)
"""
SERVES = LISTEN + "server.serve_forever()\n"
EXITS_AT_ONCE = "import sys\nprint('Traceback: your configuration is broken', flush=True)\nsys.exit(3)\n"
SHUTS_DOWN = LISTEN + "server.handle_request()\n"
IGNORES_ITS_PORT = "import socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\ntime.sleep(600)\n"
LOSES_ITS_PORT_ONCE = (
    """
import os, subprocess, sys
mark = os.path.join(os.path.dirname(__file__), "thief")
if not os.path.exists(mark):
    code = "import os, socket, sys, time; s = socket.socket(); s.setsockopt(1, 2, 1)"
    code += "; s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(); print(flush=True); time.sleep(600)"
    port = os.environ["JUPYTERHUB_SERVICE_URL"].split(":")[2].split("/")[0]
    thief = subprocess.Popen([sys.executable, "-c", code, port], stdout=subprocess.PIPE, start_new_session=True)
    thief.stdout.readline()
    open(mark, "w").write(str(thief.pid))
"""
    + SERVES
)


class Hub:
    """The hub's report handler: keeps what it is told, and answers what a test says."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str | None]] = []
        self.answers: list[int] = []
        hub = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                hub.requests.append((self.path, self.headers["Authorization"]))
                hub.reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hub.answers.pop(0) if hub.answers else 204)
                self.end_headers()

        self._served = ExitStack()
        self.url = self._served.enter_context(served(Handler)) + "/hub/api"

    def stop(self) -> None:
        self._served.close()

    @property
    def phases(self) -> list[str]:
        return [report["phase"] for report in self.reports]


@pytest.fixture
def hub() -> Iterator[Hub]:
    running = Hub()
    yield running
    running.stop()


class Job:
    """One run of the bootstrap in an environment whose notebook server is this program."""

    def __init__(self, folder: Path, server: str | None, hub_url: str, source: str, more: Mapping[str, str]) -> None:
        (folder / "bin").mkdir()
        python = folder / "bin" / "python"
        python.symlink_to(os.path.realpath(sys.executable))
        if server is not None:
            (folder / "bin" / "jupyterhub-singleuser").write_text(server)
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [python, "-I", "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={
                    "PATH": "/usr/bin:/bin",
                    "JUPYTERHUB_API_URL": hub_url,
                    "JUPYTERHUB_API_TOKEN": SECRET,
                    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
                    "HPCHUB_SESSION": SESSION,
                    "HPCHUB_ADDRESS": "127.0.0.1",
                    # A site's proxy for the outside world, which must not be asked for the hub.
                    "http_proxy": "http://127.0.0.1:9",
                    **more,
                },
            )
        assert self.process.stdin is not None
        with self.process.stdin as stdin:
            stdin.write(source.encode())

    def wait(self) -> int:
        return self.process.wait(SECONDS)

    def children(self) -> list[int]:
        """The processes that it started and that still run."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def job(folder: Path, server: str | None, hub_url: str, source: str = SOURCE, **more: str) -> Iterator[Job]:
    running = Job(folder, server, hub_url, source, more)
    try:
        yield running
    finally:
        running.stop()


def ask(port: int) -> Any:
    """Ask the notebook server what it was started with."""
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/", timeout=SECONDS) as answer:
        return json.loads(answer.read())


def test_a_server_that_listens_is_reported_with_its_port(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SERVES, hub.url):
        until(lambda: hub.phases == ["starting", "ready"], "both reports", SECONDS)
        assert hub.reports[0] == {"phase": "starting"}
        port = hub.reports[1]["port"]
        assert hub.reports[1] == {"phase": "ready", "port": port} and port >= 1024
        url = f"http://127.0.0.1:{port}/user/ada/"
        assert ask(port) == ["/", ["--ServerApp.port_retries=0"], url]
    assert set(hub.requests) == {(f"/hub/api/hpchub/sessions/{SESSION}", f"token {SECRET}")}


def test_a_server_is_told_for_how_long_the_hub_s_word_counts(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SERVES, hub.url, HPCHUB_CACHE_SECONDS="30"):
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
        assert ask(hub.reports[1]["port"])[1] == ["--ServerApp.port_retries=0", "--HubOAuth.cache_max_age=30"]


def test_the_token_is_in_no_argument_and_no_log(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SERVES, hub.url) as running:
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
        arguments = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (running.process.pid, *running.children())]
    assert len(arguments) == 2 and not any(SECRET in each for each in arguments)
    assert SECRET not in running.log.read_text()


def test_a_server_that_exits_at_once_is_reported_with_its_last_lines(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, EXITS_AT_ONCE, hub.url) as running:
        assert running.wait() == exits.SERVER_EXITED
    assert hub.phases == ["starting", "failed"]
    assert "Traceback: your configuration is broken" in hub.reports[1]["message"]
    assert "hpchub: the notebook server ended with 3" in hub.reports[1]["message"]


def test_a_long_log_is_told_by_its_end(tmp_path: Path, hub: Hub) -> None:
    chatty = "print('é' * 50_000 + 'the end', flush=True)\n" + EXITS_AT_ONCE
    with job(tmp_path, chatty, hub.url) as running:
        assert running.wait() == exits.SERVER_EXITED
    message = hub.reports[-1]["message"]
    assert "the end" in message and len(message) <= bootstrap.LOG_TAIL_BYTES < 8000


def test_a_server_that_is_shut_down_from_inside_is_no_failure(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SHUTS_DOWN, hub.url) as running:
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
        ask(hub.reports[-1]["port"])
        assert running.wait() == 0
    assert hub.phases == ["starting", "ready", "ended"]


def test_a_port_that_became_anothers_is_given_up_for_a_new_one(tmp_path: Path, hub: Hub) -> None:
    try:
        with job(tmp_path, LOSES_ITS_PORT_ONCE, hub.url) as running:
            until(lambda: "ready" in hub.phases, "ready", SECONDS)
            assert hub.phases == ["starting", "ready"]
            port = hub.reports[-1]["port"]
            assert ask(port)[0] == "/"
            log = running.log.read_text()
            assert "was taken by another program; trying another one" in log and f"port {port} was taken" not in log
    finally:
        os.kill(int((tmp_path / "bin" / "thief").read_text()), signal.SIGKILL)


def test_another_socket_of_the_server_is_not_taken_for_its_port(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, IGNORES_ITS_PORT, hub.url) as running:
        until(lambda: hub.phases, "the first report", SECONDS)
        (server,) = until(running.children, "the server to run", SECONDS)
        until(lambda: _listens(server), "the server to listen on a port of its own choice", SECONDS)
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    assert hub.phases == ["starting", "ended"]


def test_a_hub_that_is_down_for_a_while_is_told_later(tmp_path: Path, hub: Hub) -> None:
    hub.answers = [503, 502, 503]
    with job(tmp_path, SERVES, hub.url) as running:
        until(lambda: hub.phases.count("ready") == 3, "the report that arrives", SECONDS)
        assert running.process.poll() is None
        ask(hub.reports[-1]["port"])
    assert hub.phases[:4] == ["starting", "ready", "ready", "ready"]
    assert f"hpchub: the hub at {hub.url} answered 503" in running.log.read_text()


def test_a_hub_that_missed_the_first_report_is_told_before_the_server_listens(tmp_path: Path, hub: Hub) -> None:
    hub.answers = [503, 503]
    with job(tmp_path, "import time\ntime.sleep(4)\n" + SERVES, hub.url):
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
    assert hub.phases[:4] == ["starting", "starting", "starting", "ready"]


def test_a_hub_that_never_answers_ends_the_job_when_patience_ends(tmp_path: Path) -> None:
    impatient = SOURCE.replace("HUB_PATIENCE_SECONDS = 600", "HUB_PATIENCE_SECONDS = 1")
    assert impatient != SOURCE
    closed = "http://127.0.0.1:9/hub/api"
    with job(tmp_path, SERVES, closed, impatient) as running:
        assert running.wait() == exits.HUB_UNREACHABLE
        log = running.log.read_text()
    assert f"hpchub: the hub cannot be reached at {closed}" in log
    assert "hpchub: giving up after 1 s without the hub" in log


@pytest.mark.parametrize("status", [400, 403, 404, 409])
@pytest.mark.parametrize("report", ["starting", "ready"])
def test_a_session_that_the_hub_does_not_want_ends(tmp_path: Path, hub: Hub, report: str, status: int) -> None:
    hub.answers = [status] if report == "starting" else [204, status]
    with job(tmp_path, SERVES, hub.url) as running:
        assert running.wait() == exits.NOT_WANTED
        assert running.log.read_text().endswith(f"hpchub: the hub answered {status}: this session is over\n")
    assert hub.phases == ["starting", "ready"][: 1 if report == "starting" else 2]
    assert not left_in(tmp_path)


def left_in(folder: Path) -> list[str]:
    """List the processes whose program lies in a test's folder."""
    lines = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(each.read_text())
    return [line for line in lines if str(folder / "bin") in line]


def test_a_server_that_is_killed_leaves_the_reason_to_slurm(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SERVES, hub.url) as running:
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
        (server,) = running.children()
        os.kill(server, signal.SIGKILL)
        assert running.wait() == exits.SERVER_EXITED
    assert hub.phases == ["starting", "ready", "ended"]


def test_a_cancelled_job_ends_its_server_and_is_no_failure(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, SERVES, hub.url) as running:
        until(lambda: "ready" in hub.phases, "ready", SECONDS)
        (server,) = running.children()
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
    assert hub.phases == ["starting", "ready", "ended"]


def test_an_environment_without_a_notebook_server_is_a_failure_in_words(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, None, hub.url) as running:
        assert running.wait() == exits.SERVER_EXITED
    assert "jupyterhub-singleuser" in hub.reports[-1]["message"]
    assert "No such file or directory" in hub.reports[-1]["message"]


def _listens(pid: int) -> bool:
    """Tell whether a process has a listening socket."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {row[9] for row in rows if row[3] == "0A"}
    with contextlib.suppress(OSError):
        names = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
        return any(f"socket:[{inode}]" in names for inode in sockets)
    return False
