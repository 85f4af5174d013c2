"""A file of the catalogue changes under the running hub: what people are offered follows, unless it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import choices
from tests.support.site import Site
from tests.support.wait import until

SECONDS = 5
"""The issue's own number."""
ADA = {**choices.ADA, "profile": "agrifood/crop-models"}
"""A profile that the site file does not name: to take away one that it names is a mistake."""


@pytest.fixture
def profile(site: Site) -> Iterator[Path]:
    """The file of a profile; afterwards it is as it was, and in service."""
    path = site.folder / "site" / "profiles" / "agrifood" / "crop-models.yaml"
    text = path.read_text()
    yield path
    path.write_text(text)
    until(lambda: not site.api("GET", "/hpchub/catalogue").json["problems"], "the mistake to be gone")
    until(lambda: "Possible: small, medium." in refusal(site), "the old sizes to be offered again")


def refusal(site: Site) -> str:
    return site.start("ada", {**ADA, "size": "enormous"}).message


def test_a_new_size_is_offered_within_seconds(site: Site, profile: Path) -> None:
    assert "Possible: small, medium." in refusal(site)
    tiny = "  tiny: {gpus: 1, cores: 2, memory_mb: 8000, default_minutes: 15, max_minutes: 30}\ndefault_size"
    profile.write_text(profile.read_text().replace("default_size", tiny))
    until(lambda: "Possible: small, medium, tiny." in refusal(site), "the new size to be offered", SECONDS)


def test_a_mistake_leaves_the_offers_as_they_were_and_is_told(site: Site, profile: Path) -> None:
    profile.write_text(profile.read_text().replace("default_size: small", "default_size: enormous"))
    told = until(lambda: site.api("GET", "/hpchub/catalogue").json["problems"], "the mistake to be seen", SECONDS)
    assert "crop-models.yaml:" in told[0] and "default_size: 'enormous' is not one of the sizes" in told[0]
    assert "hpchub_catalogue_problems 1.0" in site.get("/hub/metrics", site.admin_token).text
    assert "Possible: small, medium." in refusal(site)


@pytest.mark.usefixtures("small_servers")
def test_a_profile_that_disappears_does_not_end_its_sessions(site: Site, profile: Path) -> None:
    session = site.run("ada", ADA)
    profile.rename(profile.with_name("vineyards.yaml"))
    try:
        gone = ADA["profile"]
        until(lambda: gone not in site.api("GET", "/hpchub/catalogue").json["profiles"], "it to be gone", SECONDS)
        assert site.ready("ada")["id"] == session["id"]
        assert "Profile 'agrifood/crop-models' is not known." in site.start("ada", ADA, "other").message
        site.stop_servers()
    finally:
        profile.with_name("vineyards.yaml").rename(profile)
