"""The routes in a real Traefik: whatever a user or a server is called, nobody gets what is another's."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import HTTPServer
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import pytest

from hpchub.traefik import ROUTES_FILE, TraefikProxy
from tests.support.served import Quiet, served
from tests.support.traefik import Traefik, traefik
from tests.support.wait import until

PASSWORD = "0123456789abcdef" * 4
PORT, API_PORT = 18300, 18301
ODD = {
    "/user/b%2Bc/": "/user/b%2Bc/lab",
    "/user/sign+less/": "/user/sign+less/lab",
    "/user/dots.and-dashes_/": "/user/dots.and-dashes_/",
    "/user/with%20space%2Bplus/": "/user/with%20space%2Bplus/lab",
    "/user/citt%C3%A0/": "/user/citt%C3%A0/lab",
    "/user/ada/%60%29%20%7C%7C%20PathPrefix%28%60/": "/user/ada/%60%29%20%7C%7C%20PathPrefix%28%60/lab",
    "/user/ada/%22%29%20%7C%7C%20PathPrefix%28%22/": "/user/ada/%22%29%20%7C%7C%20PathPrefix%28%22/lab",
    "/user/ada/%5C%22/": "/user/ada/%5C%22/lab",
    "/user/a@b/": "/user/a@b/lab",
    "/user/%F0%9F%99%82/": "/user/%F0%9F%99%82/lab",
    "/user/%7B%7Benv%20%22HOME%22%7D%7D/": "/user/%7B%7Benv%20%22HOME%22%7D%7D/lab",
    "/user/%7B%7Bnothing%7D%7D/": "/user/%7B%7Bnothing%7D%7D/lab",
    "/user/%07%7F%C2%85%EF%BB%BF/": "/user/%07%7F%C2%85%EF%BB%BF/lab",
    "/user/%5Cu007b/": "/user/%5Cu007b/lab",
}
"""Routes, and a page below each as a browser asks for it."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Traefik]:
    routes = tmp_path / "routes"
    routes.mkdir()
    with traefik(tmp_path, routes, PORT, API_PORT) as found:
        yield found


def proxy(tmp_path: Path) -> TraefikProxy:
    """A hub's side of it, which reads what another one has kept."""
    return TraefikProxy(folder=str(tmp_path / "routes"), api_url=f"http://127.0.0.1:{API_PORT}", password=PASSWORD)


