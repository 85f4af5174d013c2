"""What is written for Traefik: rules that hold one path each, and a file in which no name means anything."""

from __future__ import annotations

import json

import pytest
import yaml

from hpchub.traefik import Route, configuration, rule

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
