"""``hpchub profiles explain``, ``render`` and ``diff`` beside a running hub, on real clusters."""

from __future__ import annotations

import pytest

from tests.support.admin import copied, hpchub
from tests.support.choices import ADA
from tests.support.site import Site


@pytest.mark.parametrize("user", ["ada", "bruno", "carla", "dario", "admin"])
def test_explain_and_the_hub_agree_on_every_profile(site: Site, user: str) -> None:
    told = {
        each["profile"]: each["offered"] for each in hpchub(site, "profiles", "explain", "--user", user, "--json").json
    }
    api = site.api("GET", f"/hpchub/offers?user={user}").json
    offered = {entry["profile"] for entry in api if any(place["choices"] for place in entry["places"])}
    assert {profile for profile, holds in told.items() if holds} == offered


def test_the_budget_is_asked_for(site: Site) -> None:
    (told,) = hpchub(site, "profiles", "explain", "climate/weather-data", "--user", "ada", "--json").json
    (payer,) = [payer for payer in told["places"][0]["payers"] if payer["account"] == "aifac_clima01"]
    (budget,) = [finding for finding in payer["findings"] if finding["rule"] == "budget"]
    assert "core-hours" in budget["found"]


def test_a_cluster_that_does_not_answer_is_told(site: Site) -> None:
    with copied(site, "explained") as files:
        files.change_site(clusters__leonardo__slurm_conf="/nowhere/slurm.conf")
        done = hpchub(site, "profiles", "explain", str(ADA["profile"]), "--user", "ada", "--json", file=files.site)
    leonardo, it4lia = done.json[0]["places"]
    assert leonardo["findings"][-1]["rule"] == "Slurm" and not leonardo["findings"][-1]["holds"]
    assert it4lia["payers"] and done.json[0]["offered"]


def test_slurm_takes_the_script_that_is_rendered(site: Site) -> None:
    done = hpchub(site, "profiles", "render", str(ADA["profile"]), "--user", "ada", "--cluster", "leonardo")
    assert done.status == 0, done.err
    path = site.folder / "rendered.sh"
    path.write_text(done.out)
    path.chmod(0o644)
    try:
        site.slurm(f"sbatch --test-only -M leonardo {path}", as_user="ada")
    finally:
        path.unlink()


def test_diff_names_the_users_of_the_accounting_whose_offers_change(site: Site) -> None:
    with copied(site, "changed") as files:
        files.add_profile("cybersecurity/images", like=str(ADA["profile"]))
        before = str(site.folder / "site/profiles")
        done = hpchub(site, "profiles", "diff", "--against", before, "--all-users", "--json", file=files.site)
    assert done.json["files"] == [
        {"what": "profile cybersecurity/images", "field": "", "before": "", "after": "is new"}
    ]
    assert [(change["user"], change["offered_after"]) for change in done.json["offers"]] == [("bruno", True)]
