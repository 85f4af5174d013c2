"""Builds: from a lock alone, switched in one step, readable by every user.  One tiny local wheel, no network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from uv import find_uv_bin

from hpchub.catalogue.model import Catalogue
from hpchub.cli import app
from hpchub.environments import make
from hpchub.environments.build import PYTHON, BuildError, build, environment_path
from hpchub.environments.builds import Build, builds_below, find, remove, switch, verify, why_not_remove
from hpchub.errors import CatalogueError
from hpchub.slurm.model import ClusterView, JobState
from tests.support import tiny
from tests.support.tiny import TARGET, lock, python_minor
from tests.unit.data.job_request import JOB, request
from tests.unit.data.world import LEONARDO, VIEWS, demo_site_text, with_cluster

UV = Path(find_uv_bin())


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue folder with one environment, and a uv that does without the network."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "profiles"
    tiny.declare(folder)
    lock(folder)
    return folder


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two builds, the second of which is current; each test that does not build gets a copy."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_OFFLINE", "1")
        patch.setenv("UV_CACHE_DIR", str(folder / "cache"))
        tiny.declare(folder / "profiles")
        for version in ("1.0", "2.0"):
            lock(folder / "profiles", version)
            build(folder / "profiles", "tiny", TARGET, folder / "root", UV)
    return folder / "root"


def change(catalogue: Path, old: str, new: str) -> None:
    """Change the declaration of the environment."""
    path = catalogue / "environments" / "tiny" / "environment.yaml"
    path.write_text(path.read_text().replace(old, new))


def says(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_build_runs_from_its_final_place(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert current == environment_path(tmp_path / "root", "tiny", TARGET)
    assert says([f"{current}/bin/tiny"]) == "tiny 1.0"
    assert says([f"{current}/bin/python", "-c", "import tiny; tiny.main()"]) == "tiny 1.0"


def test_no_script_of_a_build_names_the_folder_it_was_made_in(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert [
        path for path in (current / "bin").iterdir() if not path.is_symlink() and b".build-" in path.read_bytes()
    ] == []


def test_a_build_is_compiled(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert list(current.glob("lib/python3*/site-packages/__pycache__/tiny.*.pyc"))


def test_builds_share_the_bytecode_of_the_files_that_they_share(catalogue: Path, tmp_path: Path) -> None:
    environments = catalogue / "environments"
    shutil.copytree(environments / "tiny", environments / "twin")
    with (environments / "twin" / f"{TARGET}.txt").open("a") as lock:
        lock.write("# another lock, and so another build\n")
    one, other = (build(catalogue, name, TARGET, tmp_path / "root", UV) for name in ("tiny", "twin"))
    assert one.resolve().name != other.resolve().name
    (bytecode,) = one.glob("lib/python3*/site-packages/__pycache__/tiny.*.pyc")
    assert bytecode.samefile(other / bytecode.relative_to(one))
    assert import_of(other) == str(other / bytecode.relative_to(one).parents[1] / "tiny.py")


def import_of(build: Path) -> str:
    """Where a build's Python says that the code of `tiny` stands."""
    program = "import tiny; print(next(f.__code__.co_filename for f in vars(tiny).values() if hasattr(f, '__code__')))"
    done = subprocess.run([build / "bin" / "python", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_user_can_read_a_build_whatever_the_umask(catalogue: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    paths = [tmp_path / "root", *(tmp_path / "root").rglob("*")]
    closed = [path for path in paths if not path.is_symlink() and not path.stat().st_mode & stat.S_IROTH]
    assert closed == []


def test_the_same_lock_is_built_once(catalogue: Path, tmp_path: Path) -> None:
    first = build(catalogue, "tiny", TARGET, tmp_path / "root", UV).resolve()
    times = first.stat().st_mtime_ns
    again = build(catalogue, "tiny", TARGET, tmp_path / "root", tmp_path / "no-uv-is-needed").resolve()
    assert (again, again.stat().st_mtime_ns) == (first, times)


def test_a_new_lock_is_switched_to_and_the_old_build_stays(catalogue: Path, tmp_path: Path) -> None:
    old = build(catalogue, "tiny", TARGET, tmp_path / "root", UV).resolve()
    lock(catalogue, "2.0")
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert says([f"{current}/bin/tiny"]) == "tiny 2.0"
    assert says([f"{old}/bin/tiny"]) == "tiny 1.0"
    assert sorted(path.name for path in current.parent.iterdir()) == sorted(
        [old.name, current.resolve().name, "current"]
    )


def test_a_package_that_is_not_the_locked_one_changes_nothing(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    before = current.resolve()
    lock(catalogue, "2.0", digest="0" * 64)
    with pytest.raises(BuildError, match=r"(?i)hash mismatch"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert current.resolve() == before
    assert sorted(path.name for path in current.parent.iterdir()) == sorted([before.name, "current"])


def test_a_package_without_a_hash_is_refused(catalogue: Path, tmp_path: Path) -> None:
    path = catalogue / "environments" / "tiny" / f"{TARGET}.txt"
    path.write_text(path.read_text().partition(" --hash")[0])
    with pytest.raises(BuildError, match="hash"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)


def test_unknown_names_say_what_is_possible(catalogue: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no environment 'huge'; possible: tiny"):
        build(catalogue, "huge", TARGET, tmp_path, UV)
    with pytest.raises(CatalogueError, match=f"no lock for target 'x'; possible: {TARGET}"):
        build(catalogue, "tiny", "x", tmp_path, UV)


def test_another_architecture_is_refused(catalogue: Path, tmp_path: Path) -> None:
    folder = catalogue / "environments" / "tiny"
    (folder / f"{TARGET}.txt").rename(folder / "riscv64-demo.txt")
    with pytest.raises(BuildError, match="must be built on riscv64; this machine is"):
        build(catalogue, "tiny", "riscv64-demo", tmp_path, UV)


def test_a_python_that_other_users_cannot_run_is_refused(catalogue: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    python = private / "python"
    python.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(BuildError, match=r"not every user can execute .* because of the mode of"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV, python)


def test_another_python_than_the_locked_one_is_refused(catalogue: Path, tmp_path: Path) -> None:
    declared = catalogue / "environments" / "tiny" / "environment.yaml"
    declared.write_text(declared.read_text().replace(python_minor(), "3.99"))
    with pytest.raises(BuildError, match=r"and the environment was locked for 3\.99"):
        build(catalogue, "tiny", TARGET, tmp_path, UV)


def test_what_cannot_be_imported_is_never_switched_to(catalogue: Path, tmp_path: Path) -> None:
    before = build(catalogue, "tiny", TARGET, tmp_path / "root", UV).resolve()
    lock(catalogue, "2.0")
    change(catalogue, "imports: [tiny]", "imports: [tiny, huge]")
    with pytest.raises(BuildError, match="cannot import huge: ModuleNotFoundError: No module named 'huge'"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert environment_path(tmp_path / "root", "tiny", TARGET).resolve() == before
    assert sorted(path.name for path in before.parent.iterdir()) == sorted([before.name, "current"])


def test_a_build_without_a_notebook_server_is_refused(catalogue: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(make, "run", without_server(make.run))
    with pytest.raises(BuildError, match="it has no jupyterhub-singleuser: add jupyterhub to its requirements"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)


def without_server(run: Callable[..., str]) -> Callable[..., str]:
    """Run programs as usual, but lose the notebook server once uv has installed it."""

    def lossy(command: list[str], folder: str, *others: Any, **variables: str) -> str:
        said = run(command, folder, *others, **variables)
        if "sync" in command:
            (Path(command[command.index("--python") + 1]).parent / "jupyterhub-singleuser").unlink()
        return said

    return lossy


def test_a_build_says_what_it_was_made_from(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    manifest = json.loads((current / "hpchub-build.json").read_text())
    text = (catalogue / "environments" / "tiny" / f"{TARGET}.txt").read_bytes()
    assert (manifest["environment"], manifest["target"], manifest["imports"]) == ("tiny", TARGET, ["tiny"])
    assert manifest["lock_sha256"] == hashlib.sha256(text).hexdigest()
    assert manifest["python"].startswith(f"{python_minor()}.")
    assert manifest["made_by"].startswith("hpchub ") and manifest["uv"][0].isdigit()
    assert (
        subprocess.run(["sha256sum", "--check", "--quiet", "hpchub-files.sha256"], cwd=current, check=False).returncode
        == 0
    )


def test_steps_that_take_time_are_told(catalogue: Path, tmp_path: Path) -> None:
    told: list[str] = []
    build(catalogue, "tiny", TARGET, tmp_path / "root", UV, tell=told.append)
    assert told == ["installing 1 packages", "checking 1 imports and the notebook server", "writing down every file"]


def a_build(catalogue: Path, root: Path) -> Build:
    """Build, and give it as the tool sees it."""
    build(catalogue, "tiny", TARGET, root, UV)
    (found,) = [each for each in builds_below(root) if each.current]
    return found


@pytest.fixture
def current_build(made_once: Path, tmp_path: Path) -> Build:
    """The current one of two builds."""
    shutil.copytree(made_once, tmp_path / "root", symlinks=True)
    (found,) = [each for each in builds_below(tmp_path / "root") if each.current]
    return found


@pytest.fixture
def old_build(current_build: Build) -> Build:
    """A build that was current until some minutes ago."""
    (old,) = [each for each in builds_below(current_build.folder.parents[2]) if not each.current]
    long_ago(old)
    return old


def test_a_sound_build_has_no_problems(current_build: Build) -> None:
    assert verify(current_build) == []


SPOILS: list[tuple[str, Callable[[Path], object], str]] = [
    ("changed", lambda site: (site / "tiny.py").write_text("def main(): ...\n"), "tiny.py has changed"),
    ("missing", lambda site: (site / "tiny.py").unlink(), "tiny.py is missing"),
    ("unimportable", lambda site: (site / "tiny.py").unlink(), "cannot import tiny: ModuleNotFoundError"),
    ("added", lambda site: (site / "evil.pth").write_text(""), "evil.pth was not there when it was made"),
    ("closed", lambda site: (site / "tiny.py").chmod(0o600), "tiny.py cannot be read by every user"),
    ("list", lambda site: (site.parents[2] / "hpchub-files.sha256").write_text(""), "is not the list that was made"),
    ("manifest", lambda site: (site.parents[2] / "hpchub-build.json").unlink(), "there is no hpchub-build.json"),
    (
        "server",
        lambda site: (site.parents[2] / "bin/jupyterhub-singleuser").unlink(),
        "it has no jupyterhub-singleuser",
    ),
    ("python", lambda site: (site.parents[2] / "bin/python").unlink(), "bin/python is missing"),
]


@pytest.mark.parametrize(("spoil", "sentence"), [row[1:] for row in SPOILS], ids=[row[0] for row in SPOILS])
def test_what_is_wrong_with_a_build_is_said(
    spoil: Callable[[Path], object], sentence: str, current_build: Build
) -> None:
    spoil(next(current_build.folder.glob("lib/python3*/site-packages")))
    again = find(current_build.folder.parents[2], "tiny", TARGET, current_build.id)
    assert [problem for problem in verify(again) if sentence in problem]


def test_a_switch_back_gives_new_sessions_the_older_build(
    current_build: Build, old_build: Build, tmp_path: Path
) -> None:
    new, old = current_build, old_build
    switch(find(tmp_path / "root", "tiny", TARGET, old.id))
    assert says([f"{environment_path(tmp_path / 'root', 'tiny', TARGET)}/bin/tiny"]) == "tiny 1.0"
    assert [each.current for each in builds_below(tmp_path / "root")] == [
        each == old.id for each in sorted([old.id, new.id])
    ]


def test_a_build_that_is_not_there_says_which_ones_are(current_build: Build, old_build: Build, tmp_path: Path) -> None:
    both = ", ".join(sorted([current_build.id, old_build.id]))
    with pytest.raises(BuildError, match=f"there is no build '123456'; possible: {both}"):
        find(tmp_path / "root", "tiny", TARGET, "123456")


def test_what_was_not_made_whole_is_not_switched_to(current_build: Build, tmp_path: Path) -> None:
    (current_build.folder.parent / "half").mkdir()
    with pytest.raises(BuildError, match=r"half has no hpchub-build\.json"):
        switch(find(tmp_path / "root", "tiny", TARGET, "half"))


def long_ago(build: Build) -> None:
    """Let the last switch be some minutes ago."""
    minutes_ago = time.time() - 600
    os.utime(build.folder.parent / "current", (minutes_ago, minutes_ago), follow_symlinks=False)


def site_for(target: str = TARGET) -> Catalogue:
    """The demo's catalogue, with leonardo alone for the target of these builds."""
    return with_cluster("leonardo", software_target=target)


def running(build: str, state: JobState = JobState.RUNNING) -> dict[str, ClusterView]:
    """What leonardo says while ada's job with a build runs there."""
    job = replace(JOB, state=state, comment=request(build=build).comment)
    return {**VIEWS, "leonardo": replace(LEONARDO, jobs={job.job_id: job})}


def test_a_build_that_nobody_uses_is_removed(old_build: Build) -> None:
    remove(old_build, site_for(), VIEWS)
    assert sorted(path.name for path in old_build.folder.parent.iterdir()) == sorted(
        [os.readlink(old_build.folder.parent / "current"), "current"]
    )


def test_the_current_build_is_not_removed(old_build: Build) -> None:
    (current,) = [each for each in builds_below(old_build.folder.parents[2]) if each.current]
    with pytest.raises(BuildError, match="it is the current one; switch to another one first"):
        remove(current, site_for(), VIEWS)
    assert current.folder.is_dir()


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.ENDING, JobState.UNKNOWN])
def test_a_build_that_a_job_uses_is_not_removed(old_build: Build, state: JobState) -> None:
    with pytest.raises(BuildError, match="1 jobs use it: 17 of ada on leonardo"):
        remove(old_build, site_for(), running(old_build.name, state))
    assert old_build.folder.is_dir()


def test_a_job_that_takes_what_is_current_at_its_start_keeps_every_build(old_build: Build) -> None:
    with pytest.raises(BuildError, match="1 jobs use it"):
        remove(old_build, site_for(), running(f"tiny/{TARGET}/current"))


@pytest.mark.parametrize("build", ["", "other/x86_64-demo/0123456789ab"])
def test_jobs_with_other_software_keep_no_build(old_build: Build, build: str) -> None:
    assert why_not_remove(old_build, site_for(), running(build)) is None


def test_a_job_that_has_ended_keeps_no_build(old_build: Build) -> None:
    assert why_not_remove(old_build, site_for(), running(old_build.name, JobState.ENDED)) is None


def test_a_cluster_that_does_not_answer_keeps_its_builds(old_build: Build) -> None:
    silent = {**VIEWS, "leonardo": ClusterView("leonardo")}
    sentence = "leonardo does not answer, so nobody knows whether a job there uses it"
    assert why_not_remove(old_build, site_for(), silent) == sentence
    assert why_not_remove(old_build, with_target_nowhere(), silent) is None


def with_target_nowhere() -> Catalogue:
    """The demo's catalogue, where no cluster has the target of these builds."""
    catalogue = site_for("riscv64-demo")
    clusters = {
        name: each.model_copy(update={"software_target": "riscv64-demo"})
        for name, each in catalogue.site.clusters.items()
    }
    return replace(catalogue, site=catalogue.site.model_copy(update={"clusters": clusters}))


def test_a_start_that_is_under_way_keeps_the_build_before_the_switch(old_build: Build) -> None:
    switch(old_build)
    (other,) = [each for each in builds_below(old_build.folder.parents[2]) if each.id != old_build.id]
    assert "builds were switched a moment ago" in str(why_not_remove(other, site_for(), VIEWS))


def test_a_process_of_this_machine_keeps_its_build(old_build: Build) -> None:
    with subprocess.Popen([f"{old_build.folder}/bin/python", "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            assert str(process.pid) in str(why_not_remove(old_build, site_for(), VIEWS))
        finally:
            process.communicate()
    assert why_not_remove(old_build, site_for(), VIEWS) is None


def site_file(catalogue: Path, folder: Path) -> Path:
    """A site with this catalogue and one profile for the environment."""
    tiny.offer(catalogue)
    site = folder / "site.yaml"
    site.write_text(tiny.site_text(demo_site_text(str(folder))))
    return site


def test_the_command_builds_and_fails_with_a_sentence(catalogue: Path, tmp_path: Path) -> None:
    command = ["environments", "build", "tiny", "--site", str(site_file(catalogue, tmp_path)), "--target"]
    result = CliRunner().invoke(app, [*command, TARGET])
    assert (result.exit_code, result.output) == (0, f"{tmp_path}/environments/tiny/{TARGET}/current\n")
    result = CliRunner().invoke(app, [*command, "x"])
    assert (result.exit_code, result.output) == (
        1,
        f"{catalogue}/environments/tiny: no lock for target 'x'; possible: {TARGET}\n",
    )


def test_the_commands_show_verify_and_switch_builds(catalogue: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("hpchub.cli.environments.look_once", lambda site: running(f"tiny/{TARGET}/current"))
    root = tmp_path / "environments"
    old = a_build(catalogue, root)
    lock(catalogue, "2.0")
    new = a_build(catalogue, root)
    site = ["--site", str(site_file(catalogue, tmp_path))]

    def run(*words: str) -> Any:
        result = CliRunner().invoke(app, ["environments", *words, *site])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in words else result.stdout

    rows = {row["build"]: row for row in run("list", "--json")}
    assert [(rows[each.id]["current"], rows[each.id]["of_the_lock_of_now"]) for each in (old, new)] == [
        (False, False),
        (True, True),
    ]
    assert [row["jobs"] for row in rows.values()] == [1, 1]
    assert run("verify", "tiny", "--json") == [{"build": name, "problems": []} for name in sorted([old.name, new.name])]
    assert run("switch", "tiny", "--target", TARGET, "--build", old.id) == f"{old.folder}\n"
    assert [row["build"] for row in run("list", "--json") if row["current"]] == [old.id]
    assert old.id in run("list")


def test_verify_fails_where_a_build_is_wrong(catalogue: Path, tmp_path: Path) -> None:
    spoiled = a_build(catalogue, tmp_path / "environments")
    (spoiled.folder / "bin" / "tiny").unlink()
    result = CliRunner().invoke(app, ["environments", "verify", "--site", str(site_file(catalogue, tmp_path))])
    assert result.exit_code == 1
    assert "bin/tiny is missing" in result.stdout
