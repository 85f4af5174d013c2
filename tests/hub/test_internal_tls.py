"""`hub.internal_tls`: hub, proxy and notebooks speak TLS, and each knows the other by its certificate."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.processes import environments_of, token_of
from tests.support.admin import hpchub
from tests.support.choices import ADA, BRUNO
from tests.support.events import Trainer
from tests.support.kernel import execute, start_kernel
from tests.support.site import Site
from tests.support.thief import answering, contents, end_the_server, files_of
from tests.support.trouble import fill, free
from tests.support.wait import until

with_small_servers = pytest.mark.usefixtures("small_servers")


def switch(site: Site, old: str, new: str) -> None:
    """Change the site file, and start the hub and the console with it."""
    file = site.folder / "site" / "site.yaml"
    file.write_text(file.read_text().replace(old, new))
    site.kill_hub()
    site.start_hub()
    site._python("-c", "from demo.console import start; from demo.place import Place; start(Place.from_environment())")


def plain_and_secret(site: Site) -> tuple[str, str]:
    """What the site file says without internal TLS, and with it."""
    return (
        f'hub_url: "{site.hub_url}"',
        f'hub_url: "{site.hub_url.replace("http", "https")}"\n  internal_tls: true',
    )


@pytest.fixture(scope="module")
def encrypted(started_site: Site) -> Iterator[Site]:
    """The site with internal TLS; without it again afterwards."""
    site = started_site
    site.stop_servers()
    plain, secret = plain_and_secret(site)
    switch(site, plain, secret)
    yield site
    site.stop_servers()
    switch(site, secret, plain)


@pytest.fixture
def site(encrypted: Site) -> Iterator[Site]:
    yield encrypted
    encrypted.stop_servers()


def restart_hub(site: Site) -> None:
    """Kill the hub and start it with the same site file."""
    site.kill_hub()
    site.start_hub()


def handshake(session: dict[str, object], context: ssl.SSLContext) -> int:
    """Ask a notebook directly; give the status of its answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    url = f"https://127.0.0.1:{session['port']}/user/{session['user']}/api"
    with opener.open(url, timeout=20) as answer:
        return int(answer.status)


def port_of(site: Site, user: str) -> int:
    """The port of a person's running server."""
    return int(site.server(user)["state"]["session"]["port"])


def test_a_notebook_starts_and_its_kernels_answer(site: Site) -> None:
    session = site.run("ada", ADA)
    token = site.token_of("ada")
    kernel = start_kernel(site, "ada", token)
    code = "import os; print(os.environ['JUPYTERHUB_SERVICE_URL'].split(':')[0], 'HPCHUB_TLS' in os.environ)"
    assert execute(site, "ada", token, kernel, code) == "https False\n"
    until(lambda: site.get("/user/ada/hpchub/session", token).json.get("ends_epoch"), "its news from the hub", 60)
    key, _, _ = files_of(session["id"])
    assert Path(key).stat().st_mode & 0o077 == 0 and Path(key).parent.stat().st_mode & 0o077 == 0
    site.stop_servers()
    until(lambda: not Path(key).parent.exists(), "its key to be gone with the job")


