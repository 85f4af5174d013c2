"""Mistakes in the files: each is one line with file, line, field, what was found and what is possible."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.cli import app
from hpchub.errors import CatalogueError
from tests.unit.data.world import REPOSITORY, demo_site_text

SITE = "site.yaml"
SECTORS = "profiles/sectors.yaml"
PROFILE = "profiles/agrifood/remote-sensing.yaml"
ENVIRONMENT = "profiles/environments/base/environment.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the demo's site and profiles."""
    shutil.copytree(REPOSITORY / "profiles", tmp_path / "profiles")
    (tmp_path / SITE).write_text(demo_site_text())
    return tmp_path


def complaint(folder: Path) -> str:
    with pytest.raises(CatalogueError) as error:
        load_catalogue(load_site(folder / SITE))
    return str(error.value).replace(f"{folder}/", "")


# file, what is replaced, by what, the complaint (a line number is checked where it is given)
MISTAKES = [
    (
        "unknown field",
        SITE,
        "session_limit:",
        "sesion_limit:",
        "site.yaml:7: sesion_limit: is not a field; possible: title, hub_id",
    ),
    (
        "unknown field inside",
        PROFILE,
        "default_minutes: 60,",
        "default: 60,",
        ": sizes.large.default: is not a field; possible: gpus, cores, memory_mb",
    ),
    ("missing field", SITE, "hub_id: demo\n", "", "site.yaml:1: hub_id: is missing"),
    ("missing field inside", PROFILE, "cores: 8, ", "", "sizes.small.cores: is missing"),
    ("hub id too free", SITE, "hub_id: demo", "hub_id: My Hub", "hub_id: found 'My Hub'; possible: match pattern"),
    ("text for a number", PROFILE, "gpus: 1", "gpus: one", "sizes.small.gpus: found 'one'; possible: a valid integer"),
    ("number in quotes", PROFILE, "gpus: 1", "gpus: '1'", "sizes.small.gpus: found '1'; possible: a valid integer"),
    ("yes for a number", PROFILE, "gpus: 1", "gpus: yes", "sizes.small.gpus: found True; possible: a valid integer"),
    ("negative", PROFILE, "gpus: 1", "gpus: -1", "sizes.small.gpus: found -1; possible: greater than or equal to 0"),
    (
        "no minutes",
        PROFILE,
        "max_minutes: 720",
        "max_minutes: 0",
        "sizes.small.max_minutes: found 0; possible: greater",
    ),
    (
        "default above most",
        PROFILE,
        "default_minutes: 120, max_minutes: 720",
        "default_minutes: 900, max_minutes: 720",
        "default_minutes 900 is more than max_minutes 720",
    ),
    (
        "default size unknown",
        PROFILE,
        "default_size: small",
        "default_size: tiny",
        "default_size 'tiny' is not one of the sizes: small, medium, large",
    ),
    (
        "unknown environment",
        PROFILE,
        "environment: base",
        "environment: bse",
        "remote-sensing.yaml:5: environment: found 'bse'; possible: base",
    ),
    (
        "unknown cluster",
        PROFILE,
        "cluster: leonardo",
        "cluster: leonard",
        "remote-sensing.yaml:7: runs_on.0.cluster: found 'leonard'; possible: leonardo, it4lia",
    ),
    (
        "unknown gpu type",
        PROFILE,
        "gpu_type: a100",
        "gpu_type: a1000",
        "runs_on.0.gpu_type: found 'a1000'; possible: a100",
    ),
    (
        "gpus without a type",
        PROFILE,
        "gpu_type: a100",
        "gpu_type: null",
        "size 'small' has GPUs, but leonardo/boost_usr_prod names no gpu_type",
    ),
    (
        "shell in a partition",
        PROFILE,
        "boost_usr_prod",
        '"a b;rm"',
        "runs_on.0.partition: found 'a b;rm'; possible: match pattern",
    ),
    (
        "newline in a qos",
        PROFILE,
        "[normal, boost_qos_dbg]",
        '["normal\\n"]',
        "runs_on.0.qos.0: found 'normal\\n'; possible",
    ),
    ("cluster twice", PROFILE, "cluster: it4lia", "cluster: leonardo", "runs_on names a cluster twice"),
    ("no place", PROFILE, "runs_on:\n", "runs_on: []\nx:\n", "runs_on: found []; possible: have at least 1 item"),
    ("no English", PROFILE, 'en: "Remote sensing", ', "", "title: English ('en') is missing"),
    ("title is yes", PROFILE, 'en: "Remote sensing"', "en: yes", "title.en: found True; possible: a valid string"),
    (
        "state",
        SITE,
        "state: open",
        "state: opened",
        "clusters.leonardo.state: found 'opened'; possible: 'open' or 'announced'",
    ),
    (
        "open and incomplete",
        SITE,
        '    notebook_address: "127.0.0.1"\n',
        "",
        "clusters.leonardo: an open cluster needs notebook_address",
    ),
    ("no address", SITE, '"127.0.0.1"', '"localhost"', "clusters.leonardo.notebook_address: "),
    (
        "relative path",
        SITE,
        '"/var/lib/hpchub-demo/environments"',
        "environments",
        "environments_root: the path must be absolute",
    ),
    ("no folder", SITE, "profiles: profiles", "profiles: nowhere", "nowhere is not a folder"),
    (
        "default profile unknown",
        SITE,
        '"agrifood/*"',
        '"agri/*"',
        "site.yaml:8: default_profiles.0: 'agri/*' matches no profile; possible: agrifood/",
    ),
    (
        "password is never shown",
        SITE,
        "password: demo",
        "password: 123456",
        "sign_in.password: found a value that is not shown",
    ),
    ("people without a password", SITE, "  password: demo\n", "", "sign_in: people are named, but no password is set"),
    ("key twice", SECTORS, "  general:", "  climate:", "climate: is there twice, first in line"),
    ("key is no text", SECTORS, "  general:", "  1:", "a key must be text; found '1'"),
    ("sector without a pattern", SECTORS, '["*"]', "[]", "sectors.general.allocations: found []"),
    (
        "profile of no sector",
        SECTORS,
        "  agrifood:",
        "  agri:",
        "the folder 'agrifood' is no sector; possible: agri, cybersecurity",
    ),
    ("tab", SECTORS, "  general:", "\tgeneral:", "is not YAML as we read it"),
    (
        "unsafe tag",
        SECTORS,
        "  general:",
        "  general: !!python/object/apply:os.system [id]\n  x:",
        "is not YAML as we read it",
    ),
    ("alias", SECTORS, "  general:", "  x: &x [*x]\n  general:", "aliases (*name) are not supported here"),
    ("empty", ENVIRONMENT, "", "", "found nothing; possible: a block of `name: value`"),
    ("python as a number", ENVIRONMENT, '"3.11"', "3.10", "python: found 3.1; possible: a valid string"),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), [pytest.param(*row[1:], id=row[0]) for row in MISTAKES])
