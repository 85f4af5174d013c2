"""The job script for software that is no build: modules of the cluster, and images."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from hpchub.catalogue.choice import accept
from hpchub.catalogue.model import Catalogue, Environment
from hpchub.jobs import bootstrap, exits, script
from hpchub.jobs.request import JobRequest
from hpchub.jobs.resolve import job_request
from hpchub.lab import packed
from tests.unit.data.job_request import request
from tests.unit.data.world import ADA, VIEWS, demo_catalogue

DATA = Path(__file__).parent / "data"
BOOTSTRAP = re.sub(
    '^BESIDE = "".*$', f"BESIDE = '{packed()}'", Path(bootstrap.__file__).read_text().rstrip("\n"), flags=re.MULTILINE
)
MODULES = request(kind="module", environment="/etc/profile", modules=("python/3.11.7", "jupyterhub/6.1"))
IMAGE = request(kind="apptainer", environment="/opt/images/pytorch.sif")


@pytest.mark.parametrize(
    ("asked", "golden"),
    [
        pytest.param(MODULES, "job-module.sh", id="modules"),
        pytest.param(IMAGE, "job-apptainer.sh", id="image"),
    ],
)
def test_the_script_is_the_golden_one(asked: JobRequest, golden: str) -> None:
    text = script.render(asked)
    assert text.replace(BOOTSTRAP, "<bootstrap.py>") == (DATA / golden).read_text()
    assert subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False).stderr == ""


def test_an_image_without_gpus_is_run_without_their_driver() -> None:
    text = script.render(request(kind="apptainer", environment="/opt/a.sif", gpus=0, gpu_type=None))
    assert 'exec apptainer exec "$environment" python3 -I -' in text


@pytest.mark.parametrize("module", ["a b", "$(id)", "-f", "a;b", "a\nb", "", "`id`", "a'b"])
def test_a_module_is_one_plain_word(module: str) -> None:
    with pytest.raises(ValidationError, match="modules"):
        request(kind="module", environment="/etc/profile", modules=(module,))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            MODULES.model_copy(update={"environment": "/no/such/file"}),
            "there is no jupyterhub-singleuser in these modules on",
        ),
        (IMAGE, "there is no image /opt/images/pytorch.sif, or no apptainer, on"),
    ],
    ids=["modules", "image"],
)
def test_what_is_missing_on_a_node_ends_the_job_with_its_own_status(asked: JobRequest, sentence: str) -> None:
    ran = subprocess.run(["bash"], input=script.render(asked), capture_output=True, text=True, check=False)
    assert ran.returncode == exits.NO_ENVIRONMENT
    assert sentence in ran.stderr


def with_environment(**changes: object) -> Catalogue:
    """The demo's catalogue with another kind of software in the environment of ada's profile."""
    catalogue = demo_catalogue()
    name = catalogue.profiles["agrifood/remote-sensing"].environment
    fields = {**dict(catalogue.environments[name]), **changes}
    environments = {**catalogue.environments, name: Environment.model_validate(fields)}
    return Catalogue(catalogue.site, catalogue.sectors, catalogue.profiles, environments)


def asked_of(catalogue: Catalogue) -> JobRequest:
    accepted = accept({"profile": "agrifood/remote-sensing", "cluster": "leonardo"}, catalogue, ADA, VIEWS)
    return job_request(accepted, catalogue, "ada", "", "0" * 32)


def test_modules_are_those_of_the_software_target() -> None:
    catalogue = with_environment(
        kind="module", modules={"x86_64-demo": ["python/3.11.7"], "aarch64-cuda13": ["python/3.12"]}
    )
    asked = asked_of(catalogue)
    assert (asked.kind, asked.modules, asked.environment) == ("module", ("python/3.11.7",), "/etc/profile")


def test_an_image_is_that_of_the_software_target() -> None:
    asked = asked_of(with_environment(kind="apptainer", images={"x86_64-demo": "/opt/a.sif"}))
    assert (asked.kind, asked.environment, asked.build) == ("apptainer", "/opt/a.sif", "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "module"}, "is module, but there are no modules"),
        ({"kind": "apptainer"}, "is apptainer, but there are no images"),
        ({"modules": {"x86_64-demo": ["a"]}}, "modules: is there, but the kind is venv"),
        ({"kind": "module", "modules": {"x86_64-demo": []}}, "at least 1 item"),
        (
            {"kind": "apptainer", "images": {"x86_64-demo": "relative.sif"}},
            "the path must be absolute|a slash in front",
        ),
    ],
)
def test_a_kind_needs_what_it_is_made_of(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        with_environment(**changes)
