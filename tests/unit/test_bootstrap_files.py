"""What the bootstrap makes of the program that prepares an event's files: it waits for it, but never for long."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from hpchub.catalogue.site import Cluster
from hpchub.jobs import bootstrap, exits
from tests.support.wait import until
from tests.unit.test_bootstrap import SERVES, SOURCE, Hub, job

OPENS = SERVES.replace('sys.argv[1:], os.environ["JUPYTERHUB_SERVICE_URL"]', 'os.environ["JUPYTERHUB_DEFAULT_URL"]')
PREPARES = """
import json, sys
facts = json.loads(sys.argv[1])
for news in facts["news"]:
    print(json.dumps(news), flush=True)
"""
HANGS = """
import subprocess, sys
print('{"open": "events/gpu-school"}', flush=True)
print('{"troubles": {"late": "60"}}', flush=True)
print('{"troubles": {"mate', end="", flush=True)
open(sys.argv[1], "w").write(str(subprocess.Popen(["sleep", "600"]).pid))
sys.stdin.read()
import time
time.sleep(600)
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    running = Hub()
    yield running
    running.stop()


def source(program: str, facts: str, seconds: float = 60, default_url: str = "/lab") -> str:
    """The bootstrap as a script of an event has it."""
    lines = SOURCE.split("\n")
    for name, value in (("PREPARE", repr(program)), ("FACTS", repr(facts)), ("PREPARE_SECONDS", str(seconds))):
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[at] = f"{name} = {value}"
    last = lines.index("import time")
    lines[last] += f'\nos.environ["JUPYTERHUB_DEFAULT_URL"] = {default_url!r}'
    return "\n".join(lines)


def opened(hub: Hub) -> str:
    """What the notebook server opens, as it tells it on its port."""
    (ready,) = until(lambda: [each for each in hub.reports if each["phase"] == "ready"], "the server", 60)
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{ready['port']}/", timeout=60) as answer:
        return str(answer.read().decode())


def test_what_failed_comes_with_the_port(tmp_path: Path, hub: Hub) -> None:
    news = """{"news": [{"troubles": {"late": "60"}}, {"open": "events/gpu-school/day%201.ipynb"},
        {"troubles": {"late": null}}, {"troubles": {"file": "a.ipynb"}}]}"""
    with job(tmp_path, OPENS, hub.url, source(PREPARES, news)):
        assert '"/lab/tree/events/gpu-school/day%201.ipynb"' in opened(hub)
        assert hub.phases[0] == "starting"
        assert [each.get("troubles") for each in hub.reports if each["phase"] == "ready"] == [{"file": "a.ipynb"}]


def test_who_opens_something_else_by_themselves_is_left_alone(tmp_path: Path, hub: Hub) -> None:
    with job(tmp_path, OPENS, hub.url, source(PREPARES, '{"news": [{"open": "events"}]}', default_url="/tree")):
        assert '"/tree"' in opened(hub)


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "print('no JSON')", "not Python"])
def test_a_program_that_fails_stops_nobody(tmp_path: Path, hub: Hub, program: str) -> None:
    with job(tmp_path, OPENS, hub.url, source(program, "{}")):
        assert '"/lab"' in opened(hub)


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, hub: Hub) -> None:
    mark = tmp_path / "pid"
    with job(tmp_path, OPENS, hub.url, source(HANGS, str(mark), seconds=3)):
        assert '"/lab/tree/events/gpu-school"' in opened(hub)
        assert [each["troubles"] for each in hub.reports if each["phase"] == "ready"] == [{"late": "60"}]
        until(lambda: not running(int(mark.read_text())), "what it started to be gone", 30)


def test_a_job_that_is_cancelled_meanwhile_ends_at_once(tmp_path: Path, hub: Hub) -> None:
    mark = tmp_path / "pid"
    with job(tmp_path, OPENS, hub.url, source(HANGS, str(mark))) as cancelled:
        until(mark.is_file, "the program to run", 30)
        pid = int(until(mark.read_text, "its child's number", 30))
        cancelled.process.terminate()
        assert cancelled.wait() == 128 + 15
        until(lambda: not running(pid), "what it started to be gone", 30)
    assert hub.phases == ["starting"]


def running(pid: int) -> bool:
    """Whether a process is there that is more than the memory of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_minute_is_less_than_a_session_may_take_to_listen() -> None:
    assert Cluster.model_fields["start_seconds"].default > 2 * bootstrap.PREPARE_SECONDS


def with_places(*places: str) -> str:
    """The bootstrap on a node that has these places for what it writes."""
    line = next(line for line in SOURCE.split("\n") if line.startswith("PLACES = "))
    return SOURCE.replace(line, f"PLACES = {places!r}")


def test_a_certificate_goes_where_there_is_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "of-another-node"))
    monkeypatch.setattr(bootstrap, "PLACES", (str(tmp_path),))
    monkeypatch.setenv("JUPYTERHUB_SSL_KEYFILE", "")
    monkeypatch.setenv("HPCHUB_TLS", '{"JUPYTERHUB_SSL_KEYFILE": "the key"}')
    try:
        bootstrap.lay_certificate()
        path = Path(os.environ["JUPYTERHUB_SSL_KEYFILE"])
        assert path.parent.parent == tmp_path and path.read_text() == "the key"
        assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    finally:
        bootstrap.take_away()
        signal.signal(signal.SIGTERM, before)
    assert list(tmp_path.iterdir()) == []


def test_a_node_without_a_place_for_the_certificate_says_so_by_its_status(tmp_path: Path, hub: Hub) -> None:
    nowhere = str(tmp_path / "nowhere")
    given = {"TMPDIR": nowhere, "HPCHUB_TLS": '{"JUPYTERHUB_SSL_KEYFILE": "the key"}'}
    with job(tmp_path, SERVES, hub.url, with_places(nowhere), **given) as running:
        assert running.wait() == exits.NO_PLACE
    assert hub.phases == []
