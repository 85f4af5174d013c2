"""`hpchub events message` and `hands`, asking the real application."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from hpchub.cli import app
from hpchub.console.signin import BASE
from tests.unit.data.console import NINE, Console, session

ID = "a" * 32


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A school that is open, with ada and bruno in it; the command line asks its application."""
    console = Console(tmp_path)
    teams: Any = [{"name": "Blu", "members": ["ada"]}]
    code = asyncio.run(console.create(teams=teams))["code"]
    console.now_epoch = NINE
    for name in ("ada", "bruno"):
        asyncio.run(console.ask(name, "POST", "/join", {"code": code}))

    def request(method: str, address: str, **more: Any) -> httpx.Response:
        who = more["headers"]["Authorization"].removeprefix("token ").rstrip(".")
        return asyncio.run(console.ask(who, method, address.split(f"{BASE}api")[1], more["json"]))

    monkeypatch.setattr("hpchub.console.client.httpx.request", request)
    return console


def run(*arguments: str) -> Result:
    """Run it as carla, whose token has the length of one."""
    nowhere = ["--site", "/nothing.yaml", "--url", "http://hub"]
    return CliRunner().invoke(app, ["events", *arguments, *nowhere], env={"HPCHUB_TOKEN": "carla".ljust(32, ".")})


def test_a_message_says_whom_it_went_to(console: Console) -> None:
    assert run("message", "gpu-school", "Coffee").output == "said to everybody in gpu-school\n"
    assert run("message", "gpu-school", "For you", "--team", "Blu").output == "said to team Blu in gpu-school\n"
    assert [each["says"] for each in console.hub.events[0]["messages"]] == ["Coffee", "For you"]
    told = run("message", "gpu-school", "x", "--team", "Verdi")
    assert told.exit_code == 1 and "There is no team Verdi. Possible: Blu." in told.output


def test_hands_are_shown_the_longest_first_and_lowered(console: Console) -> None:
    console.hub.sessions = [session("ada", id=ID)]
    asyncio.run(console.ask("bruno", "POST", "/events/gpu-school/hands/bruno", {"up": True, "says": "Stuck"}))
    asyncio.run(console.ask("ada", "PUT", "/events/gpu-school/consents/ada", {}))
    shown = run("hands", "gpu-school").output
    assert shown.index("bruno") < shown.index("ada") and "Stuck" in shown and "all trainers until" in shown
    told = json.loads(run("hands", "gpu-school", "--lower", "--json").output)
    assert [(each["name"], each["hand_epoch"], each["helper"]) for each in told] == [("ada", None, "")]
    assert run("hands", "other").exit_code == 1
