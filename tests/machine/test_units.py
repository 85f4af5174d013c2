"""The hub, the proxy and the console as hardened units of systemd's, the launcher and the reservations behind sockets.

One machine, in the order in which the tests stand here: a demo whose hub systemd takes over.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import units
from tests.machine.machine import Machine, booted
from tests.machine.test_fresh_machine import CLONE, builds, demo, good
from tests.support.thorough import THOROUGH
from tests.support.wait import until

NOTEBOOK = Path(__file__).with_name("notebook.py").read_text()
WORST = 4.0
"""By ``systemd-analyze security``, from 0 (nothing to fear) to 10."""
BACK_SECONDS = 10 if THOROUGH else 30
"""How long after a SIGKILL of anything a notebook may be out of reach; other rings may want the processors, too."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted(builds(but_for="")) as there:
        there.put_repository(CLONE)
        good(demo(there, "demo"))
        units.install(there, CLONE)
        yield there


def main_pid(machine: Machine, unit: str) -> str:
    """Return the process id of a unit; 0 where it does not run."""
    return good(machine.run("systemctl", "show", "--value", "--property=MainPID", unit)).strip()


GET = """
import sys, urllib.request
token = open(sys.argv[2]).read().strip()
request = urllib.request.Request("http://127.0.0.1:8000" + sys.argv[1], headers={"Authorization": "token " + token})
print(urllib.request.urlopen(request, timeout=5).read().decode())
"""


def answers(machine: Machine, path: str) -> bool:
    """Tell whether an address answers, through the proxy, to the administrator's scripts."""
    return machine.run("/usr/bin/python3", "-c", GET, path, f"{units.STATE}/admin-token").status == 0


ASK = """
import contextlib, socket, sys
door, answer = socket.socket(socket.AF_UNIX), b""
door.connect(sys.argv[1])
door.sendall(b'{"verb": "log", "user": "root", "cluster": "leonardo", "session": "0"}')
door.shutdown(socket.SHUT_WR)
with contextlib.suppress(ConnectionResetError):  # who is refused is not read to the end
    while part := door.recv(65536):
        answer += part
print(answer.decode())
"""


def ask(machine: Machine, user: str, socket: str = "/run/hpchub-launch.sock") -> str:
    """Send a request to a door's socket as somebody; return the answer, or the error of the connection."""
    return machine.run("runuser", "-u", user, "--", "/usr/bin/python3", "-c", ASK, socket).output


@pytest.mark.parametrize("unit", [*units.SERVICES, "hpchub-launch@.service", "hpchub-reserve@.service"])
def test_each_unit_is_little_exposed(machine: Machine, unit: str) -> None:
    path = f"/etc/systemd/system/{unit}"
    said = good(machine.run("systemd-analyze", "security", "--offline=yes", "--no-pager", path))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None and float(found[1]) <= WORST, said


def test_a_hub_without_new_privileges_starts_notebooks(machine: Machine) -> None:
    until(lambda: answers(machine, "/hub/api/user"), "the hub to answer", 120)
    status = good(machine.run("grep", "NoNewPrivs", f"/proc/{main_pid(machine, 'hpchub.service')}/status"))
    assert status.split() == ["NoNewPrivs:", "1"]
    said = good(machine.run("/usr/bin/python3", "-B", "-c", NOTEBOOK, units.STATE))
    assert said.strip() == "ada's 2 notebooks answer; Slurm runs 2 jobs of ada's"


def test_prometheus_reads_metrics_by_a_token_that_reads_nothing_else(machine: Machine) -> None:
    token = f"{units.STATE}/hub/secrets/metrics-token"
    told = good(machine.run("/usr/bin/python3", "-c", GET, "/hub/metrics", token))
    assert 'hpchub_sessions{cluster="leonardo",phase="ready"} 2.0' in told
    assert 'hpchub_session_start_seconds_count{cluster="leonardo"} 2.0' in told
    submitted = 'hpchub_launcher_request_seconds_count{cluster="leonardo",outcome="ok",verb="submit"} '
    assert float(told.partition(submitted)[2].split()[0]) >= 2
    assert 'hpchub_slurm_silent_seconds{cluster="it4lia",daemon="slurmctld"} 0.0' in told
    assert "HTTP Error 403" in machine.run("/usr/bin/python3", "-c", GET, "/hub/api/users", token).output


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("ada", "PermissionError"),
        ("nobody", "PermissionError"),
        ("intruder", f"only the policy's peer ({units.HUB_USER}) may ask through this socket, not user id"),
        ("root", "may ask through this socket, not user id 0"),
        (units.HUB_USER, "root is a system account"),
    ],
)
def test_the_launcher_s_socket_answers_the_hub_alone(machine: Machine, user: str, says: str) -> None:
    assert says in ask(machine, user)


def test_the_socket_of_reservations_answers_the_hub_alone(machine: Machine) -> None:
    assert "may ask through this socket" in ask(machine, "intruder", "/run/hpchub-reserve.sock")
    assert "verb must be one of create, change, delete" in ask(machine, units.HUB_USER, "/run/hpchub-reserve.sock")


def test_the_doctor_finds_nothing_wrong_with_the_doors(machine: Machine) -> None:
    doctor = f"/opt/hpchub/current/bin/hpchub doctor --quick --json --site {units.SITE_FILE}"
    findings = json.loads(machine.run("sh", "-c", f". {units.STATE}/env; {doctor} 2>/dev/null").output)
    doors = {each["subject"]: each for each in findings if each["subject"] in ("door", "reservations", "launcher")}
    assert {name: each["verdict"] for name, each in doors.items()} == {
        "door": "fine",
        "reservations": "fine",
        "launcher": "fine",
    }, doors


@pytest.mark.parametrize("unit", ["hpchub-proxy.service", "hpchub-console.service", "hpchub.service"])
def test_what_is_killed_comes_back_by_itself_and_notebooks_are_reachable(machine: Machine, unit: str) -> None:
    pid = main_pid(machine, unit)
    good(machine.run("sh", "-c", f"kill -KILL {pid}"))
    killed = time.monotonic()
    until(lambda: main_pid(machine, unit) not in ("0", pid), f"{unit} to run again", 60)
    until(lambda: answers(machine, "/user/ada/api/status"), "ada's notebook to answer", 60)
    seconds = time.monotonic() - killed
    print(f"{unit}: after SIGKILL ada's notebook was reachable within {seconds:.1f} s")
    assert seconds < BACK_SECONDS
    until(lambda: answers(machine, "/hub/api/user"), "the hub to answer", 60)
    until(lambda: answers(machine, "/services/events/health"), "the console to answer", 60)


def test_a_proxy_has_its_routes_at_once_and_says_so(machine: Machine) -> None:
    journal = good(machine.run("journalctl", "--unit=hpchub-proxy.service", "--no-pager"))
    assert "The hub has made all routes." in journal
    secret = good(machine.run("cat", f"{units.STATE}/hub/secrets/routes-token")).strip()
    assert secret and secret not in good(machine.run("journalctl", "--no-pager"))
