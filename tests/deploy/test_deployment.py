"""From empty machines to a notebook: the playbook, the playbook again, and a person in front of a browser."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing

from playwright.sync_api import Browser

from tests.deploy.conftest import SITE, Deployed
from tests.deploy.fleet import ADDRESSES
from tests.deploy.person import Person
from tests.support.wait import until


def test_one_run_makes_a_hub_of_empty_machines(deployed: Deployed) -> None:
    print(f"first run: {deployed.first.seconds:.0f} s, {dict(deployed.first.summary)}")
    assert {counts["failed"] for counts in deployed.first.summary.values()} == {0}
    assert deployed.first.summary["hub.test"]["changed"] > 0


def test_a_person_signs_in_and_works_on_the_compute_machine(deployed: Deployed, browser: Browser) -> None:
    person = Person(browser, deployed.password)
    person.sign_in("ada")
    person.start("general/data-preparation")
    person.wait_for_lab()
    node = deployed.fleet.machines["node1"].run("squeue", "--noheader", "--format=%u %T %N %j").output.split()
    assert node == ["ada", "RUNNING", "hpchub-node1", "hpchub"]
    person.stop()
    until(lambda: not deployed.fleet.machines["slurm"].run("squeue", "--noheader", "-t", "R,PD").output, "no job", 60)
    assert person.problems == []


def test_plain_http_leads_to_the_certificate_of_the_site(deployed: Deployed) -> None:
    with closing(http.client.HTTPConnection(ADDRESSES["hub"], timeout=60)) as plain:
        plain.request("GET", "/hub/login", headers={"Host": "hub.test"})
        answer = plain.getresponse()
        answer.read()
    assert (answer.status, answer.headers["Location"]) == (301, "https://hub.test/hub/login")
    context = ssl.create_default_context(cafile=str(deployed.authority.file))
    with socket.create_connection((ADDRESSES["hub"], 443)) as plainly:
        with context.wrap_socket(plainly, server_hostname="hub.test") as encrypted:
            assert encrypted.version() == "TLSv1.3"


def test_a_second_run_changes_nothing(deployed: Deployed) -> None:
    second = deployed.fleet.play(SITE)
    print(f"second run: {second.seconds:.0f} s")
    assert {name: counts["changed"] for name, counts in second.summary.items()} == dict.fromkeys(second.summary, 0)
