"""`hpchub profiles check`: what the clusters lack of what the profiles ask for, found before anybody asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.admin import Done, copied, hpchub
from tests.support.site import Site

SMALL = {"gpus": 1, "cores": 8, "memory_mb": 120000, "default_minutes": 60, "max_minutes": 60}


def place(**fields: Any) -> list[dict[str, Any]]:
    return [{"cluster": "leonardo", "partition": "boost_usr_prod", "gpu_type": "a100", "qos": ["normal"], **fields}]


@pytest.fixture(scope="module")
def planted(started_site: Site) -> Iterator[Done]:
    """One look at a catalogue with a mistake in each of some profiles."""
    site = started_site
    site.slurm("sacctmgr -i add qos for_others")
    with copied(site, "planted") as files:
        # The files alone must be right, so that only the cluster can tell.
        files.change_site(
            clusters__leonardo__gpus={"a100": "NVIDIA A100", "h100": "NVIDIA H100"}, clusters__leonardo__nodes={}
        )
        files.add_environment("unbuilt")
        files.add_profile("general/no-partition", runs_on=place(partition="boost_usr_prd"))
        files.add_profile("general/no-gres", runs_on=place(gpu_type="h100"))
        files.add_profile("general/no-qos", runs_on=place(qos=["for_others"]))
        files.add_profile("general/no-such-qos", runs_on=place(qos=["nromal"]))
        files.add_profile("general/too-long", runs_on=place(), sizes={"small": {**SMALL, "max_minutes": 2880}})
        files.add_profile("general/too-large", runs_on=place(), sizes={"small": {**SMALL, "cores": 64}})
        files.add_profile("general/nobody", runs_on=place(), access={"allocations": ["nosuch_*"]})
        files.add_profile("general/not-built", runs_on=place(), environment="unbuilt")
        yield hpchub(site, "profiles", "check", "general/*", "--json", file=files.site)
    site.slurm("sacctmgr -i delete qos for_others")


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ("general/no-partition", "Cluster leonardo has no partition boost_usr_prd; it has: boost_usr_prod, lrd_all_"),
        ("general/no-gres", "No node of boost_usr_prod has GPUs of the type h100; the nodes there have GPUs of the t"),
        ("general/no-qos", "may use QOS for_others. They may use: boost_qos_dbg, normal"),
        ("general/no-such-qos", "QOS nromal does not exist on leonardo; there are: "),
        (
            "general/too-long",
            "Size small says max_minutes 2880, but partition boost_usr_prod with QOS normal allows at",
        ),
        ("general/too-large", "No node of boost_usr_prod on leonardo is large enough for size small (1 GPUs, 64 co"),
        ("general/nobody", "Nobody has an allocation on leonardo that matches nosuch_*."),
        ("general/not-built", "environment unbuilt is not built for x86_64-demo: there is no "),
    ],
)
def test_a_planted_mistake_is_found_with_a_sentence_and_a_remedy(planted: Done, profile: str, sentence: str) -> None:
    (finding,) = [each for each in planted.json["findings"] if each["subject"] == profile]
    assert sentence in f"{finding['says']} {finding['remedy']}"
    assert (finding["verdict"], bool(finding["remedy"])) == ("fault", True)
    assert finding["place"] == f"leonardo/{'boost_usr_prd' if profile == 'general/no-partition' else 'boost_usr_prod'}"


def test_nothing_else_is_found_and_the_exit_status_is_1(planted: Done) -> None:
    shipped = [
        each for each in planted.json["findings"] if "/no" not in each["subject"] and "/too" not in each["subject"]
    ]
    assert (planted.status, shipped) == (1, [])


def test_the_shipped_profiles_are_clean_and_slurm_would_take_their_jobs(site: Site) -> None:
    done = hpchub(site, "profiles", "check", "agrifood/*", "general/*", "--user", "ada", "--json")
    assert done.status == 0, done.out
    fine = {each["place"] for each in done.json["findings"] if each["verdict"] == "fine"}
    assert {"leonardo/boost_usr_prod", "leonardo/lrd_all_serial", "it4lia/gb200_usr_prod"} <= fine


def test_what_slurm_would_refuse_is_told_in_its_own_words(site: Site) -> None:
    # The hub knows nothing of the QOS that hangs on the partition itself, which allows 4 cores.
    with copied(site, "refused") as files:
        files.change_site(clusters__leonardo__nodes={})
        places = place(partition="lrd_all_serial", gpu_type=None)
        size = {**SMALL, "gpus": 0, "cores": 8, "memory_mb": 7700}
        files.add_profile("general/refused", runs_on=places, sizes={"small": size}, default_size="small")
        done = hpchub(site, "profiles", "check", "general/refused", "--user", "ada", "--json", file=files.site)
    assert done.status == 1
    assert "Slurm would refuse this job of ada" in done.out or "No QOS allows size small" in done.out


def test_an_unknown_profile_is_answered_with_those_that_there_are(site: Site) -> None:
    done = hpchub(site, "profiles", "check", "general/pytroch")
    assert done.status == 1
    assert done.err.startswith("No profile is called 'general/pytroch'. There are: ")