class Name(Quiet):
    """Says which address was asked for."""

    server: HTTPServer

    def do_GET(self) -> None:
        content = f"{self.server.server_port} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def asked(path: str, port: int = PORT, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[int, str]:
    """Ask Traefik for exactly this path; return the status, and the port and path of who answered."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.usefixtures("running")
def test_a_route_can_be_used_when_it_is_made_and_is_gone_when_it_was_taken_away(tmp_path: Path) -> None:
    async def life() -> list[tuple[int, str]]:
        hub = proxy(tmp_path)
        found = []
        await hub.add_route("/user/ada/", first, {"user": "ada"})
        found.append(await asyncio.to_thread(asked, "/user/ada/lab?a=b%2Fc"))
        await hub.add_route("/user/ada/", second, {"user": "ada"})
        found += [await asyncio.to_thread(asked, path) for path in ("/user/ada/lab", "/user/ada", "/user/adam/lab")]
        assert list(await hub.get_all_routes()) == ["/user/ada/"]
        await hub.delete_route("/user/ada/")
        await hub.get_all_routes()
        found.append(await asyncio.to_thread(asked, "/user/ada/lab"))
        return found

    with served(Name) as first, served(Name) as second:
        ports = [url.rsplit(":", 1)[1] for url in (first, second)]
        assert asyncio.run(life()) == [
            (200, f"{ports[0]} /user/ada/lab?a=b%2Fc"),
            (200, f"{ports[1]} /user/ada/lab"),
            (200, f"{ports[1]} /user/ada"),
            (404, "404 page not found\n"),
            (404, "404 page not found\n"),
        ]


@pytest.mark.usefixtures("running")
def test_odd_names_have_their_own_routes_and_take_nobody_else_s(tmp_path: Path) -> None:
    async def make(hub_url: str, ada: str, odd: str) -> None:
        hub = proxy(tmp_path)
        wanted = {"/": hub_url, "/user/ada/": ada} | dict.fromkeys(ODD, odd)
        await asyncio.gather(*(hub.add_route(path, wanted[path], {"user": unquote(path)}) for path in wanted))
        assert set(await proxy(tmp_path).get_all_routes()) == set(wanted)

    with served(Name) as hub_url, served(Name) as ada, served(Name) as odd:
        asyncio.run(make(hub_url, ada, odd))
        ports = {url: url.rsplit(":", 1)[1] for url in (hub_url, ada, odd)}
        assert {path: asked(path) for path in ODD.values()} == {
            path: (200, f"{ports[odd]} {path}") for path in ODD.values()
        }
        assert asked("/user/ada/lab") == (200, f"{ports[ada]} /user/ada/lab")
        assert asked("/user/bruno/lab") == (200, f"{ports[hub_url]} /user/bruno/lab")
        assert asked("/hub/home") == (200, f"{ports[hub_url]} /hub/home")


def test_a_traefik_that_was_killed_serves_what_was_kept_without_any_hub(tmp_path: Path, running: Traefik) -> None:
    with served(Name) as target:
        asyncio.run(proxy(tmp_path).add_route("/user/ada/", target, {"user": "ada"}))
        running.kill()
        running.start()
        until(lambda: answered("/user/ada/lab"), "the route to be there again", 20)


@pytest.mark.usefixtures("running")
def test_an_address_arrives_as_it_was_sent_and_only_where_it_begins(tmp_path: Path) -> None:
    async def make(hub_url: str, ada: str, bruno: str) -> None:
        hub = proxy(tmp_path)
        wanted = {"/": hub_url, "/user/ada/": ada, "/user/bruno/": bruno}
        await asyncio.gather(*(hub.add_route(path, target, {}) for path, target in wanted.items()))

    with served(Name) as hub_url, served(Name) as ada, served(Name) as bruno:
        asyncio.run(make(hub_url, ada, bruno))
        ports = {url: url.rsplit(":", 1)[1] for url in (hub_url, ada, bruno)}
        for path in ("/user/ada/a//b", "/user/ada/proxy/http://n1/x", "/user/ada/a%2Fb;c", "/user/ada/../../hub/home"):
            assert asked(path) == (200, f"{ports[ada]} {path}")
        assert asked("/user/ada/lab?a=1;b=2") == (200, f"{ports[ada]} /user/ada/lab?a=1%3Bb=2")
        assert asked("/user/bruno/../ada/lab") == (200, f"{ports[bruno]} /user/bruno/../ada/lab")
        assert asked("/user/bruno/%2e%2e/ada/lab") == (200, f"{ports[bruno]} /user/bruno/../ada/lab")
        assert asked("/hub/../user/ada/lab") == (200, f"{ports[hub_url]} /hub/../user/ada/lab")


def answered(path: str) -> bool:
    try:
        return asked(path)[0] == 200
    except OSError:
        return False


@pytest.mark.usefixtures("running")
def test_another_hub_process_knows_the_routes_of_the_one_before(tmp_path: Path) -> None:
    asyncio.run(proxy(tmp_path).add_route("/user/ada/", "http://127.0.0.1:9", {"user": "ada", "server_name": ""}))
    routes = asyncio.run(proxy(tmp_path).get_all_routes())
    assert routes["/user/ada/"]["data"] == {"user": "ada", "server_name": ""}


@pytest.mark.usefixtures("running")
def test_routes_that_somebody_removed_or_spoiled_are_made_again(tmp_path: Path) -> None:
    kept = tmp_path / "routes" / ROUTES_FILE

    async def spoiled() -> None:
        hub = proxy(tmp_path)
        await hub.add_route("/user/ada/", target, {})
        kept.unlink()
        await asyncio.to_thread(until, lambda: asked("/user/ada/lab")[0] == 404, "Traefik to see it")
        await hub.get_all_routes()

    with served(Name) as target:
        asyncio.run(spoiled())
        assert asked("/user/ada/lab")[0] == 200
    kept.write_text('{"http": {"routers"')
    assert asyncio.run(proxy(tmp_path).get_all_routes()) == {}


def test_nobody_steers_it_without_the_hub_s_password(tmp_path: Path, running: Traefik) -> None:
    asyncio.run(proxy(tmp_path).get_all_routes())
    assert asked("/api/http/routers", API_PORT)[0] == 401
    assert asked("/api/http/routers")[0] == 404, "browsers do not reach it at all"
    text = (tmp_path / "routes" / ROUTES_FILE).read_text()
    assert PASSWORD not in text and PASSWORD not in running.log


@pytest.mark.usefixtures("running")
def test_what_nginx_says_of_a_browser_arrives(tmp_path: Path) -> None:
    class Told(Quiet):
        def do_GET(self) -> None:
            content = f"{self.headers['X-Forwarded-Proto']} {self.headers['X-Forwarded-For']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with served(Told) as target:
        asyncio.run(proxy(tmp_path).add_route("/", target, {}))
        said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.2.3"}
        assert asked("/hub/home", headers=said) == (200, "https 10.1.2.3, 127.0.0.1")


@pytest.mark.usefixtures("running")
def test_a_thousand_routes_are_made_together_within_seconds(tmp_path: Path) -> None:
    async def make() -> float:
        hub = proxy(tmp_path)
        began = time.monotonic()
        await asyncio.gather(*(hub.add_route(f"/user/u{n:04}/", target, {"user": f"u{n:04}"}) for n in range(1000)))
        return time.monotonic() - began

    with served(Name) as target:
        seconds = asyncio.run(make())
        print(f"1,000 routes after {seconds:.1f} s")
        assert asked("/user/u0999/lab")[0] == 200
    assert seconds < 20
    assert len(asyncio.run(proxy(tmp_path).get_all_routes())) == 1000


def test_a_traefik_that_is_away_is_told_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    away = proxy(tmp_path)
    away.seconds = 0.1
    with pytest.raises(TimeoutError, match="does it run, and may it read them"):
        asyncio.run(away.get_all_routes())
