"""Where there is room: nodes that work, have free what is asked for, and are nobody else's before the end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpchub.jobs.room import has_room
from hpchub.slurm.model import ClusterView, Node, Partition, Reservation
from tests.unit.data.job_request import request

NOW = 1_800_000_000
HOUR = 3600
BOOST = frozenset({"boost_usr_prod"})
NODES = tuple(Node(f"n{each}", "127.0.0.1", BOOST, True, 32, 0, 494_000, 0, {"a100": 4}) for each in (1, 2))
VIEW = ClusterView(
    "leonardo", taken_epoch=NOW, partitions={"boost_usr_prod": Partition("boost_usr_prod", True, 1440)}, nodes=NODES
)
ONE_GPU = request()


def reserved(*nodes: str, name: str = "course", begins: int = NOW, cores: int = 64) -> Reservation:
    return Reservation(name, begins, begins + 2 * HOUR, frozenset(nodes), cores)


def with_nodes(**changes: object) -> ClusterView:
    """Both nodes changed in the same way."""
    return replace(VIEW, nodes=tuple(replace(node, **changes) for node in NODES))  # type: ignore[arg-type]


def test_a_free_node_has_room() -> None:
    assert has_room(ONE_GPU, 60, VIEW, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"usable": False},
        {"cores_used": 25},
        {"memory_used_mb": 400_000},
        {"gpus_used": {"a100": 4}},
        {"gpus": {"h100": 4}},
        {"partitions": frozenset({"other"})},
    ],
)
def test_a_node_without_all_that_is_asked_for_has_none(changes: dict[str, object]) -> None:
    assert not has_room(ONE_GPU, 60, with_nodes(**changes), NOW)


def test_two_halves_on_two_nodes_are_no_room() -> None:
    assert not has_room(request(gpus=4), 60, with_nodes(gpus_used={"a100": 2}), NOW)


def test_a_partition_that_is_down_has_none() -> None:
    down = {"boost_usr_prod": Partition("boost_usr_prod", False, 1440)}
    assert not has_room(ONE_GPU, 60, replace(VIEW, partitions=down), NOW)


def test_a_node_that_others_have_reserved_has_none() -> None:
    assert has_room(ONE_GPU, 60, replace(VIEW, reservations=(reserved("n1"),)), NOW)
    assert not has_room(ONE_GPU, 60, replace(VIEW, reservations=(reserved("n1", "n2"),)), NOW)


def test_what_ends_before_a_reservation_begins_has_room() -> None:
    soon = replace(VIEW, reservations=(reserved("n1", "n2", begins=NOW + HOUR),))
    assert has_room(ONE_GPU, 60, soon, NOW)
    assert not has_room(ONE_GPU, 61, soon, NOW)


def test_a_reservation_of_some_cores_leaves_room() -> None:
    assert has_room(ONE_GPU, 60, replace(VIEW, reservations=(reserved("n1", "n2", cores=8),)), NOW)


def test_a_session_of_an_event_has_room_on_its_nodes_only() -> None:
    view = replace(VIEW, reservations=(reserved("n1"),))
    taken = replace(NODES[0], gpus_used={"a100": 4})
    assert has_room(ONE_GPU, 60, view, NOW, "course")
    assert not has_room(ONE_GPU, 60, replace(view, nodes=(taken, NODES[1])), NOW, "course")
