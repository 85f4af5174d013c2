"""The inventories that are shipped, and the playbooks that the install guide names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from hpchub.catalogue.load import load_catalogue, load_site
from tests.unit.data.world import REPOSITORY

ANSIBLE = REPOSITORY / "ansible"
EXAMPLE = ANSIBLE / "inventories" / "example"
GUIDE = REPOSITORY / "docs" / "howto" / "install.md"


def test_the_example_is_a_site_with_a_profile_once_the_guides_environment_is_there(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "files", tmp_path / "files")
    shutil.copytree(
        REPOSITORY / "profiles" / "environments" / "base", tmp_path / "files" / "profiles" / "environments" / "base"
    )
    catalogue = load_catalogue(load_site(tmp_path / "files" / "site.yaml"))
    assert list(catalogue.profiles) == ["general/notebook"]
    assert catalogue.warnings == ()


def test_it4lia_is_a_site_with_the_profiles_of_the_checkout(tmp_path: Path) -> None:
    shutil.copy(ANSIBLE / "inventories" / "it4lia" / "files" / "site.yaml", tmp_path)
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    assert load_catalogue(load_site(tmp_path / "site.yaml")).profiles


def test_an_inventory_names_the_hosts_of_its_site_file() -> None:
    for inventory in (EXAMPLE, EXAMPLE.with_name("it4lia")):
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["hosts"]
        address = yaml.safe_load((inventory / "files" / "site.yaml").read_text())["hub"]["bind_url"]
        assert re.sub(r"^https://|/$", "", address) in hosts, inventory


def test_the_guide_names_playbooks_that_there_are_and_all_of_them() -> None:
    named = set(re.findall(r"ansible/((?:playbooks/)?[\w-]+\.yml)", GUIDE.read_text()))
    there = {str(path.relative_to(ANSIBLE)) for path in (ANSIBLE / "playbooks").glob("*.yml")} | {"site.yml"}
    assert named == there
