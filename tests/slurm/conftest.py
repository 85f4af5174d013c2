"""Which tests run in the rings of other Slurm versions, and with what notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.site import Site
from tests.support.thorough import THOROUGH
from tests.support.wait import until

OTHER_VERSION = "HPCHUB_TEST_SLURM" in os.environ
"""This ring runs with another Slurm than the machine's own."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, in every change, what depends on the hub and not on Slurm; `./run soak tests` has it all."""
    if OTHER_VERSION and not THOROUGH:
        left_out = [item for item in items if item.get_closest_marker("any_slurm")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def sessions_of_another_version(request: pytest.FixtureRequest) -> None:
    """JupyterLab does not depend on the version of Slurm: the ring of the machine's own version starts it."""
    if OTHER_VERSION and request.node.get_closest_marker("own_notebooks") is None:
        request.getfixturevalue("small_servers")


@pytest.fixture(scope="module")
def limits_change(started_site: Site) -> Iterator[None]:
    """Tests of this file change limits and change them back: who comes next finds a hub that has asked again since."""
    yield
    school = {
        "name": "afterwards",
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "opens": "2100-03-01",
        "closes": "2100-03-01",
        "seats": 1,
        "profiles": ["general/pytorch"],
        "size": "small",
        "minutes": 240,
        "people": ["seat01"],
    }

    def missing() -> list[str]:
        told = started_site.api("POST", "/hpchub/capacity", {"plan": school}).json["findings"]
        return [each["says"] for each in told if each["severity"] == "missing"]

    # it asks every minute
    until(lambda: not missing(), "the hub to know the limits of now", 150, 1)
