"""What an hour costs: by Slurm's billing weights where there are some, else by the largest share of a node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpchub.catalogue.cost import Cost
from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.offers import Offer, offers
from hpchub.slurm.model import Tres
from tests.unit.data.world import (
    ADA,
    BOOST_NODE,
    SERIAL_NODE,
    boost,
    demo_catalogue,
    leonardo,
    with_cluster,
)

LEONARDOS: Tres = (("cpu", 1), ("mem", 0.066332 / 1024), ("gres/gpu", 8))
"""The weights of a Booster node: 32 core-hours for all of its cores, memory or GPUs."""
PRICES = [
    # GPUs, cores, memory in MB: core-hours an hour, as facts about Leonardo say
    ("a fair share of one GPU", 1, 8, 120_000, 8),
    ("a GPU with one core", 1, 1, 1000, 8),
    ("more cores than the GPU's share", 1, 16, 120_000, 16),
    ("more memory than the GPU's share", 1, 8, 247_000, 16),
    ("a whole node", 4, 32, 494_000, 32),
    ("cores only", 0, 4, 1000, 4),
]


def priced(catalogue: Catalogue, weights: Tres, gpus: int, cores: int, memory_mb: int) -> Offer:
    """The offer of a size on leonardo, whose partition has these weights."""
    size = {"gpus": gpus, "cores": cores, "memory_mb": memory_mb, "default_minutes": 60, "max_minutes": 60}
    changes = {"sizes": {"one": size}, "default_size": "one"}
    profile = Profile.model_validate({**dict(catalogue.profiles["general/pytorch"]), **changes})
    views = boost(billing_weights=weights)
    return next(iter(offers(replace(catalogue, profiles={profile.slug: profile}), ADA, views)))


@pytest.mark.parametrize(
    ("gpus", "cores", "memory_mb", "core_hours"), [row[1:] for row in PRICES], ids=[r[0] for r in PRICES]
)
@pytest.mark.parametrize("weights", [LEONARDOS, ()], ids=["by weights", "by shares of a node"])
def test_the_charge_is_the_largest_of_the_shares(
    weights: Tres, gpus: int, cores: int, memory_mb: int, core_hours: float
) -> None:
    offer = priced(demo_catalogue(), weights, gpus, cores, memory_mb)
    assert offer.core_hours_an_hour == pytest.approx(core_hours, rel=1e-4)


def test_a_site_without_max_tres_adds_up() -> None:
    offer = priced(with_cluster("leonardo", charge="sum"), LEONARDOS, 1, 8, 120_000)
    assert offer.core_hours_an_hour == pytest.approx(8 + 8 + 7.7734, rel=1e-4)


def test_a_weight_of_a_type_of_gpu_counts_for_that_type() -> None:
    assert priced(demo_catalogue(), (("gres/gpu:a100", 8),), 2, 8, 1000).core_hours_an_hour == 16
    assert priced(demo_catalogue(), (("gres/gpu:v100", 8),), 2, 8, 1000).core_hours_an_hour == 0


def test_of_several_kinds_of_nodes_the_dearest_counts() -> None:
    dense = replace(BOOST_NODE, name="n2", cores=64)
    views = leonardo(nodes=(BOOST_NODE, dense, SERIAL_NODE))
    small = next(offer for offer in offers(demo_catalogue(), ADA, views) if offer.size == "small" and offer.gpus)
    assert small.core_hours_an_hour == 16


def test_a_free_partition_costs_nothing() -> None:
    free = with_cluster("leonardo", free_partitions=["lrd_all_serial"])
    charged = {offer.partition: offer.core_hours_an_hour for offer in offers(free, ADA, boost())}
    assert charged["lrd_all_serial"] == 0 < charged["boost_usr_prod"]


def test_the_cost_of_a_session_is_that_of_its_time() -> None:
    offer = priced(demo_catalogue(), LEONARDOS, 2, 16, 240_000)
    assert offer.cost(90) == Cost(core_hours=24, gpu_hours=3)


def test_weights_that_change_in_slurm_change_the_price() -> None:
    dear: Tres = (("gres/gpu", 80),)
    assert priced(demo_catalogue(), dear, 1, 8, 1000).core_hours_an_hour == 80
    assert priced(demo_catalogue(), LEONARDOS, 1, 8, 1000).core_hours_an_hour == 8
