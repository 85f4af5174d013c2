"""What could start at once instead of a session that waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hpchub.catalogue.offers import profile_offers
from hpchub.jobs.request import JobRequest
from hpchub.jobs.sooner import Sooner, sooner
from hpchub.slurm.model import ClusterView, Reservation
from tests.unit.data.job_request import REQUEST
from tests.unit.data.world import ADA, VIEWS, demo_catalogue

PROFILE = demo_catalogue().profiles["agrifood/remote-sensing"]
NOW = 1_800_000_000
WANTS_ALL = REQUEST.model_copy(update={"gpus": 4, "cores": 32, "memory_mb": 480_000, "minutes": 60})


def with_free_gpus(
    free: int, views: Mapping[str, ClusterView] = VIEWS, cluster: str = "leonardo"
) -> dict[str, ClusterView]:
    """The demo's clusters, where every node of one has so many GPUs free, and everything else."""
    view = views[cluster]
    nodes = tuple(
        replace(
            node,
            gpus_used={kind: max(there - free, 0) for kind, there in node.gpus.items()},
            cores_used=0,
            memory_used_mb=0,
        )
        for node in view.nodes
    )
    return {**views, cluster: replace(view, nodes=nodes)}


def found(waits: JobRequest, views: Mapping[str, ClusterView]) -> Sooner | None:
    return sooner(waits, profile_offers(demo_catalogue(), ADA, PROFILE, views), views, NOW)


def only(cluster: str, views: Mapping[str, ClusterView]) -> dict[str, ClusterView]:
    return {cluster: views[cluster]}


def test_the_largest_size_that_has_room_on_the_same_cluster_is_proposed() -> None:
    proposed = found(WANTS_ALL, with_free_gpus(2))
    assert proposed is not None
    assert (proposed.offer.cluster, proposed.offer.allocation, proposed.offer.gpus) == ("leonardo", "aifac_agri01", 2)
    assert proposed.minutes == 60


def test_the_same_elsewhere_is_proposed_where_the_cluster_has_no_room() -> None:
    proposed = found(REQUEST.model_copy(update={"gpus": 1, "cores": 8}), with_free_gpus(0))
    assert proposed is not None
    assert (proposed.offer.cluster, proposed.offer.gpus) == ("it4lia", 1)


def test_what_waits_is_not_proposed_itself() -> None:
    waits = REQUEST.model_copy(update={"gpus": 1, "cores": 8})
    assert found(waits, only("leonardo", with_free_gpus(4))) is None


def test_nothing_larger_is_proposed() -> None:
    waits = REQUEST.model_copy(update={"gpus": 1, "cores": 8})
    proposed = found(waits, with_free_gpus(4))
    assert proposed is not None and proposed.offer.gpus == 1


def test_nothing_is_proposed_where_no_node_has_room() -> None:
    assert found(WANTS_ALL, only("leonardo", with_free_gpus(0))) is None


def test_a_node_that_does_not_work_has_no_room() -> None:
    view = with_free_gpus(2)["leonardo"]
    nodes = tuple(replace(node, usable=False) for node in view.nodes)
    assert found(WANTS_ALL, {"leonardo": replace(view, nodes=nodes)}) is None


def test_nothing_is_proposed_from_figures_of_a_cluster_that_is_silent() -> None:
    view = with_free_gpus(2)["leonardo"]
    assert found(WANTS_ALL, {"leonardo": replace(view, silent_since_epoch=1.0)}) is None


def test_nothing_is_proposed_that_would_run_into_a_reservation() -> None:
    view = with_free_gpus(2)["leonardo"]
    course = Reservation("course", NOW + 60, NOW + 7200, frozenset({"n1"}), 32)
    assert found(WANTS_ALL, {"leonardo": replace(view, reservations=(course,))}) is None


def test_less_time_is_proposed_where_more_is_not_offered() -> None:
    proposed = found(WANTS_ALL.model_copy(update={"minutes": 100_000}), with_free_gpus(2))
    assert proposed is not None
    assert proposed.minutes == proposed.offer.max_minutes
