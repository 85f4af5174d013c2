"""From a choice to a job: what was asked is what Slurm runs."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.choices import ADA, BRUNO
from tests.support.site import Site


@pytest.mark.parametrize(
    ("user", "choice", "expected"),
    [
        pytest.param(
            "ada",
            ADA,
            {
                "Account": "aifac_agri01",
                "Partition": "boost_usr_prod",
                "QOS": "normal",
                "TimeLimit": "02:00:00",
                "NumCPUs": "8",
                "TresPerNode": "gres/gpu:a100:1",
            },
            id="ada on leonardo",
        ),
        pytest.param(
            "bruno",
            BRUNO,
            {
                "Account": "aifac_cyber01",
                "Partition": "gb200_usr_prod",
                "QOS": "normal",
                "TimeLimit": "01:30:00",
                "NumCPUs": "8",
                "TresPerNode": "gres/gpu:gb200:1",
            },
            id="bruno on it4lia",
        ),
        pytest.param(
            "ada",
            {**ADA, "qos": "boost_qos_dbg", "minutes": 20},
            {"QOS": "boost_qos_dbg", "TimeLimit": "00:20:00"},
            id="a QOS of one's own choice",
        ),
    ],
)
def test_the_job_is_what_was_asked_for(site: Site, user: str, choice: dict[str, Any], expected: dict[str, str]) -> None:
    session = site.run(user, choice)
    job = site.job(session)
    # Slurm 22.05 writes gres:gpu, later ones gres/gpu
    job["TresPerNode"] = job["TresPerNode"].replace("gres:", "gres/")
    assert {field: job[field] for field in expected} == expected
    assert job["JobName"] == "hpchub"
    assert job["UserId"].startswith(f"{user}(")
    assert job["Requeue"] == "0"
    assert megabytes(job["MinMemoryNode"]) == session["memory_mb"]
    comment = parse_qs(job["Comment"], keep_blank_values=True)
    sector = choice["profile"].partition("/")[0]
    place = f"{sector}/x86_64-demo"
    assert comment == {
        "hpchub": ["1"],
        "hub": ["demo"],
        "user": [user],
        "server": [""],
        "session": [session["id"]],
        "build": [f"{place}/{os.readlink(site.folder / 'environments' / place / 'current')}"],
    }


def megabytes(memory: str) -> int:
    """Read a memory of ``scontrol``: it writes whole GB as such."""
    return int(float(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]])


def test_two_named_servers_run_on_both_clusters_at_once(site: Site) -> None:
    assert site.start("ada", ADA, "first").status in (201, 202)
    assert site.start("ada", {**ADA, "cluster": "it4lia"}, "second").status in (201, 202)
    first, second = site.ready("ada", "first"), site.ready("ada", "second")
    assert (first["cluster"], second["cluster"]) == ("leonardo", "it4lia")
    assert first["id"] != second["id"]
    assert len(site.live_jobs()) == 2


def test_a_stopped_session_has_no_job(site: Site) -> None:
    session = site.run("ada", ADA)
    assert site.api("DELETE", "/users/ada/server").status in (202, 204)
    site.stop_servers()
    assert site.job(session)["JobState"] == "CANCELLED"
    ended = site.api("GET", f"/hpchub/sessions/{session['id']}").json
    assert (ended["phase"], ended["ending"]) == ("ended", "stopped")
