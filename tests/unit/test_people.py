"""What a command beside the hub finds out about a person."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from hpchub.catalogue.event import Event
from hpchub.catalogue.limits import Held
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.environments.own import Registration, Registry
from hpchub.events import EVENTS
from hpchub.people import catalogue_of, person_now
from hpchub.slurm.model import ClusterView, JobState
from tests.unit.data.job_request import JOB, request
from tests.unit.test_broken_files import DATA

EVENT = Event(
    slug="hack26",
    title="Hackathon",
    opens_epoch=1,
    closes_epoch=2,
    groups=("trainers",),
    cluster="leonardo",
    allocation="tra26_hack",
    profiles=("agrifood/*",),
)
OF_SECOND = replace(JOB, comment=request(server_name="second").comment)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """The small site, with a state folder of its own and without a source of budgets."""
    loaded = load_catalogue(load_site(DATA / "small" / "site.yaml"))
    hub = loaded.site.hub.model_copy(update={"state_folder": tmp_path})
    return replace(loaded, site=loaded.site.model_copy(update={"hub": hub}))


def test_the_sessions_of_a_person_are_their_jobs_that_wait_or_run(catalogue: Catalogue) -> None:
    jobs = [
        OF_SECOND,
        replace(JOB, job_id="8", state=JobState.PENDING, comment="somebody wrote this"),
        replace(JOB, job_id="9", state=JobState.ENDED),
        replace(JOB, job_id="10", user="bruno"),
    ]
    view = ClusterView("leonardo", taken_epoch=1.0, jobs={job.job_id: job for job in jobs})
    held = person_now(catalogue.site, {"leonardo": view}, "ada", ()).held
    where = ("leonardo", "boost_usr_prod", "aifac_agri01", "normal")
    assert held == (Held("second", *where), Held("", *where))
    assert [str(each.name) for each in held] == ["second", "the session without a name"]


def test_the_events_of_a_person_are_those_that_the_hub_has_kept(catalogue: Catalogue) -> None:
    catalogue.site.hub.events_file.write_bytes(EVENTS.dump_json((EVENT,)))
    assert person_now(catalogue.site, {}, "carla", ["trainers"]).events == (EVENT,)
    assert person_now(catalogue.site, {}, "ada", []).events == ()


def test_what_a_person_brought_is_in_their_catalogue_alone(catalogue: Catalogue) -> None:
    site = catalogue.site.model_validate({**dict(catalogue.site), "own_environments": {"like": "agrifood/vineyards"}})
    mine = Registration(
        name="mine", cluster="leonardo", path="/home/ada/env", python="3.11", jupyterhub="6.1.1", registered_epoch=1
    )
    Registry(site.hub.own_environments_folder).add("ada", mine)
    with_setting = replace(catalogue, site=site)
    assert "own/mine" in catalogue_of(with_setting, "ada").profiles
    assert "own/mine" not in catalogue_of(with_setting, "bruno").profiles


def test_what_cannot_be_read_is_named(catalogue: Catalogue, caplog: pytest.LogCaptureFixture) -> None:
    folder = catalogue.site.hub.own_environments_folder
    (folder / "ada.json").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        assert catalogue_of(catalogue, "ada") is catalogue
    assert f"{folder}: Is a directory, so what ada brought is missing" in caplog.text
