"""`hpchub doctor` and `hpchub sessions` on a site where everything is right."""

from __future__ import annotations

import pytest

from tests.support.admin import Done, hpchub
from tests.support.choices import ADA
from tests.support.site import Site


@pytest.fixture(scope="module")
def examined(started_site: Site) -> Done:
    return hpchub(started_site, "doctor", "--json")


def test_a_site_in_order_is_green(examined: Done) -> None:
    assert examined.findings() == [
        "not checked: bind_url http://127.0.0.1:8000 is plain HTTP, so there is none here. "
        "Outside of one machine, let a web server in front speak TLS."
    ]
    assert examined.status == 0


def test_it_has_looked_at_everything(examined: Done) -> None:
    looked_at = {(each["subject"], each["place"]) for each in examined.json}
    once = {"catalogue", "launcher", "policy", "state folder", "free space", "secrets", "environments", "hub"}
    once |= {
        "reserver",
        "versions",
        "proxy",
        "hub settings",
        "database",
        "catalogue in service",
        "proxy API",
        "certificate",
        "munge",
    }
    everywhere = {"door", "slurmctld", "PrivateData", "AccountingStoreFlags", "Slurm versions", "clocks"}
    everywhere |= {"reservations", "partitions", "slurmdbd", "job", "node to hub", "hub to node", "munge"}
    assert looked_at == {(each, "") for each in once} | {
        (each, cluster) for each in everywhere for cluster in ("leonardo", "it4lia")
    }


def test_its_jobs_are_gone(examined: Done, site: Site) -> None:
    assert site.live_jobs() == []


def test_sessions_are_listed_for_the_admin(site: Site) -> None:
    session = site.run("ada", ADA)
    done = hpchub(site, "sessions")
    assert done.status == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("ada ")]
    assert line.split()[1:4] == ["agrifood/remote-sensing", "leonardo", "ready"]
    assert session["job_id"] in line.split()
    assert " 1:5" in line, "of two hours less than one minute is over"
    assert hpchub(site, "sessions", "--user", "bruno", "--json").json == []
    (told,) = hpchub(site, "sessions", "--json").json
    assert told == site.api("GET", f"/hpchub/sessions/{session['id']}").json


def test_the_time_that_is_left_follows_slurm(site: Site) -> None:
    session = site.run("ada", ADA)
    site.slurm(f"scontrol -M leonardo update JobId={session['job_id']} TimeLimit=30")
    (told,) = hpchub(site, "sessions", "--json").json
    assert told["ends_epoch"] is not None
