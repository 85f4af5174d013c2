"""What notebooks the tests have in the rings of other Slurm versions."""

from __future__ import annotations

import os

import pytest

OTHER_VERSION = "HPCHUB_TEST_SLURM" in os.environ
"""This ring runs with another Slurm than the machine's own."""


@pytest.fixture(autouse=True)
def sessions_of_another_version(request: pytest.FixtureRequest) -> None:
    """JupyterLab does not depend on the version of Slurm: the ring of the machine's own version starts it."""
    if OTHER_VERSION and request.node.get_closest_marker("own_notebooks") is None:
        request.getfixturevalue("small_servers")
