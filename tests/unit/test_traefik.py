"""What is written for Traefik: rules that hold one path each, and a file in which no name means anything."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
import yaml

from hpchub import traefik
from hpchub.traefik import ROUTES_FILE, Route, TraefikProxy, configuration, rule

PASSWORD = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("routespec", "expected"),
    [
        ("/", 'PathPrefix("/")'),
        ("/user/ada/", 'PathPrefix("/user/ada/") || Path("/user/ada")'),
        ("/user/a%20b/", 'PathPrefix("/user/a b/") || Path("/user/a b")'),
        (
            "/user/a%2Bb/",
            'PathPrefix("/user/a+b/") || Path("/user/a+b") || '
            r'PathPrefix("/user/a\U000000252Bb/") || Path("/user/a\U000000252Bb")',
        ),
        ("/user/citt%C3%A0/", r'PathPrefix("/user/citt\U000000e0/") || Path("/user/citt\U000000e0")'),
        ("/user/a%60b/", r'PathPrefix("/user/a\U00000060b/") || Path("/user/a\U00000060b")'),
    ],
)
def test_a_rule_is_for_one_path_and_what_is_below(routespec: str, expected: str) -> None:
    assert rule(routespec) == expected


def test_no_name_means_anything_in_the_file() -> None:
    name = '{{env "HOME"}}`"\\'
    route: Route = {"routespec": "/user/%7B%7Benv%7D%7D/", "target": "http://n1:80", "data": {"user": name}}
    text = json.dumps(configuration({route["routespec"]: route}, "generation-1", PASSWORD))
    assert "{{" not in text and "`" not in text and text.isascii()
    assert PASSWORD not in text
    assert yaml.safe_load(text) == json.loads(text)


def test_the_longest_path_wins_however_its_rule_is_written() -> None:
    paths = ["/", "/user/%C3%A0%C3%A0/", "/user/%C3%A0%C3%A0/second-one/"]
    routes: dict[str, Route] = {path: {"routespec": path, "target": "http://n1:80", "data": {}} for path in paths}
    routers = configuration(routes, "generation-1", PASSWORD)["http"]["routers"]
    assert [router["priority"] for name, router in routers.items() if name != "hub"] == [1, 9, 20]


def away(folder: Path, seconds: float = 0.5) -> TraefikProxy:
    """The hub's side of a Traefik that does not run."""
    return TraefikProxy(folder=str(folder), api_url="http://127.0.0.1:9", password=PASSWORD, seconds=seconds)


def test_who_asks_while_it_is_away_waits_no_longer_than_alone(tmp_path: Path) -> None:
    async def ask() -> list[BaseException | None]:
        hub = away(tmp_path)
        return await asyncio.gather(
            *(hub.add_route(f"/user/u{n}/", "http://n1:80", {}) for n in range(20)), return_exceptions=True
        )

    began = time.monotonic()
    assert {type(answer) for answer in asyncio.run(ask())} == {TimeoutError}
    assert time.monotonic() - began < 3


def test_a_session_can_be_stopped_while_it_is_away(tmp_path: Path) -> None:
    async def stop() -> None:
        hub = away(tmp_path, 60)
        opening = asyncio.create_task(hub.add_route("/user/ada/", "http://n1:80", {}))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await hub.delete_route("/user/ada/")
        opening.cancel()

    asyncio.run(stop())
    assert away(tmp_path)._routes == {}


def test_a_route_that_could_not_be_taken_away_is_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(traefik, "OVERTAKEN_SECONDS", 0.0)

    async def delete() -> None:
        hub = away(tmp_path)
        with pytest.raises(TimeoutError):
            await hub.add_route("/user/ada/", "http://n1:80", {})
        with monkeypatch.context() as patched:
            patched.setattr(traefik, "write_whole", full)
            for _ in range(2):
                with pytest.raises(OSError, match="No space left"):
                    await hub.delete_route("/user/ada/")
        assert set(away(tmp_path)._routes) == {"/user/ada/"}
        await hub.delete_route("/user/ada/")
        assert away(tmp_path)._routes == {}

    asyncio.run(delete())


def kept(folder: Path) -> None:
    """Write a route into the folder, as a hub does."""
    route: Route = {"routespec": "/user/ada/", "target": "http://n1:80", "data": {}}
    (folder / ROUTES_FILE).write_text(json.dumps(configuration({"/user/ada/": route}, "generation-1", PASSWORD)))


def test_a_new_hub_knows_the_routes_of_the_last_one(tmp_path: Path) -> None:
    kept(tmp_path)
    assert set(away(tmp_path)._routes) == {"/user/ada/"}


def test_routes_that_may_not_be_read_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError("Permission denied")

    kept(tmp_path)
    monkeypatch.setattr(Path, "read_text", denied)
    assert away(tmp_path)._routes == {}
