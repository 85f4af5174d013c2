"""What prepares an event's files in its job: folders that people share, notes, links; without nbgitpuller, which the
ring `events` runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest

from hpchub.jobs import prepare
from hpchub.jobs.files import EventFiles, facts

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work" / "tra26_hack").mkdir(parents=True)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return home


def told(home: Path, **changes: Any) -> dict[str, Any]:
    """What the program is told, for somebody who is a trainer and in a team."""
    files = {"work": str(home.parent / "work" / "tra26_hack"), "team": "blu", "trainers": (ME,), **changes}
    return dict(json.loads(facts(EventFiles.model_validate(files), "gpu-school")))


def prepared(given: dict[str, Any]) -> tuple[dict[str, str | None], str]:
    """Run it; give what failed, and what JupyterLab is to open."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        prepare.main(given)
    troubles: dict[str, str | None] = {}
    opens = ""
    for line in said.getvalue().splitlines():
        news = json.loads(line)
        troubles.update(news.get("troubles", {}))
        opens = news.get("open", opens)
    return troubles, opens


def event_of(home: Path) -> Path:
    return home.parent / "work" / "tra26_hack" / "events" / "gpu-school"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_trainer_makes_all_folders(home: Path) -> None:
    assert prepared(told(home)) == ({}, "events/gpu-school")
    shared, blu = event_of(home) / "shared", event_of(home) / "teams" / "blu"
    assert mode(event_of(home)) == mode(event_of(home).parent) == mode(event_of(home) / "teams") == 0o3770
    assert stat.S_ISGID & mode(shared) and stat.S_ISGID & mode(blu)
    assert mode(shared) & 0o007 == mode(blu) & 0o007 == 0
    assert mode(blu) & 0o070 == 0o070
    links = {path.name: path.readlink() for path in (home / "events" / "gpu-school").iterdir()}
    assert links == {"shared": shared, "team": blu, "teams": event_of(home) / "teams"}
    assert prepared(told(home)) == ({}, "events/gpu-school")


def test_a_folder_that_a_job_left_private_is_finished_by_the_next(home: Path) -> None:
    for path in (event_of(home).parent, event_of(home), event_of(home) / "shared", event_of(home) / "teams"):
        path.mkdir()
        path.chmod(0o2700)
    assert prepared(told(home))[0] == {}
    assert mode(event_of(home)) == mode(event_of(home).parent) == mode(event_of(home) / "teams") == 0o3770
    assert mode(event_of(home) / "shared") & 0o070


def test_a_folder_that_somebody_else_is_making_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, waits = home / "made", []
    folder.mkdir(0o700)

    def finish(seconds: float) -> None:
        waits.append(seconds)
        folder.chmod(0o3770)

    monkeypatch.setattr("hpchub.jobs.prepare.time.sleep", finish)
    monkeypatch.setattr("hpchub.jobs.prepare.os.getuid", lambda: os.geteuid() + 1)
    assert not prepare.make(str(folder), 0o2770, folder.stat().st_gid)
    assert len(waits) == 1 and mode(folder) == 0o3770
    folder.chmod(0o700)
    monkeypatch.setattr(prepare, "OTHERS_SECONDS", 0)
    assert not prepare.make(str(folder), 0o2770, folder.stat().st_gid)
    assert mode(folder) == 0o700, "it is not ours to open"


def test_files_of_a_team_are_the_whole_teams(home: Path) -> None:
    prepared(told(home))
    folder = event_of(home) / "teams" / "blu"
    assert "system.posix_acl_default" in os.listxattr(folder), "this test needs a disk with access lists"
    before = os.umask(0o077)
    try:
        (home / "events" / "gpu-school" / "team" / "results.csv").touch()
    finally:
        os.umask(before)
    assert mode(event_of(home) / "teams" / "blu" / "results.csv") & 0o060 == 0o060


def test_before_a_trainer_came_there_is_no_shared_folder(home: Path) -> None:
    assert prepared(told(home, trainers=("nobody",)))[0] == {}
    assert not (event_of(home) / "shared").exists()
    assert sorted(path.name for path in (home / "events" / "gpu-school").iterdir()) == ["team"]


def test_a_shared_folder_of_somebody_else_is_not_trusted(home: Path) -> None:
    (event_of(home) / "shared").mkdir(parents=True)
    troubles, _ = prepared(told(home, trainers=("nobody",)))
    assert str(troubles["shared"]).endswith(f"was made by {ME}, who is no trainer")
    assert not (home / "events" / "gpu-school" / "shared").is_symlink()


