"""A hub whose proxy is Traefik: notebooks are used through it, and go on whichever of the two is away."""

from __future__ import annotations

import os
import pwd
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.choices import ADA
from tests.support.kernel import execute, start_kernel
from tests.support.site import Site
from tests.support.traefik import Traefik, traefik
from tests.support.trouble import reachable
from tests.support.wait import until

FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}
FILE = "100% c#?;+.txt"


@pytest.fixture(scope="module")
def in_front(started_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traefik]:
    """The site, with Traefik in the proxy's place until the end of this file."""
    site, folder = started_site, tmp_path_factory.mktemp("traefik")
    routes = site.folder / "routes"
    routes.mkdir()
    owner = pwd.getpwuid((site.folder / "hub").stat().st_uid)
    os.chown(routes, owner.pw_uid, owner.pw_gid)
    file = site.folder / "site" / "site.yaml"
    before = file.read_text()
    file.write_text(
        re.sub(
            "^(  proxy_api_url: .*)$",
            rf"\1\n  proxy: traefik\n  starts_proxy: false\n  routes_folder: {routes}",
            before,
            flags=re.MULTILINE,
        )
    )
    site.kill_hub()
    os.kill(int((site.folder / "proxy.pid").read_text()), signal.SIGTERM)
    with traefik(folder, routes, site.port, site.port + 1) as found:
        site.start_hub()
        yield found
        site.stop_servers()
        site.kill_hub()
        file.write_text(before)
    site.start_hub()


@pytest.mark.usefixtures("in_front")
def test_a_notebook_and_its_kernel_are_used_through_it(site: Site) -> None:
    site.run("ada", ADA)
    token = site.token_of("ada")
    kernel = start_kernel(site, "ada", token)
    assert execute(site, "ada", token, kernel, "print(6 * 7)") == "42\n"
    home = Path(pwd.getpwnam("ada").pw_dir)
    (home / FILE).write_text("x")
    assert site.get(f"/user/ada/api/contents/{quote(FILE)}", token).json["name"] == FILE
    (home / FILE).unlink()


def test_it_goes_on_while_the_hub_is_away(site: Site, in_front: Traefik) -> None:
    session = site.run("ada", ADA)
    site.kill_hub()
    assert reachable(site)
    in_front.kill()
    in_front.start()
    until(lambda: reachable(site), "the notebook to be reachable without a hub", 20)
    site.start_hub()
    assert site.ready("ada")["id"] == session["id"]
    assert reachable(site)


@pytest.mark.usefixtures("small_servers")
def test_what_was_stopped_while_it_was_away_has_no_route_when_it_is_back(site: Site, in_front: Traefik) -> None:
    site.run("ada", FREE)
    assert reachable(site)
    site.run("bruno", FREE)
    in_front.kill()
    in_front.start()
    until(lambda: reachable(site), "the notebook to be reachable", 20)
    site.stop_servers()
    assert [route for route in site.api("GET", "/proxy").json if "/user/" in route] == []


@pytest.mark.usefixtures("small_servers", "in_front")
def test_a_second_server_of_a_person_has_a_route_of_its_own(site: Site) -> None:
    site.run("ada", FREE)
    site.run("ada", FREE, "second")
    routes = site.api("GET", "/proxy").json
    assert routes["/user/ada/"]["target"] != routes["/user/ada/second/"]["target"]
    token = site.token_of("ada")
    assert [site.get(f"/user/ada/{name}api", token).status for name in ("", "second/")] == [200, 200]
    site.api("DELETE", site.server_path("ada", "second"))
    until(lambda: "/user/ada/second/" not in site.api("GET", "/proxy").json, "its route to be gone")
    assert reachable(site)