@with_small_servers
def test_the_hub_speaks_to_nobody_without_a_certificate(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.folder / "hub/internal-tls/hub-ca/hub-ca.crt"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with pytest.raises(OSError, match=r"EOF|certificate required"):
        opener.open(f"{site.hub_url.replace('http', 'https')}/hub/api", timeout=10)
    with pytest.raises((OSError, urllib.error.URLError)):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{site.hub_url}/hub/api", timeout=10)


@with_small_servers
def test_a_notebook_answers_hub_and_proxy_alone(site: Site) -> None:
    mine, other = site.run("ada", ADA), site.run("bruno", BRUNO)
    mine["port"] = port_of(site, "ada")
    notebooks = str(site.folder / "hub/internal-tls/notebooks-ca/notebooks-ca.crt")
    nobody = ssl.create_default_context(cafile=notebooks)
    nobody.check_hostname = False
    with pytest.raises(OSError):
        handshake(mine, nobody)
    key, certificate, _ = files_of(other["id"])
    nobody.load_cert_chain(certificate, key)
    with pytest.raises(OSError):
        handshake(mine, nobody)
    nobody.load_cert_chain(
        site.folder / "hub/internal-tls/proxy-client/proxy-client.crt",
        site.folder / "hub/internal-tls/proxy-client/proxy-client.key",
    )
    assert handshake(mine, nobody) == 200


@with_small_servers
def test_a_restart_of_the_hub_loses_no_session(site: Site) -> None:
    session = site.run("ada", ADA)
    restart_hub(site)
    assert site.ready("ada")["id"] == session["id"]
    assert site.get("/user/ada/api", site.token_of("ada")).status == 200


@with_small_servers
def test_a_session_that_waits_while_the_hub_restarts_is_reached_when_it_starts(site: Site) -> None:
    fill(site)
    try:
        assert site.start("ada", ADA).status == 202
        until(lambda: site.session("ada").get("phase") == "queued", "the job to be queued")
        before = site.session("ada")
        restart_hub(site)
    finally:
        free(site)
    assert site.ready("ada")["id"] == before["id"]
    until(lambda: site.get("/user/ada/api", site.token_of("ada")).status == 200, "the route to be there")


@with_small_servers
def test_a_session_from_before_the_setting_was_switched_is_ended_in_words(site: Site) -> None:
    session = site.run("ada", ADA)
    plain, secret = plain_and_secret(site)
    switch(site, secret, plain)
    try:
        until(lambda: not site.live_jobs_of("ada"), "the job to be cancelled", 60)
        ended = site.api("GET", f"/hpchub/sessions/{session['id']}").json
        assert (ended["phase"], ended["ending"]) == ("ended", "encryption-changed")
        until(lambda: not site.server("ada").get("ready"), "the server to be gone")
    finally:
        switch(site, plain, secret)
    site.run("ada", ADA)


@with_small_servers
def test_a_new_proxy_knows_the_names_too(site: Site) -> None:
    site.run("ada", ADA)
    token = site.token_of("ada")
    os.kill(int((site.folder / "hub" / "proxy.pid").read_text()), signal.SIGKILL)

    def reached() -> bool:
        try:
            return site.get("/user/ada/api", token).status == 200
        except OSError:
            return False

    until(reached, "the notebook through a new proxy", 60)


@with_small_servers
def test_another_session_on_the_same_port_is_not_taken_for_this_one(site: Site, tmp_path: Path) -> None:
    mine, other = site.run("ada", ADA), site.run("bruno", BRUNO)
    own, foreign = contents(files_of(mine["id"]), tmp_path), files_of(other["id"])
    port, token = port_of(site, "ada"), site.token_of("ada")
    held = end_the_server(mine["id"])
    try:
        with answering("127.0.0.1", port, foreign) as asked:
            assert site.get("/user/ada/api", token).status == 503
            restart_hub(site)
            until(lambda: site.server("ada").get("ready"), "the hub to leave the server alone", 60)
            assert site.get("/user/ada/api", token).status == 503
            assert asked == []
        with answering("127.0.0.1", port, own) as asked:
            assert site.get("/user/ada/api", token).text == "thief", "with the right certificate it would be believed"
            assert asked == ["/user/ada/api"]
    finally:
        os.kill(held, signal.SIGCONT)


@with_small_servers
def test_the_job_has_its_key_from_its_environment_and_nowhere_else(site: Site) -> None:
    session = site.run("ada", ADA)
    key = Path(files_of(session["id"])[0]).read_text().splitlines()[1]
    assert key not in site.slurm(f"scontrol -M {session['cluster']} -o -d show job {session['job_id']}")
    assert key not in site.slurm(f"scontrol -M {session['cluster']} write batch_script {session['job_id']} -")
    assert key not in site.log()
    assert not any(
        key in value for each in environments_of(session["id"]) for name, value in each.items() if name != "HPCHUB_TLS"
    )
    assert token_of(session["id"])


@with_small_servers
def test_the_console_starts_servers_through_it(site: Site) -> None:
    carla = Trainer(site)
    event = carla.create(seats=2, people=["seat01"], by_code=False)
    assert carla.ask("POST", f"/events/{event['slug']}/room/start").status == 202
    assert site.ready("seat01", event["slug"], 120)["event"] == event["slug"]
    site.stop_servers()
    carla.ask("POST", f"/events/{event['slug']}/close")


def test_the_commands_of_administrators_know_the_hub_by_its_certificate(site: Site) -> None:
    examined = hpchub(site, "doctor", "--json")
    assert [each for each in examined.findings() if "bind_url" not in each] == []
    assert any("internal TLS" in each["subject"] for each in examined.json)
    assert hpchub(site, "sessions").out.endswith("0 sessions\n")
    assert hpchub(site, "proxy", "routes").out == "The hub has made all routes.\n"
    assert hpchub(site, "proxy", "certificates").out == "All certificates are there.\n"


def test_a_proxy_of_its_own_asks_for_its_routes_with_a_certificate(site: Site) -> None:
    url = site.hub_url.replace("http", "https")
    command = [str(site.folder / "venv/bin/python"), "-I", "-m", "hpchub.routes", url]
    environment = {"HPCHUB_TOKEN": site.admin_token}
    with_it = [*command, str(site.folder / "hub" / "internal-tls")]
    asked = subprocess.run(with_it, env=environment, capture_output=True, text=True, check=False)
    assert (asked.stdout, asked.stderr) == ("The hub has made all routes.\n", "")
    without = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert without.returncode == 1 and "did not make the routes" in without.stderr
