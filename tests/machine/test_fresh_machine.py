"""`./run demo`, `./run demo` again and `./run clean` on a Debian 12 that has git, a network and nothing else.

The tests follow one machine through a day, in the order in which they stand here.  Uv, hub, proxy and the environment
`base` come from the package registries; the other environments, which are made in the same way, are this host's builds,
but in `./run soak`, which has the machine make all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine.machine import GIVEN, REPOSITORY, Machine, Result, booted
from tests.support.thorough import THOROUGH

CLONE = "/srv/jupyterhub-hpc"
STATE = "/var/lib/hpchub-demo"
MADE_THERE = "base"
Traces = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Day:
    """A machine on which the demo's Debian packages have been installed, and nothing else yet."""

    machine: Machine
    services_before_packages: set[str]
    before: Traces
    firewall_before: str


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    with booted(() if THOROUGH else builds()) as machine:
        machine.put_repository(CLONE)
        # the first package is the Python that looks at the machine; it has no service
        good(machine.run("devcluster/install-packages", "python3", folder=CLONE))
        services = set(traces(machine)["services"])
        packages = "devcluster/install-packages python3-venv $(grep -v '^#' devcluster/packages.txt)"
        good(machine.run("sh", "-c", packages, folder=CLONE))
        yield Day(machine, services, traces(machine), machine.firewall())


def builds(but_for: str = MADE_THERE) -> list[Path]:
    """The builds that the tests' own cache has, but for the one that the machine makes."""
    cache = Path(os.environ.get("HPCHUB_DEMO_CACHE") or REPOSITORY / ".cache" / "demo")
    current = (cache / "environments").glob("*/*/current")
    return sorted(link.resolve() for link in current if link.parts[-3] != but_for)


def demo(machine: Machine, verb: str) -> Result:
    """Type a verb of the demo's."""
    settings = () if THOROUGH else ("env", f"HPCHUB_DEMO_CACHE={GIVEN}")
    return machine.run(*settings, "./run", verb, folder=CLONE)


@pytest.fixture(scope="module")
def started(day: Day) -> Result:
    return demo(day.machine, "demo")


def good(result: Result) -> str:
    """Return the output of a command that must not fail."""
    assert result.status == 0, result.output
    return result.output


def traces(machine: Machine) -> Traces:
    """Look at the machine."""
    program = Path(__file__).with_name("traces.py").read_text()
    found: Traces = json.loads(good(machine.run("/usr/bin/python3", "-B", "-c", program)))
    return found


def daemons(machine: Machine) -> str:
    """Return the ids of the hub, the proxy and Slurm's daemons, as the demo says them."""
    return good(demo(machine, "status"))


def status_of(machine: Machine, path: str) -> int:
    """GET a path of the hub from inside the machine, and return the status of the answer."""
    program = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=60).status)"
    return int(good(machine.run("/usr/bin/python3", "-c", program, f"http://127.0.0.1:8000{path}")))


def test_packages_start_and_enable_no_service(day: Day) -> None:
    assert set(day.before["services"]) <= day.services_before_packages


def test_demo_starts_everything(started: Result) -> None:
    assert started.status == 0, started.output


def test_demo_says_how_to_use_and_to_stop_it(started: Result) -> None:
    for word in ("http://127.0.0.1:8000", "ada", "password for all: demo", "./run stop", "without a GPU behind them"):
        assert word in started.output


def test_hub_answers(day: Day, started: Result) -> None:
    assert status_of(day.machine, "/hub/health") == 200, started.output


def test_notebooks_start_as_jobs(day: Day, started: Result) -> None:
    program = Path(__file__).with_name("notebook.py").read_text()
    said = good(day.machine.run("/usr/bin/python3", "-B", "-c", program, STATE))
    # they go on running: the next tests show that nothing disturbs them, and the last one that `clean` ends them
    assert said.strip() == "ada's 2 notebooks answer; Slurm runs 2 jobs of ada's"


def test_demo_enables_no_service(day: Day, started: Result) -> None:
    assert set(traces(day.machine)["services"]) <= set(day.before["services"]), started.output


def test_second_demo_changes_nothing_and_is_quick(day: Day, started: Result) -> None:
    good(started)
    before = daemons(day.machine)
    again = demo(day.machine, "demo")
    assert good(again)
    assert daemons(day.machine) == before
    assert again.seconds < 10, again.output


def test_clean_leaves_nothing_behind(day: Day, started: Result) -> None:
    good(demo(day.machine, "clean"))
    after = traces(day.machine)
    assert {kind: difference(day.before[kind], after[kind]) for kind in after} == {kind: [] for kind in after}
    assert day.machine.firewall() == day.firewall_before


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Say what has come, gone or changed."""
    lost = [f"- {key} {value}" for key, value in before.items() if after.get(key) != value]
    return lost + [f"+ {key} {value}" for key, value in after.items() if before.get(key) != value]
