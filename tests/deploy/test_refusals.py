"""What only machines know: an inventory that does not fit them is refused, and they are left as they were."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import SITE, Deployed

MARK = "/srv/before-the-refusal"
NOWHERE = "10.213.78.99"


def without_that_partition(folder: Path) -> dict[str, Any]:
    """Let a profile name a partition that no cluster has."""
    profile = folder / "profiles" / "general" / "data-preparation.yaml"
    profile.write_text(profile.read_text().replace("lrd_all_serial", "lrd_all_seriall"))
    return {"catalogue_profiles_folder": str(folder / "profiles")}


@dataclass(frozen=True)
class Unfit:
    """What of an inventory does not fit the machines, and what is said of it."""

    name: str
    says: str
    variables: Callable[[Path], dict[str, Any]] = lambda _: {}
    hosts: dict[str, Any] = field(default_factory=dict)


def setting(**variables: object) -> Callable[[Path], dict[str, Any]]:
    return lambda _: variables


TABLE = [
    Unfit(
        "no such partition",
        "general/data-preparation.yaml in catalogue_profiles_folder names the partition lrd_all_seriall, which "
        "leonardo has not. leonardo has: boost_usr_prod, lrd_all_serial.",
        without_that_partition,
    ),
    Unfit("a cluster that Slurm does not know", "sinfo says of it4lia", setting(launcher_clusters=["it4lia"])),
    Unfit("a group that is not there", "there is no group nobodies", setting(launcher_group="nobodies")),
    Unfit(
        "Slurm elsewhere",
        "there is no /opt/slurm/bin/sbatch",
        setting(
            launcher_commands={name: f"/opt/slurm/bin/{name}" for name in ("sbatch", "scancel", "squeue")},
        ),
    ),
    Unfit("no Python", "needs Python 3.11 or newer as /usr/bin/python2", setting(hub_python="/usr/bin/python2")),
    Unfit(
        "a submit host that does not answer",
        f"login9.test does not answer by ssh at {NOWHERE}",
        hosts={"submit": {"hosts": {"login9.test": {"ansible_host": NOWHERE}}}},
    ),
    Unfit(
        "a hub that does not answer",
        f"hub.test does not answer by ssh at {NOWHERE}",
        hosts={"hub": {"hosts": {"hub.test": {"ansible_host": NOWHERE}}}},
    ),
]


@pytest.mark.parametrize("unfit", TABLE, ids=lambda unfit: unfit.name)
def test_what_does_not_fit_the_machines_is_refused_with_a_sentence(
    deployed: Deployed, unfit: Unfit, tmp_path: Path
) -> None:
    shutil.copytree(deployed.fleet.checkout / "profiles", tmp_path / "profiles")
    # beside the inventory, whose variables name files from there
    more = deployed.fleet.folder / "unfit" / "more.yml"
    more.parent.mkdir(exist_ok=True)
    more.write_text(yaml.safe_dump(unfit.hosts or {"all": {}}))
    hub = deployed.fleet.machines["hub"]
    assert hub.run("touch", MARK).status == 0
    variables = json.dumps(unfit.variables(tmp_path))
    run = deployed.fleet.play(SITE, "-i", str(more), "-e", variables, good=False)
    assert unfit.says in " ".join(run.output.split()), run.output[-3000:]
    assert run.status != 0
    assert {name: counts["changed"] for name, counts in run.summary.items()} == dict.fromkeys(run.summary, 0)
    assert hub.run("find", "/etc", "/opt", "/usr/local", "-newer", MARK).output == ""
