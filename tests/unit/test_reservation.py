"""The reservation of an event: its name, Slurm's commands for it, and the hub's side of the door that makes it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpchub.catalogue.doors import ReserverSettings
from hpchub.console import reservation
from hpchub.console.reservation import Wanted, can_be_made, name_of, nodes_for
from hpchub.console.reserver import Made, Reserver
from hpchub.errors import ReservationRefused, ReservationUnclear, ReserverError
from hpchub.slurm.model import ClusterView, Node, Reservation
from tests.unit.data.world import demo_catalogue

# 2026-10-24 22:00 UTC, the night in which Rome's clocks go back
STARTS = 1792879200
WANTED = Wanted("hpchub_school", "leonardo", "boost_usr_prod", STARTS, STARTS + 6 * 3600, 4, "tra26_hack")
ANSWER = '{"ok": true, "reservation": {"name": "hpchub_school", "nodes": 4, "starts_epoch": 1, "ends_epoch": 2}}'


def test_a_reservation_is_named_after_its_event() -> None:
    assert name_of("gpu-school") == "hpchub_gpu-school"
    assert name_of("gpu-school", "ev_") == "ev_gpu-school"


def test_long_names_stay_different() -> None:
    one, other = (name_of(f"{'x' * 60}-{last}") for last in "ab")
    assert one != other and len(one) == len(other) == 64
    assert one.startswith("hpchub_xxx")


THERE = Reservation(
    "hpchub_school", STARTS, STARTS + 6 * 3600, frozenset({"lrdn0001"}), 32, accounts=frozenset({"tra26_hack"})
)
NODES = (
    Node("lrdn0001", "lrdn0001", frozenset({"boost_usr_prod"}), True, 32, 0, 1, 0),
    Node("login01", "login01", frozenset({"lrd_all_serial"}), True, 32, 0, 1, 0),
)


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({}, True),
        ({"accounts": frozenset({"other"})}, False),
        ({"accounts": frozenset({"tra26_hack", "other"})}, False),
        ({"users": frozenset({"ada"})}, False),
        ({"start_epoch": STARTS - 60}, False),
        ({"end_epoch": STARTS + 7 * 3600}, False),
        ({"nodes": frozenset({"login01"})}, False),
    ],
    ids=str,
)
def test_a_reservation_is_the_one_that_was_wanted_by_account_partition_and_times(
    changes: dict[str, Any], alike: bool
) -> None:
    view = ClusterView("leonardo", nodes=NODES)
    assert reservation.alike(replace(THERE, **changes), WANTED, view, STARTS) is alike


def test_one_that_was_wanted_at_once_has_begun() -> None:
    at_once, view = replace(WANTED, starts_epoch=None), ClusterView("leonardo", nodes=NODES)
    assert reservation.alike(THERE, at_once, view, STARTS + 60)
    assert not reservation.alike(THERE, at_once, view, STARTS - 60)


@pytest.mark.parametrize(("sessions", "a_node", "nodes"), [(1, 4, 1), (4, 4, 1), (5, 4, 2), (40, 4, 10), (3, 1, 3)])
def test_nodes_are_whole(sessions: int, a_node: int, nodes: int) -> None:
    assert nodes_for(sessions, a_node) == nodes


def test_times_are_those_of_the_site_s_zone_whoever_runs_the_command() -> None:
    assert reservation.create(WANTED, "Europe/Rome") == (
        *("env", "TZ=Europe/Rome", "scontrol", "--cluster=leonardo", "create", "reservation"),
        *("ReservationName=hpchub_school", "PartitionName=boost_usr_prod", "NodeCnt=4"),
        *("StartTime=2026-10-25T00:00:00", "EndTime=2026-10-25T05:00:00", "Accounts=tra26_hack"),
    )
    assert "StartTime=2026-10-24T22:00:00" in reservation.create(WANTED, "")


def test_changes_and_the_end_of_a_reservation() -> None:
    assert reservation.update("leonardo", "r", "Europe/Rome", NodeCnt=5, Users_add="ada,bruno") == (
        *("scontrol", "--cluster=leonardo", "update", "ReservationName=r", "NodeCnt=5", "Users+=ada,bruno"),
    )
    assert reservation.update("leonardo", "r", "Europe/Rome", EndTime=STARTS) == (
        *("env", "TZ=Europe/Rome", "scontrol", "--cluster=leonardo", "update", "ReservationName=r"),
        "EndTime=2026-10-25T00:00:00",
    )
    assert reservation.delete("it4lia", "r") == ("scontrol", "--cluster=it4lia", "delete", "ReservationName=r")


def test_the_hub_makes_what_its_site_lets_it_make() -> None:
    site = demo_catalogue().site
    assert can_be_made(site, "leonardo", "hpchub_school") and can_be_made(site, "leonardo", None)
    assert not can_be_made(site, "leonardo", "s_tra_school")
    assert not can_be_made(site, "other", "hpchub_school")
    assert not can_be_made(site.model_copy(update={"reservations": None}), "leonardo", "hpchub_school")


def reserver(folder: Path, body: str, seconds: int = 30) -> Reserver:
    """A door that keeps the request and then does this."""
    path = folder / "door"
    path.write_text(f"#!/bin/sh\ncat >> {folder}/request\n{body}\n")
    path.chmod(0o755)
    return Reserver(ReserverSettings(door=(str(path),), timeout_seconds=seconds))


async def test_a_reservation_is_one_request(tmp_path: Path) -> None:
    assert await reserver(tmp_path, f"echo '{ANSWER}'").create(WANTED) == Made("hpchub_school", 4, 1, 2)
    assert json.loads((tmp_path / "request").read_text()) == {
        "verb": "create",
        "cluster": "leonardo",
        "name": "hpchub_school",
        "partition": "boost_usr_prod",
        "nodes": 4,
        "account": "tra26_hack",
        "starts_epoch": STARTS,
        "ends_epoch": STARTS + 6 * 3600,
    }


async def test_a_change_names_what_changes_alone(tmp_path: Path) -> None:
    door = reserver(tmp_path, f"echo '{ANSWER}'")
    await door.extend("leonardo", "hpchub_school", 7)
    assert json.loads((tmp_path / "request").read_text())["ends_epoch"] == 7
    (tmp_path / "request").unlink()
    await door.resize("leonardo", "hpchub_school", 5)
    asked: dict[str, Any] = json.loads((tmp_path / "request").read_text())
    assert asked == {"verb": "change", "cluster": "leonardo", "name": "hpchub_school", "nodes": 5}


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("""echo '{"ok": false, "kind": "slurm", "message": "busy"}'; exit 1""", ReservationRefused, "^busy$"),
        ("""echo '{"ok": false, "kind": "unclear", "message": "lost"}'; exit 1""", ReservationUnclear, "^lost$"),
        ("""echo '{"ok": false, "kind": "refused", "message": "no"}'; exit 1""", ReserverError, "^no$"),
        ("echo 'sudo: a password is required' >&2; exit 1", ReserverError, "a password is required"),
        ("exit 137", ReservationUnclear, "gave no answer"),
        ("echo '[]'", ReservationUnclear, "an answer of another form"),
        ("""echo '{"ok": true}'""", ReservationUnclear, "without the reservation"),
        ("""echo '{"ok": true, "reservation": null}'""", ReservationUnclear, "without the reservation"),
    ],
)
async def test_what_is_said_of_a_failure(tmp_path: Path, body: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        await reserver(tmp_path, body).create(WANTED)
    assert type(raised.value) is error


async def test_a_door_that_hangs_or_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReservationUnclear, match="gave no answer in 1 s"):
        await reserver(tmp_path, "exec sleep 600", seconds=1).create(WANTED)
    nowhere = Reserver(ReserverSettings(door=(str(tmp_path / "nowhere"),)))
    with pytest.raises(ReserverError, match="cannot be started: No such file"):
        await nowhere.delete("leonardo", "hpchub_school")


async def test_one_request_is_under_way_at_a_time(tmp_path: Path) -> None:
    # mkdir succeeds for one alone; whoever finds the folder of another says so
    body = f"mkdir {tmp_path}/one || touch {tmp_path}/two; sleep 0.2; rmdir {tmp_path}/one; echo '{ANSWER}'"
    door = reserver(tmp_path, body)
    await asyncio.gather(*(door.resize("leonardo", "hpchub_school", nodes) for nodes in (1, 2, 3)))
    assert not (tmp_path / "two").exists()
