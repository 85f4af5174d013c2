"""What fits before the nodes of a partition are taken: reservations, and the sentences that people read about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from hpchub.catalogue.maintenance import Closing, closing
from hpchub.catalogue.notes import notes_of
from hpchub.catalogue.offers import Person, offers
from hpchub.slurm.model import ClusterView, Node, Reservation
from tests.unit.data.truth import AGRI, NOON, ada, associated, held, limited
from tests.unit.data.world import BOOST_NODE, SERIAL_NODE, demo_catalogue, leonardo

NOW = int(NOON)
HOUR = 3600
NODES = tuple(replace(BOOST_NODE, name=f"n{number}") for number in (1, 2))
BOTH = ("n1", "n2")


def reserved(
    start: int, end: int, nodes: Iterable[str] = BOTH, flags: Iterable[str] = ("MAINT",), cores: int | None = None
) -> Reservation:
    """A reservation that begins and ends so many hours from now, of all cores of its nodes."""
    named = frozenset(nodes)
    whole = 32 * len(named) if cores is None else cores
    return Reservation("m", NOW + start * HOUR, NOW + end * HOUR, named, whole, flags=frozenset(flags))


def view(*reservations: Reservation, nodes: tuple[Node, ...] = NODES) -> ClusterView:
    return leonardo(nodes=(*nodes, SERIAL_NODE), reservations=reservations)["leonardo"]


def fits(*reservations: Reservation, nodes: tuple[Node, ...] = NODES) -> int | None:
    """How many minutes fit into the partition."""
    known = closing(view(*reservations, nodes=nodes), "boost_usr_prod", NOON)
    return known.fits_minutes if known else None


DOWN = replace(NODES[1], usable=False)
ROWS = [
    ("no reservation", None, fits()),
    ("all nodes in two hours", 120, fits(reserved(2, 4))),
    ("one node in two hours", None, fits(reserved(2, 4, ["n1"]))),
    ("one after the other: the later counts", 300, fits(reserved(2, 4, ["n1"]), reserved(5, 6, ["n2"]))),
    ("the first of two for the same node", 120, fits(reserved(2, 4), reserved(10, 12))),
    ("it is over", None, fits(reserved(-4, 0))),
    ("over, and the next one", 60, fits(reserved(-4, 0), reserved(1, 2))),
    ("it lasts", 0, fits(reserved(-1, 2))),
    (
        "it lasts, on nodes that Slurm shows as not usable",
        0,
        fits(reserved(-1, 2), nodes=(replace(NODES[0], usable=False), DOWN)),
    ),
    ("it lasts on one node", None, fits(reserved(-1, 2, ["n1"]))),
    ("the other node is broken", 120, fits(reserved(2, 4, ["n1"]), nodes=(NODES[0], DOWN))),
    (
        "the other node is broken, and part of a later maintenance",
        120,
        fits(reserved(2, 4, ["n1"]), reserved(9, 10), nodes=(NODES[0], DOWN)),
    ),
    ("nodes of another partition", None, fits(reserved(2, 4, ["s1"]))),
    ("kept for others", 120, fits(reserved(2, 4, flags=["SPEC_NODES"]))),
    ("a part of the cores", None, fits(reserved(2, 4, flags=[], cores=8))),
    ("seconds are not promised", 59, closing(view(reserved(1, 2)), "boost_usr_prod", NOON + 1).fits_minutes),  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("expected", "found"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_fits_before_the_last_node_is_taken(expected: int | None, found: int | None) -> None:
    assert found == expected


def test_a_closing_says_from_when_to_when() -> None:
    assert closing(view(reserved(2, 4)), "boost_usr_prod", NOON) == Closing(NOW + 2 * HOUR, NOW + 4 * HOUR, True, 120)


def notes(person: Person, seen: ClusterView) -> tuple[str, ...]:
    """What a person is told of the GPU partition of leonardo."""
    catalogue = demo_catalogue()
    site = catalogue.site.model_copy(update={"timezone": "Europe/Rome"})
    views = {"leonardo": seen}
    groups = [group for group in offers(catalogue, person, views).groups if group.profile.slug == AGRI]
    assert groups, "what waits is still an offer"
    return notes_of(site, person, views, groups)


def test_maintenance_takes_no_offer_away_and_is_told() -> None:
    assert notes(ada(), view(reserved(2, 4))) == (
        "Maintenance of partition boost_usr_prod of leonardo begins 2026-11-22 15:00 +0100 and ends "
        "2026-11-22 17:00 +0100: a session of more than 120 minutes waits until after it.",
    )
    assert notes(ada(), view(reserved(-1, 2))) == (
        "Partition boost_usr_prod of leonardo is in maintenance until 2026-11-22 15:00 +0100: "
        "what is started now waits until then.",
    )


def test_a_reservation_of_others_is_not_called_maintenance() -> None:
    (said,) = notes(ada(), view(reserved(2, 4, flags=[])))
    assert said.startswith("A reservation of all nodes of partition boost_usr_prod of leonardo begins")


def test_maintenance_far_away_is_not_worth_a_word() -> None:
    assert notes(ada(), view(reserved(12, 14))) == ()
    assert notes(ada(), view(reserved(11, 14))) != ()


def test_a_limit_that_only_lets_wait_is_told_with_the_sessions_that_must_end() -> None:
    assert notes(held(2), associated(running=2)["leonardo"]) == (
        "QOS normal allows at most 2 jobs to run at a time with this allocation (yours: thesis, maps): "
        "one more waits until one of them has ended (allocation aifac_agri01).",
        "QOS boost_qos_dbg allows at most 2 jobs to run at a time with this allocation (yours: thesis, maps): "
        "one more waits until one of them has ended (allocation aifac_agri01).",
    )
    assert notes(held(1), associated(running=2)["leonardo"]) == ()
    assert notes(held(2, "boost_qos_dbg"), limited(running=2)["leonardo"]) == ()


def test_new_nodes_are_looked_at_again() -> None:
    first = view(reserved(2, 4))
    assert closing(first, "boost_usr_prod", NOON) is not None
    free = replace(first, nodes=(*first.nodes, replace(BOOST_NODE, name="n3")))
    assert closing(free, "boost_usr_prod", NOON) is None
