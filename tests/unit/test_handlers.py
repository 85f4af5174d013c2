"""Which routes the hub has after ours are put in place; and what of JupyterHub's insides we lean on is still there."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest
from jupyterhub import user as jupyterhub_user
from jupyterhub.app import JupyterHub
from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.spawner import Spawner
from tornado import web

from hpchub.handlers.sessions import public
from hpchub.handlers.snapshot import figures
from hpchub.handlers.spawn import SpawnPageHandler
from hpchub.jobs.session import Session
from hpchub.slurm.model import ClusterView, Node, Partition
from spawners.site import SiteSpawner
from tests.unit.data.job_request import REQUEST

TOLD = """
import inspect, json, re, sys
from jupyterhub.app import JupyterHub
import spawners.site
from jupyterhub import apihandlers, handlers
from hpchub.handlers import install

def routes():
    lists = handlers.default_handlers, apihandlers.default_handlers
    return [[[route[0], route[1].__module__ + "." + route[1].__name__] for route in each] for each in lists]

before = routes()
install()
once = routes()
install()
from jupyterhub import apihandlers, handlers
from hpchub.signin.demo import DemoAuthenticator
from hpchub.pages.page import Page
every = [*handlers.default_handlers, *apihandlers.default_handlers, *DemoAuthenticator().get_handlers(None)]
source = inspect.getsource(JupyterHub.init_handlers)
every += [(name, getattr(handlers, name)) for name in re.findall(r"[^i]handlers\\.([A-Z]\\w+)", source)]
foreign = [
    route[0]
    for route in every
    if hasattr(route[1], "render_template") and not issubclass(route[1], Page | apihandlers.APIHandler)
]
from jupyterhub.log import _scrub_uri
logged = {address: _scrub_uri(address) for address in sys.argv[1:]}
json.dump({"before": before, "once": once, "twice": routes(), "foreign": foreign, "logged": logged}, sys.stdout)
"""
CODED = [
    "/hub/error/503?url=%2Fservices%2Fevents%2Fjoin%2F7XK2-MQ4P",
    "/hub/hpchub/language/it?next=%2Fhub%2Fhpchub%2Fseat%3Fcode%3DK7QF-3MXB-A4C6",
    "/hub/hpchub/language/it?next=%2Fhub%2Ferror%2F503%3Furl%3D%252Fservices%252Fevents%252Fjoin%252F7XK2-MQ4P",
]
"""Addresses that have that of an invitation or of a card inside."""


@pytest.fixture(scope="module")
def routes() -> dict[str, Any]:
    """The routes of a fresh process, which has imported what a hub imports, in its order."""
    done = subprocess.run([sys.executable, "-c", TOLD, *CODED], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("address", CODED)
def test_an_address_that_another_one_carries_is_not_logged(routes: dict[str, Any], address: str) -> None:
    assert routes["logged"][address] == f"{address.partition('=')[0]}=[secret]"


def test_batchspawner_has_a_route_until_we_remove_it(routes: dict[str, Any]) -> None:
    before = [path for path, _ in routes["before"][1]]
    after = [path for path, _ in routes["once"][1]]
    assert "/api/batchspawner" in before
    assert not any("batchspawner" in path or "batchspawner" in name for path, name in routes["once"][1])
    assert set(before) - set(after) == {"/api/batchspawner"}


def test_every_spawn_page_is_ours(routes: dict[str, Any]) -> None:
    pages, before = routes["once"][0], routes["before"][0]
    assert not any(name.endswith(".SpawnHandler") for _, name in pages)
    ours = [path for path, name in pages if name == "hpchub.handlers.spawn.SpawnPageHandler"]
    assert ours == [path for path, name in before if name.endswith(".SpawnHandler")] != []
    assert [path for path, _ in pages] == [path for path, _ in before]


def test_every_page_has_our_language_look_and_policy(routes: dict[str, Any]) -> None:
    assert routes["foreign"] == []


def test_our_api_is_there_once_however_often_it_is_installed(routes: dict[str, Any]) -> None:
    assert routes["twice"] == routes["once"]
    for path in ("/api/hpchub/sessions", "/api/hpchub/sessions/([0-9a-f]{32})"):
        assert [each for each, _ in routes["once"][1]].count(path) == 1
        assert path not in [each for each, _ in routes["before"][1]]


def test_jupyterhub_builds_its_application_from_the_lists_that_we_change() -> None:
    source = inspect.getsource(JupyterHub.init_handlers)
    assert "extend(handlers.default_handlers)" in source and "extend(apihandlers.default_handlers)" in source


def test_jupyterhub_still_validates_a_choice_through_the_method_that_we_override() -> None:
    assert "await spawner._run_apply_user_options(spawner.user_options)" in inspect.getsource(
        jupyterhub_user.User.spawn
    )
    theirs = inspect.signature(Spawner._run_apply_user_options)
    assert list(theirs.parameters) == list(inspect.signature(SiteSpawner._run_apply_user_options).parameters)
    assert inspect.iscoroutinefunction(Spawner._run_apply_user_options)


@pytest.mark.parametrize("name", ["_get_user_options", "_wrap_spawn_single_user"])
def test_jupyterhub_still_starts_servers_through_the_methods_that_we_override(name: str) -> None:
    assert f"self.{name}(" in inspect.getsource(SpawnHandler)
    theirs, ours = (inspect.signature(getattr(each, name)) for each in (SpawnHandler, SpawnPageHandler))
    assert list(theirs.parameters) == list(ours.parameters)


@pytest.mark.parametrize("query", [{}, {"profile": ["general/pytorch"]}, {"anything": ["1"], "minutes": ["1440"]}])
def test_a_link_holds_no_options_that_could_start_a_server(query: dict[str, list[str]]) -> None:
    assert SpawnPageHandler._get_user_options(object.__new__(SpawnPageHandler), query) == {}


async def test_only_a_post_starts_a_server() -> None:
    handler = object.__new__(SpawnPageHandler)
    handler.request = type("Request", (), {"method": "GET"})()
    with pytest.raises(web.HTTPError, match=r"405.*Only a POST starts a server\."):
        await handler._wrap_spawn_single_user(None, "", "", None, "")


def test_a_session_tells_its_user_all_but_what_is_the_hubs() -> None:
    told = public(Session(request=REQUEST, token_id=5, begun_epoch=1000.0))
    assert json.loads(json.dumps(told)) == {
        "id": REQUEST.session_id,
        "user": "ada",
        "server": "",
        "phase": "submitted",
        "sentence": "Asking leonardo for a place.",
        "timeline": [{"phase": "submitted", "epoch": 1000.0}],
        "waiting": None,
        "cluster_says": {"taken_epoch": None, "silent_since_epoch": None},
        "profile": "agrifood/remote-sensing",
        "cluster": "leonardo",
        "partition": "boost_usr_prod",
        "account": "aifac_agri01",
        "qos": "normal",
        "gpus": 1,
        "gpu_percent": None,
        "gpu_type": "a100",
        "cores": 8,
        "memory_mb": 122_880,
        "minutes": 1530,
        "event": None,
        "job_id": None,
        "node": None,
        "reason": None,
        "begun_epoch": 1000.0,
        "active_epoch": None,
        "ends_epoch": None,
        "ended_epoch": None,
        "ending": None,
        "message": None,
        "log_tail": None,
        "troubles": [],
    }


def test_the_snapshot_counts_free_gpus_of_usable_nodes() -> None:
    def node(name: str, usable: bool, used: int) -> Node:
        return Node(
            name, "127.0.0.1", frozenset({"boost"}), usable, 32, 0, 1000, 0, gpus={"a100": 4}, gpus_used={"a100": used}
        )

    view = ClusterView(
        "leonardo",
        taken_epoch=7.0,
        partitions={"boost": Partition("boost", up=True, max_minutes=None), "serial": Partition("serial", False, 240)},
        nodes=(node("n1", True, 1), node("n2", False, 0)),
    )
    assert figures(view) == {
        "taken_epoch": 7.0,
        "silent_since_epoch": None,
        "accounting_silent_since_epoch": None,
        "nodes": 2,
        "usable_nodes": 1,
        "jobs": {},
        "partitions": {
            "boost": {"up": True, "free_gpus": {"a100": 3}},
            "serial": {"up": False, "free_gpus": {}},
        },
    }
