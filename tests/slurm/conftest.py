"""Which tests run in the rings of other Slurm versions, and with what notebooks."""

from __future__ import annotations

import os

import pytest

from tests.support.thorough import THOROUGH

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