def test_mistake(folder: Path, file: str, old: str, new: str, expected: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1) if old else "")
    found = complaint(folder)
    assert expected in found
    assert "123456" not in found
    assert all(line.startswith(("site.yaml", "profiles/")) for line in found.splitlines())


def test_all_mistakes_of_all_files_are_reported_at_once(folder: Path) -> None:
    for file in (PROFILE, "profiles/climate/weather-data.yaml", ENVIRONMENT):
        (folder / file).write_text((folder / file).read_text().replace("title:", "titel:", 1))
    lines = complaint(folder).splitlines()
    assert sum("titel: is not a field" in line for line in lines) == 3
    assert sum("title: is missing" in line for line in lines) == 3


FILES = [
    ("no site file", lambda folder: (folder / SITE).unlink(), "site.yaml: cannot be read: No such file"),
    ("no sectors", lambda folder: (folder / SECTORS).unlink(), "profiles/sectors.yaml: cannot be read: No such file"),
    ("not UTF-8", lambda folder: (folder / PROFILE).write_bytes(b"title: \xff"), "is not UTF-8 text (byte 7)"),
    ("control character", lambda folder: (folder / PROFILE).write_text("title: \x07"), "is not YAML"),
    ("deep", lambda folder: (folder / PROFILE).write_text("[" * 5000), "is nested too deeply"),
    ("bad date", lambda folder: (folder / PROFILE).write_text("title: 2026-99-99"), "is not YAML"),
    ("other suffix", lambda folder: (folder / PROFILE).rename(folder / "profiles/agrifood/x.yml"), "end in .yaml"),
    (
        "capital letters",
        lambda folder: (folder / PROFILE).rename(folder / "profiles/agrifood/X.yaml"),
        "must be of a-z",
    ),
    (
        "a list",
        lambda folder: (folder / PROFILE).write_text("- 1"),
        "remote-sensing.yaml:1: found [1]; possible: a block of `name: value`",
    ),
]


@pytest.mark.parametrize(("spoil", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_file_that_cannot_be_used(folder: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(folder)
    assert expected in complaint(folder)


def test_lint_says_that_all_is_well(folder: Path) -> None:
    result = CliRunner().invoke(app, ["profiles", "lint", "--site", str(folder / SITE)])
    assert (result.exit_code, result.output) == (
        0,
        f"{folder / SITE}: 6 profiles, 5 sectors, 1 environments: no mistakes\n",
    )


def test_lint_fails_on_a_mistake(folder: Path) -> None:
    (folder / PROFILE).write_text("{}")
    result = CliRunner().invoke(app, ["profiles", "lint", "--site", str(folder / SITE)])
    assert result.exit_code == 1
    assert f"{folder / PROFILE}:1: title: is missing" in result.output


def test_lint_notes_a_cluster_that_the_environment_is_not_locked_for(folder: Path) -> None:
    text = (folder / SITE).read_text().replace("x86_64-demo", "x86_64-cuda12", 1)
    (folder / SITE).write_text(text)
    result = CliRunner().invoke(app, ["profiles", "lint", "--site", str(folder / SITE)])
    assert result.exit_code == 0
    assert "note: general/pytorch: no offers on leonardo: environment base has no lock for" in result.output
