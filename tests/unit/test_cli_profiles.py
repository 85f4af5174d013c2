"""``hpchub profiles`` at a terminal, in a pipe and in a script; what the clusters say is that of the small world."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hpchub.catalogue.rules import Person
from hpchub.cli import app, profiles
from hpchub.slurm.model import ClusterView
from tests.unit.data.world import REPOSITORY, VIEWS, demo_site_text
from tests.unit.test_broken_files import DATA

SLUG = "agrifood/remote-sensing"
PROGRAM = "from hpchub.cli import app; app()"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's site on clusters that say what the small world says."""
    shutil.copytree(REPOSITORY / "profiles", tmp_path / "profiles")
    (tmp_path / "site.yaml").write_text(demo_site_text(str(tmp_path)))
    monkeypatch.setenv("HPCHUB_SITE", str(tmp_path / "site.yaml"))

    def person(_: object, views: Mapping[str, ClusterView], name: str, groups: Iterable[str]) -> Person:
        return Person(name, frozenset(groups))

    monkeypatch.setattr(profiles, "look_once", lambda _: VIEWS)
    monkeypatch.setattr(profiles, "person_now", person)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["profiles", *arguments])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# lint


def test_lint_says_that_all_is_well() -> None:
    result = run("lint", "--site", str(DATA / "small" / "site.yaml"))
    said = f"{DATA}/small/site.yaml: 1 profiles, 2 sectors, 1 environments: no mistakes\n"
    assert (result.exit_code, result.output) == (0, said)


def test_lint_fails_on_a_mistake_and_says_it_on_standard_error(site: Path) -> None:
    profile = site / "profiles" / f"{SLUG}.yaml"
    profile.write_text("{}")
    result = run("lint")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{profile}:1: title: is missing; possible: title: …" in result.stderr


def test_lint_passes_with_warnings(site: Path) -> None:
    edit(site / "site.yaml", "x86_64-demo", "x86_64-rocm6")
    result = run("lint")
    assert result.exit_code == 0
    assert "has no lock for x86_64-rocm6; possible:" in result.stdout
    assert all(line.startswith("warning: ") for line in result.stdout.splitlines()[:-1])


