"""A deployment whose proxy becomes Traefik and configurable-http-proxy again, while a notebook runs."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.conftest import SITE, Deployed
from tests.deploy.notebook import Notebook
from tests.support.wait import until

AGAIN_SECONDS = 10
ROLLBACK = "ansible/playbooks/rollback.yml"
ROUTES = "/run/hpchub-routes"
ROUTES_FILE = f"{ROUTES}/routes.yml"
METRICS = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8001/metrics').read().decode())"
UNIT = "hpchub-proxy.service"


@pytest.fixture(scope="module")
def unencrypted(deployed: Deployed) -> Iterator[None]:
    """The same site without internal TLS, which Traefik is refused with; at the end it is as before."""
    file = deployed.fleet.folder / "files" / "site.yaml"
    before = file.read_text()
    file.write_text(before.replace("hub_url: https", "hub_url: http").replace("  internal_tls: true\n", ""))
    deployed.fleet.play(SITE)
    yield
    file.write_text(before)
    deployed.fleet.play(SITE)


@pytest.fixture(scope="module")
def notebook(deployed: Deployed, unencrypted: None) -> Iterator[Notebook]:
    """A notebook that was started before the proxy is another one."""
    found = Notebook(deployed)
    found.start()
    yield found
    found.stop()


def name_traefik(deployed: Deployed) -> tuple[Path, str]:
    """Name it in the site file; give that file and what it was before."""
    file = deployed.fleet.folder / "files" / "site.yaml"
    before = file.read_text()
    lines = rf"\1\n  proxy: traefik\n  routes_folder: {ROUTES}"
    file.write_text(re.sub("^(  proxy_api_url: .*)$", lines, before, flags=re.MULTILINE))
    return file, before


@pytest.fixture(scope="module")
def with_traefik(deployed: Deployed, notebook: Notebook) -> Iterator[Deployed]:
    """The same site, which names Traefik; at the end it is as before."""
    file, before = name_traefik(deployed)
    deployed.fleet.play(SITE)
    until(notebook.answers, "the notebook to be reachable", AGAIN_SECONDS)
    yield deployed
    file.write_text(before)
    deployed.fleet.play(SITE)
    until(notebook.answers, "the notebook to be reachable", AGAIN_SECONDS)
    assert "configurable-http-proxy" in program(deployed)


def program(deployed: Deployed) -> str:
    shown = deployed.fleet.machines["hub"].run("systemctl", "show", "--property=ExecStart", UNIT)
    return shown.output


def new_release(deployed: Deployed) -> None:
    """Change the software, so that the next run of the playbook is an upgrade."""
    module = deployed.fleet.checkout / "hpchub" / "__init__.py"
    module.write_text(module.read_text() + f'\nUPGRADED = "{secrets.token_hex(4)}"\n')


# before any test that has the fixture with_traefik
def test_a_rollback_brings_back_the_proxy_of_before(deployed: Deployed, notebook: Notebook) -> None:
    file, before = name_traefik(deployed)
    new_release(deployed)
    deployed.fleet.play(SITE)
    assert "/bin/traefik" in program(deployed)
    until(notebook.answers, "the notebook to be reachable", AGAIN_SECONDS)
    deployed.fleet.play(ROLLBACK)
    file.write_text(before)
    assert "configurable-http-proxy" in program(deployed)
    until(notebook.answers, "the notebook to be reachable", AGAIN_SECONDS)


def test_a_notebook_is_reached_through_traefik_after_the_switch(with_traefik: Deployed, notebook: Notebook) -> None:
    assert "/bin/traefik" in program(with_traefik)
    assert notebook.answers()


def test_routes_are_kept_over_a_restart_and_no_longer_than_the_machine_runs(
    with_traefik: Deployed, notebook: Notebook
) -> None:
    hub = with_traefik.fleet.machines["hub"]
    written = hub.run("stat", "--format=%y", ROUTES_FILE).output
    assert hub.run("systemctl", "restart", UNIT).status == 0
    assert hub.run("stat", "--format=%y", ROUTES_FILE).output == written
    until(notebook.answers, "the notebook to be reachable", AGAIN_SECONDS)
    with_traefik.fleet.reboot("hub")
    until(notebook.answers, "the hub to make the routes again", 120)
    made = with_traefik.fleet.machines["hub"].run("stat", "--format=%y", ROUTES_FILE)
    assert made.status == 0 and made.output != written


def test_a_second_run_with_it_changes_nothing(with_traefik: Deployed) -> None:
    second = with_traefik.fleet.play(SITE)
    assert {name: counts["changed"] for name, counts in second.summary.items()} == dict.fromkeys(second.summary, 0)


@pytest.mark.parametrize("hub_runs", [True, False], ids=["with a hub", "without a hub"])
def test_a_killed_traefik_has_its_routes_again(with_traefik: Deployed, notebook: Notebook, hub_runs: bool) -> None:
    hub = with_traefik.fleet.machines["hub"]
    if not hub_runs:
        assert hub.run("systemctl", "stop", "hpchub.service").status == 0
    try:
        assert hub.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT).status == 0
        began = time.monotonic()
        # without a hub nobody's token can be judged: the notebook itself says so
        until(notebook.is_there, "the notebook to be reachable", AGAIN_SECONDS)
        print(f"the notebook answered {time.monotonic() - began:.1f} s after Traefik's end")
    finally:
        assert hub.run("systemctl", "start", "hpchub.service").status == 0
    until(notebook.answers, "the hub to be there again", 60)


def test_its_unit_has_no_more_than_it_needs(with_traefik: Deployed) -> None:
    hub = with_traefik.fleet.machines["hub"]
    judged = hub.run("systemd-analyze", "security", "--no-pager", "--threshold=40", UNIT)
    assert judged.status == 0, judged.output
    print(judged.output.splitlines()[-1])
    shown = hub.run("stat", "--format=%U %G %a", ROUTES, ROUTES_FILE).output.splitlines()
    assert shown == ["hpchub hpchub-routes 2750", "hpchub hpchub-routes 640"]
    metrics = until(lambda: asked_for_metrics(with_traefik), "the metrics", AGAIN_SECONDS)
    numbers = [line for line in metrics.splitlines() if line.startswith("traefik_")]
    assert any(line.startswith("traefik_entrypoint_requests_total{") for line in numbers)
    assert [line for line in numbers if "ada" in line] == []


def asked_for_metrics(deployed: Deployed) -> str:
    done = deployed.fleet.machines["hub"].run("python3", "-c", METRICS)
    return done.output if done.status == 0 else ""


def test_new_secrets_leave_it_in_service(with_traefik: Deployed, notebook: Notebook) -> None:
    with_traefik.fleet.play("ansible/playbooks/rotate-secrets.yml")
    notebook.token = notebook.admin_token()
    until(notebook.answers, "the notebook to be reachable", 60)


def test_an_upgrade_and_the_way_back_leave_the_notebook_in_reach(with_traefik: Deployed, notebook: Notebook) -> None:
    new_release(with_traefik)
    with notebook.watched("/user/ada/api") as away:
        with_traefik.fleet.play(SITE)
        with_traefik.fleet.play(ROLLBACK)
    print(f"the notebook was away for {away.seconds:.1f} s")
    assert away.seconds < 5
    assert "/bin/traefik" in program(with_traefik)
    until(notebook.answers, "the hub to be there", 60)
