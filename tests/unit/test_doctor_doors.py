"""What the doctor says of doors that are sockets: whether they work, and the remedy where they do not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from hpchub.catalogue.doors import LauncherSettings, ReserverSettings
from hpchub.checks.doctor import files
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.door import door, reservations
from hpchub.checks.doctor.files import launcher
from hpchub.checks.finding import Verdict
from hpchub.jobs.launcher import Launcher
from tests.support.accepting import accepting
from tests.unit.data.world import demo_catalogue

PEER = "only the policy's peer (other) may ask through this socket, not user id 1"


class MakeDeployment(Protocol):
    """A deployment whose two doors are sockets, at which programs refuse with these words."""

    def __call__(self, says: str) -> Deployment: ...


def with_doors(launch: Path, reserve: Path) -> Deployment:
    changes = {"launcher": LauncherSettings(socket=launch), "reservations": ReserverSettings(socket=reserve)}
    site = demo_catalogue().site.model_copy(update=changes)
    return Deployment(site, None, "", "hpchub", "", None, {}, Launcher(launch))


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[MakeDeployment]:
    with ExitStack() as open_ones:

        def make(says: str) -> Deployment:
            script, answer = tmp_path / "program", json.dumps({"ok": False, "kind": "refused", "message": says})
            (tmp_path / "answer").write_text(answer)
            script.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked\ncat {tmp_path}/answer\n")
            script.chmod(0o755)
            return with_doors(
                *(open_ones.enter_context(accepting(tmp_path / f"{name}.sock", [script])) for name in ("l", "r"))
            )

        yield make


async def test_a_launcher_that_refuses_to_act_as_root_works(deployment: MakeDeployment) -> None:
    assert (await door(deployment("root is a system account"), "leonardo")).verdict is Verdict.FINE


async def test_reservations_that_touch_no_others_work(deployment: MakeDeployment) -> None:
    (finding,) = await reservations(deployment("the name _hpchub_doctor does not begin with hpchub_"), "leonardo")
    assert finding.verdict is Verdict.FINE


async def test_a_policy_with_another_peer_is_told(deployment: MakeDeployment) -> None:
    there = deployment(PEER)
    of_door, (of_reservations,) = await door(there, "leonardo"), await reservations(there, "leonardo")
    assert of_door.remedy == 'Let `"peer"` be "hpchub" in its policy, hpchub-launch.json.'
    assert of_reservations.remedy == 'Let `"peer"` be "hpchub" in its policy, hpchub-reserve.json.'


async def test_a_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    there = with_doors(tmp_path / "no.sock", tmp_path / "no.sock")
    of_door, (of_reservations,) = await door(there, "leonardo"), await reservations(there, "leonardo")
    assert f"there is no {tmp_path}/no.sock" in of_door.says and "enable --now hpchub-launch.socket" in of_door.remedy
    assert "enable --now hpchub-reserve.socket" in of_reservations.remedy


async def test_a_socket_at_which_nobody_listens_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(tmp_path / "door.sock"))
    finding = await door(with_doors(tmp_path / "door.sock", tmp_path / "door.sock"), "leonardo")
    assert finding.verdict is Verdict.FAULT
    assert "Connection refused" in finding.says and "systemctl status hpchub-launch.socket" in finding.remedy


def test_the_program_behind_a_socket_is_looked_for_where_ours_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BEHIND_SOCKETS", tmp_path)
    (finding,) = launcher(with_doors(tmp_path / "l.sock", tmp_path / "r.sock"))
    assert finding.verdict is Verdict.NOT_CHECKED and f"`{tmp_path}/l.sock` does not end in a program" in finding.says
