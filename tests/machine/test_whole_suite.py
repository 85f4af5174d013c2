"""The test rings on a fresh machine: they install all that they need themselves.  Slow; see `./run test-in-machine`."""

from __future__ import annotations

import pytest

from tests.machine.machine import booted

RINGS = ("unit", "hub", "slurm", "browser")


@pytest.mark.whole_suite
def test_all_rings_pass_on_a_fresh_machine() -> None:
    with booted() as machine:
        machine.put_repository("/srv/jupyterhub-hpc")
        result = machine.run("./run", "test", *RINGS, folder="/srv/jupyterhub-hpc", seconds=3600)
        assert result.status == 0, result.output[-20000:]