def test_lint_tells_scripts_file_line_field_and_remedy(site: Path) -> None:
    edit(site / "profiles" / f"{SLUG}.yaml", "cluster: leonardo", "cluster: leonard")
    result = run("lint", "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert (problem["file"], problem["field"]) == (f"{site}/profiles/{SLUG}.yaml", "runs_on.0.cluster")
    assert problem["line"] > 1
    assert problem["possible"] == "leonardo, it4lia; did you mean leonardo?"


# places


def test_places_tells_which_partition_of_which_cluster_each_profile_names(site: Path) -> None:
    rows = told("places")
    file = str(site / "profiles" / "general" / "data-preparation.yaml")
    wanted = {
        "cluster": "leonardo",
        "partition": "lrd_all_serial",
        "profile": "general/data-preparation",
        "file": file,
    }
    assert wanted in rows
    assert f"leonardo lrd_all_serial general/data-preparation {file}" in re.sub(" +", " ", run("places").stdout)


# explain


def test_explain_names_every_rule_and_the_verdict(site: Path) -> None:
    result = run("explain", SLUG, "--user", "ada")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"ada is offered {SLUG}."
    assert "✗ leonardo boost_usr_prod aifac_clima01 account the sector agrifood is for aifac_agri*" in squeezed(result)


def squeezed(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_explain_says_why_somebody_does_not_see_a_profile(site: Path) -> None:
    result = run("explain", SLUG, "--user", "bruno")
    assert result.stdout.splitlines()[-1] == f"bruno is not offered {SLUG}."


def test_explain_of_all_profiles_is_a_line_each(site: Path) -> None:
    lines = squeezed(run("explain", "--user", "bruno"))
    assert "✓ cybersecurity/log-analysis leonardo, it4lia" in lines
    assert any(line.startswith(f"✗ {SLUG} leonardo: aifac_cyber01: account:") for line in lines)


def test_explain_for_scripts(site: Path) -> None:
    (explanation,) = told("explain", SLUG, "--user", "ada")
    assert (explanation["profile"], explanation["offered"]) == (SLUG, True)
    assert explanation["findings"][0] == {"rule": "groups", "holds": True, "found": "for everybody; ada is in: none"}


def test_the_groups_of_a_person_can_be_given(site: Path) -> None:
    with (site / "profiles" / f"{SLUG}.yaml").open("a") as file:
        file.write("access: {groups: [trainers]}\n")
    assert not told("explain", SLUG, "--user", "ada")[0]["offered"]
    assert told("explain", SLUG, "--user", "ada", "--group", "staff", "--group", "trainers")[0]["offered"]


@pytest.mark.parametrize("verb", ["explain", "render"])
def test_a_profile_that_is_not_known_is_refused_with_what_is_possible(site: Path, verb: str) -> None:
    result = run(verb, "agrifood/remote-sensin", "--user", "ada")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "agrifood/remote-sensin" in result.stderr and f"{SLUG}" in result.stderr


# render


def test_render_prints_the_script_and_nothing_else_on_standard_output(site: Path) -> None:
    result = run("render", SLUG, "--user", "ada", "--allocation", "AIFAC_agri01", "--size", "small", "--minutes", "45")
    assert result.exit_code == 0
    assert result.stdout.startswith("#!/bin/bash\n")
    for directive in ("--account=aifac_agri01", "--gres=gpu:a100:1", "--time=0-00:45:00", "--partition=boost_usr_prod"):
        assert f"#SBATCH {directive}\n" in result.stdout
    assert json.loads(result.stderr)["minutes"] == 45
    assert subprocess.run(["bash", "-n"], input=result.stdout, text=True).returncode == 0


def test_render_completes_the_choice_as_the_hub_does(site: Path) -> None:
    rendered = told("render", SLUG, "--user", "ada", "--cluster", "it4lia")
    choice = rendered["user_options"]
    assert (choice["cluster"], choice["allocation"], choice["qos"]) == ("it4lia", "aifac_agri01", "normal")
    assert rendered["request"]["gpu_type"] == "gb200"
    assert "#SBATCH --partition=gb200_usr_prod" in rendered["script"]


def test_render_knows_no_token(site: Path) -> None:
    rendered = told("render", SLUG, "--user", "ada")
    assert "token" not in rendered["request"]
    assert "JUPYTERHUB_API_TOKEN=" not in rendered["script"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "huge"], "Size 'huge' is not one of"),
        (["--minutes", "100000"], "100000 minutes are too many"),
        (["--allocation", "aifac_cyber01"], "Allocation 'aifac_cyber01' is not one of yours"),
        (["--cluster", "lisa"], "Cluster 'lisa' is not known"),
        (["--qos", "gold"], "QOS 'gold' is not one of"),
    ],
)
def test_render_refuses_what_the_hub_refuses(site: Path, arguments: list[str], words: str) -> None:
    result = run("render", SLUG, "--user", "ada", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(words)


# diff


@pytest.fixture
def repository(site: Path) -> Path:
    """The demo's catalogue, committed."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(site)]
    for verb in (["init", "-q"], ["add", "profiles", "site.yaml"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *verb], check=True)
    return site


def test_nothing_has_changed_since_the_last_commit(repository: Path) -> None:
    result = run("diff")
    assert (result.exit_code, result.stdout) == (0, "Nothing has changed.\n")


def test_a_changed_field_is_told_with_both_values(repository: Path) -> None:
    edit(repository / "profiles" / f"{SLUG}.yaml", "max_minutes: 720", "max_minutes: 240")
    assert told("diff")["files"] == [
        {"what": f"profile {SLUG}", "field": "sizes.small.max_minutes", "before": "720", "after": "240"}
    ]


def test_it_is_told_for_whom_an_offer_changes(repository: Path) -> None:
    edit(repository / "profiles" / f"{SLUG}.yaml", "max_minutes: 720", "max_minutes: 240")
    changes = told("diff", "--all-users")["offers"]
    assert {change["user"] for change in changes} == {"ada"}
    (change,) = changes
    assert change["offered_before"] and change["offered_after"]
    assert len(change["gained"]) == len(change["lost"]) > 0
    assert all("240 minutes" in offer for offer in change["gained"])


def test_a_profile_that_is_gone_disappears_for_those_who_had_it(repository: Path) -> None:
    shutil.copytree(repository / "profiles", repository / "live")
    shutil.copy(repository / "profiles" / f"{SLUG}.yaml", repository / "live" / "agrifood" / "older.yaml")
    result = run("diff", "--against", str(repository / "live"), "--user", "ada", "--user", "bruno")
    lines = squeezed(result)
    assert "profile agrifood/older was there" in lines
    assert any(line.startswith("ada agrifood/older disappears: ") for line in lines)
    assert "bruno" not in result.stdout


def test_a_profile_that_is_new_appears_for_those_of_its_sector(repository: Path) -> None:
    folder = repository / "profiles"
    shutil.copy(folder / f"{SLUG}.yaml", folder / "cybersecurity" / "images.yaml")
    changes = told("diff", "--all-users")
    assert {"what": "profile cybersecurity/images", "field": "", "before": "", "after": "is new"} in changes["files"]
    assert [change["user"] for change in changes["offers"]] == ["bruno"]


def test_a_change_of_words_changes_nobodys_offers(repository: Path) -> None:
    edit(repository / "profiles" / "sectors.yaml", "en: Agri-food", "en: Food")
    result = run("diff", "--all-users")
    assert "Nobody's offers change." in result.stdout
    assert "sector agrifood title.en Agri-food Food" in squeezed(result)


def test_the_site_file_is_compared_too(repository: Path) -> None:
    edit(repository / "site.yaml", "session_limit: 3", "session_limit: 5")
    assert told("diff")["files"] == [{"what": "site", "field": "session_limit", "before": "3", "after": "5"}]


def test_a_folder_can_be_compared_with(site: Path) -> None:
    shutil.copytree(site / "profiles", site / "live")
    edit(site / "profiles" / f"{SLUG}.yaml", "max_minutes: 720", "max_minutes: 240")
    assert [change["after"] for change in told("diff", "--against", str(site / "live"))["files"]] == ["240"]


def test_an_older_commit_can_be_compared_with(repository: Path) -> None:
    profile = repository / "profiles" / f"{SLUG}.yaml"
    edit(profile, "max_minutes: 720", "max_minutes: 240")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(repository)]
    subprocess.run([*git, "commit", "-q", "-a", "-m", "shorter"], check=True)
    assert told("diff")["files"] == []
    assert [change["before"] for change in told("diff", "--against", "HEAD~1")["files"]] == ["720"]


def test_the_repository_stays_as_it_is(repository: Path) -> None:
    edit(repository / "profiles" / f"{SLUG}.yaml", "max_minutes: 720", "max_minutes: 240")
    status = ["git", "-C", str(repository), "status", "--porcelain", "--", "profiles"]
    before = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    told("diff")
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == before


@pytest.mark.parametrize("against", ["no-such-branch", "--output=x", "HEAD:nowhere", ""])
def test_what_cannot_be_compared_with_is_named(repository: Path, against: str) -> None:
    result = run("diff", f"--against={against}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "possible: " in result.stderr and "HEAD" in result.stderr


def test_a_mistake_in_the_older_files_is_told_with_their_revision(repository: Path) -> None:
    profile = repository / "profiles" / f"{SLUG}.yaml"
    good = profile.read_text()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(repository)]
    profile.write_text("{}")
    subprocess.run([*git, "commit", "-q", "-a", "-m", "broken"], check=True)
    profile.write_text(good)
    result = run("diff")
    assert result.exit_code == 1
    assert f"HEAD: profiles/{SLUG}.yaml:1: title: is missing" in result.stderr


# at a terminal and in a pipe


def test_in_a_pipe_a_row_is_one_line_without_colour(tmp_path: Path) -> None:
    """Whatever the width of the terminal was: the program itself is run, its output goes into a pipe."""
    shutil.copytree(DATA / "small", tmp_path / "site")
    shutil.copytree(DATA / "small" / "profiles", tmp_path / "before")
    edit(
        tmp_path / "site/profiles/agrifood/vineyards.yaml",
        "from drone images.",
        "from drone images " + "and more " * 20,
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "profiles", "diff", "--against", str(tmp_path / "before")],
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", "HPCHUB_SITE": str(tmp_path / "site/site.yaml")},
        capture_output=True,
        text=True,
        check=True,
    )
    head, row = done.stdout.splitlines()
    assert head.split() == ["What", "Field", "Before", "After"]
    assert row.startswith("profile agrifood/vineyards  description.en")
    assert len(row) > 200 and "\x1b" not in done.stdout and "…" in row


# completion


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hpchub profiles explain agrifood/", ["agrifood/remote-sensing"]),
        ("hpchub profiles render --user ad", ["ada", "admin"]),
        ("hpchub profiles render --cluster ", ["leonardo", "it4lia"]),
        ("hpchub profiles li", ["lint"]),
    ],
)
def test_the_shell_completes_names_of_the_files(site: Path, words: str, expected: list[str]) -> None:
    environment = {
        "_HPCHUB_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(app, env=environment, prog_name="hpchub")
    assert [word for word in expected if word not in result.stdout.split()] == []


def test_a_shell_gets_no_traceback_where_the_files_are_broken(site: Path) -> None:
    (site / "profiles" / "sectors.yaml").write_text("[")
    words = "hpchub profiles explain agri"
    environment = {"_HPCHUB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    assert CliRunner().invoke(app, env=environment, prog_name="hpchub").stdout.strip() == ""