def test_a_link_in_its_place_is_not_followed(home: Path) -> None:
    event_of(home).mkdir(parents=True)
    (event_of(home) / "shared").symlink_to(home)
    (event_of(home) / "teams").mkdir()
    (event_of(home) / "teams" / "blu").symlink_to(home)
    troubles, _ = prepared(told(home))
    assert set(troubles) == {"shared", "team"}
    assert sorted(path.name for path in (home / "events" / "gpu-school").iterdir()) == ["teams"]


def test_who_moves_to_another_team_gets_its_folder(home: Path) -> None:
    prepared(told(home))
    prepared(told(home, team="rosso"))
    own = home / "events" / "gpu-school" / "team"
    assert own.readlink() == event_of(home) / "teams" / "rosso"
    prepared(told(home, team=None))
    assert not own.is_symlink()


def test_what_the_person_put_there_stays(home: Path) -> None:
    own = home / "events" / "gpu-school" / "team"
    own.mkdir(parents=True)
    assert prepared(told(home))[0] == {"team": f"{own} is in the way"}
    assert own.is_dir() and not own.is_symlink()


def test_an_account_may_be_written_in_other_cases(home: Path) -> None:
    (home.parent / "work" / "tra26_hack").rename(home.parent / "work" / "TRA26_Hack")
    assert prepared(told(home))[0] == {}
    assert (home / "events" / "gpu-school" / "team").is_dir()


def test_a_missing_place_is_named_and_stops_nothing(home: Path) -> None:
    troubles, opens = prepared(told(home, work="/nowhere/tra26_hack"))
    assert troubles == {"shared": "there is no /nowhere/tra26_hack", "team": "there is no /nowhere/tra26_hack"}
    assert opens == "events/gpu-school"


def test_a_home_that_cannot_be_written_is_named(home: Path) -> None:
    (home / "events").write_text("a file")
    troubles, opens = prepared(told(home))
    assert set(troubles) == {"home"} and opens == ""


def test_an_environment_without_nbgitpuller_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    given = told(home, work=None, material={"repository": "/nowhere/course.git"})
    assert prepared(given) == ({"late": None, "tool": "nbgitpuller"}, "events/gpu-school")
    note = (home / "events" / "gpu-school" / prepare.NOTE).read_text()
    assert "the environment has no nbgitpuller." in note and "nell'ambiente manca nbgitpuller." in note


def test_half_a_clone_is_never_in_the_way(tmp_path: Path) -> None:
    left, busy = tmp_path / ".course.old", tmp_path / ".course.new"
    left.mkdir()
    busy.mkdir()
    os.utime(left, (0, 0))

    def fails(into: str) -> tuple[int, str]:
        Path(into).mkdir()
        return 1, "no"

    def works(into: str) -> tuple[int, str]:
        Path(into).mkdir()
        (Path(into) / "a.ipynb").touch()
        return 0, "yes"

    assert prepare.cloned(fails, str(tmp_path / "course")) == (1, "no")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".course.new"]
    assert prepare.cloned(works, str(tmp_path / "course")) == (0, "yes")
    assert prepare.cloned(works, str(tmp_path / "course")) == (0, "yes")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".course.new", "course"]


def test_git_fetches_nothing_that_only_the_owner_of_a_repository_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments: list[dict[str, str]] = []

    def fails(command: list[str], folder: str, environment: dict[str, str]) -> tuple[int, str]:
        environments.append(environment)
        return 1, "fatal: no"

    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(prepare, "run", fails)
    prepared(told(home, work=None, material={"repository": "/nowhere/course.git"}))
    assert [each["GIT_NO_LAZY_FETCH"] for each in environments] == ["1", "1"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("$ git clone\nfatal: repository '/x' does not exist\n\n", "fatal: repository '/x' does not exist"),
        ("error: one\nfatal: two\n", "error: one"),
        ("Traceback\nOSError: full\n\n", "OSError: full"),
        ("", ""),
    ],
)
def test_the_line_that_says_why_is_found(said: str, why: str) -> None:
    assert prepare.reason(said) == why


def test_git_trusts_the_repository_of_the_trainer_and_no_other() -> None:
    assert prepare.git_settings("file:///w/c.git") == "[safe]\ndirectory = /w/c.git\ndirectory = /w/c.git/.git\n"
    assert prepare.git_settings("https://git.example.org/c.git") == "[safe]\n"
