"""``hpchub-wipe``: a home is empty afterwards but for its skeleton, and nothing outside it was touched."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpchub.jobs import hpchub_launch, hpchub_wipe
from hpchub.jobs.hpchub_wipe import Kept, check_no_processes, some, wipe
from tests.support.wait import until

PROGRAM = Path(str(hpchub_wipe.__file__))
ACCOUNT = 54_321
"""A user id that no account has: nothing else runs as it."""
ACCESS_LIST = struct.pack(
    "<I" + 5 * "HHI", 2, *(1, 7, 2**32 - 1), *(2, 7, 1000), *(4, 7, 2**32 - 1), *(16, 7, 2**32 - 1), *(32, 0, 2**32 - 1)
)
"""As acl(5) has it in an attribute (posix_acl_xattr.h): the owner, user 1000, the group, the mask and others."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as an account")


@pytest.fixture
def skeleton(tmp_path: Path) -> str:
    """What a new home has."""
    (tmp_path / "skel" / ".config").mkdir(parents=True)
    (tmp_path / "skel" / ".bashrc").write_text("# bash\n")
    (tmp_path / "skel" / ".config" / "link").symlink_to("nowhere")
    return str(tmp_path / "skel")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and the program stands in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


FRESH = [".bashrc", ".config", ".config/link"]


def test_a_home_is_as_new_afterwards(home: Path, skeleton: str) -> None:
    (home / "work" / "data").mkdir(parents=True)
    (home / "work" / "data" / "result.csv").write_text("1")
    (home / ".bashrc").write_text("alias ls='rm -r'")
    (home / ".config").write_text("a file, where the skeleton has a folder")
    os.mkfifo(home / "pipe")
    wipe(skeleton)
    assert names(home) == FRESH
    assert (home / ".bashrc").read_text() == "# bash\n"
    assert os.readlink(home / ".config" / "link") == "nowhere"


def test_a_link_goes_and_what_it_leads_to_stays(home: Path, tmp_path: Path, skeleton: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o750)
    (elsewhere / "precious").write_text("kept")
    (elsewhere / "precious").chmod(0o400)
    (home / "folder").symlink_to(elsewhere)
    (home / "file").symlink_to(elsewhere / "precious")
    (home / "deep").mkdir()
    (home / "deep" / "up").symlink_to("/")
    os.link(elsewhere / "precious", home / "deep" / "hard")
    wipe(skeleton)
    assert names(home) == FRESH
    assert (elsewhere / "precious").read_text() == "kept"
    assert stat.S_IMODE((elsewhere / "precious").stat().st_mode) == 0o400
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o750
    assert (elsewhere / "precious").stat().st_nlink == 1


def test_ten_thousand_files_and_names_that_nobody_types(home: Path, skeleton: str) -> None:
    for folder in range(100):
        (home / f"{folder}").mkdir()
        for file in range(100):
            (home / f"{folder}" / f"{file}").touch()
    for name in (b"-rf", b"\xff\xfe", b"new\nline", b" ", b"a" * 255, b"*", "é".encode()):
        os.mkdir(bytes(home) + b"/" + name)
        Path(os.fsdecode(bytes(home) + b"/" + name), "inside").touch()
    wipe(skeleton)
    assert names(home) == FRESH


def test_folders_that_are_deeper_than_any_path_may_be_long(home: Path, skeleton: str) -> None:
    place = os.open(".", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deeper", dir_fd=place)
        below = os.open("deeper", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    wipe(skeleton)
    assert names(home) == FRESH


def test_nothing_is_removed_while_something_is_mounted_below(
    home: Path, skeleton: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setattr(hpchub_wipe, "mount_points", lambda: iter(["/", f"{home}x", f"{home}/archive"]))
    with pytest.raises(Kept, match=f"other file systems are mounted in the home: {home}/archive$"):
        wipe(skeleton)
    assert names(home) == ["file"]


def test_mounts_are_read_as_the_kernel_writes_them() -> None:
    assert {"/", "/proc"} <= set(hpchub_wipe.mount_points())


@pytest.mark.parametrize("place", ["/", "/proc/self"])
def test_only_a_home_of_one_s_own_is_emptied(place: str, skeleton: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(os, "getuid", lambda: os.stat(place).st_uid + (place != "/"))
    with pytest.raises(Kept, match="is not a home of this account's own"):
        wipe(skeleton)


def test_a_home_without_a_skeleton_is_empty(home: Path, tmp_path: Path) -> None:
    (home / "file").touch()
    wipe(str(tmp_path / "no-skeleton"))
    assert names(home) == []


def test_a_long_list_is_cut() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some([str(number) for number in range(1, 9)]) == "1, 2, 3, 4, 5 and 3 more"


# As an account, as the launcher runs it


@pytest.fixture
def account() -> Iterator[Path]:
    """A folder that an account may walk through, with the program, its policy, and a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix="hpchub-wipe-test-"))
    folder.chmod(0o755)
    program = folder / "hpchub-wipe"
    shutil.copyfile(PROGRAM, program)
    program.chmod(0o755)
    (folder / "squeue").write_text('#!/bin/sh\necho "CLUSTER: $SLURM_CONF$*"\ncat "$(dirname "$0")/jobs"\n')
    (folder / "squeue").chmod(0o755)
    (folder / "jobs").touch()
    policy = {"clusters": ["leonardo", "it4lia"], "commands": {"squeue": str(folder / "squeue")}}
    (folder / "hpchub-launch.json").write_text(json.dumps(policy))
    (folder / "home").mkdir()
    os.chown(folder / "home", ACCOUNT, ACCOUNT)
    yield folder
    shutil.rmtree(folder)


def wiped(folder: Path, user: int = ACCOUNT) -> subprocess.CompletedProcess[str]:
    """Run the program as the launcher does: with the account's rights, in its home."""
    return subprocess.run(
        [folder / "hpchub-wipe"],
        cwd=folder / "home",
        env={},
        user=user,
        group=user,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def as_account(folder: Path, script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sh", "-c", script], cwd=folder / "home", user=ACCOUNT, group=ACCOUNT, env={})


@as_root
def test_folders_that_nobody_may_read_go_too(account: Path) -> None:
    script = "mkdir -p a/b/c && touch a/b/c/file && chmod 000 a/b/c a/b a && chmod 500 ."
    assert as_account(account, script).wait() == 0
    done = wiped(account)
    assert (done.returncode, done.stderr) == (0, "")
    skeleton = Path("/etc/skel")
    assert names(account / "home") == (names(skeleton) if skeleton.is_dir() else [])


@as_root
def test_what_somebody_else_put_there_is_told_and_the_rest_goes(account: Path) -> None:
    (account / "home" / "of-root").mkdir()
    (account / "home" / "of-root" / "file").touch()
    (account / "home" / "also-of-root").touch()
    assert as_account(account, "touch mine").wait() == 0
    done = wiped(account)
    assert (done.returncode, done.stderr) == (
        1,
        "not everything could be removed: of-root (Permission denied)\n",
    )
    assert names(account / "home") == ["of-root", "of-root/file"]


@as_root
def test_a_process_of_the_account_keeps_its_home(account: Path) -> None:
    process = as_account(account, "touch mine; exec sleep 600")
    try:
        until((account / "home" / "mine").exists, "the process to run")
        until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", "the process to sleep")
        done = wiped(account)
        assert (done.returncode, done.stderr) == (1, f"there are still processes: sleep ({process.pid})\n")
    finally:
        process.kill()
        process.wait()
    assert names(account / "home") == ["mine"]
    assert wiped(account).returncode == 0


@as_root
def test_a_job_of_the_account_keeps_its_home(account: Path) -> None:
    assert as_account(account, "touch mine").wait() == 0
    (account / "jobs").write_text("17\n18_[1-4]\n")
    done = wiped(account)
    assert (done.returncode, done.stderr) == (1, "there are still jobs on leonardo: 17, 18_[1-4]\n")
    assert names(account / "home") == ["mine"]


@as_root
@pytest.mark.parametrize(
    ("squeue", "sentence"),
    [
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
        ("exit 3", "nobody knows whether a job still runs on leonardo"),
    ],
)
def test_a_cluster_that_does_not_answer_keeps_the_home(account: Path, squeue: str, sentence: str) -> None:
    assert as_account(account, "touch mine").wait() == 0
    (account / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
    done = wiped(account)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert names(account / "home") == ["mine"]


@as_root
@pytest.mark.parametrize("job", ["123+0", "17_[1-4]", "something new"])
def test_whatever_squeue_names_is_a_job(account: Path, job: str) -> None:
    assert as_account(account, "touch mine").wait() == 0
    (account / "jobs").write_text(f"\n{job}\n")
    done = wiped(account)
    assert (done.returncode, done.stderr) == (1, f"there are still jobs on leonardo: {job}\n")
    assert names(account / "home") == ["mine"]


@as_root
def test_jobs_in_hidden_partitions_are_asked_for_too_and_each_by_its_own_number(account: Path) -> None:
    (account / "squeue").write_text('#!/bin/sh\nshift; echo "$*"\n')
    done = wiped(account)
    asked = f"--all --noheader --user={ACCOUNT} --format=%A"
    assert (done.returncode, done.stderr) == (1, f"there are still jobs on leonardo: {asked}\n")


@as_root
@pytest.mark.parametrize("mode", [0o2777, 0o1770, 0o777])
def test_nobody_else_may_enter_the_home_afterwards(account: Path, mode: int) -> None:
    (account / "home").chmod(mode)
    assert wiped(account).returncode == 0
    assert stat.S_IMODE((account / "home").stat().st_mode) == 0o700


@as_root
def test_what_the_home_allowed_by_access_lists_is_allowed_no_more(account: Path) -> None:
    for kind in ("access", "default"):
        os.setxattr(account / "home", f"system.posix_acl_{kind}", ACCESS_LIST)
    os.setxattr(account / "home", "user.note", b"hello")
    assert os.listxattr(account / "home")
    done = wiped(account)
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name in os.listxattr(account / "home") if not name.startswith("security.")] == []
    for each in (account / "home", *(account / "home").iterdir()):
        assert not any(name.startswith("system.") for name in os.listxattr(each, follow_symlinks=False))
    assert stat.S_IMODE((account / "home").stat().st_mode) == 0o700


LAUNCHING = """
import importlib.machinery, importlib.util, json, pwd, sys
loader = importlib.machinery.SourceFileLoader("launch", sys.argv[1])
launch = importlib.util.module_from_spec(importlib.util.spec_from_loader("launch", loader))
loader.exec_module(launch)
seat = pwd.struct_passwd(("seat01", "x", int(sys.argv[2]), int(sys.argv[2]), "", sys.argv[3], "/bin/bash"))
policy = {"clusters": ["leonardo"], "seats": ["seat01"], "commands": {"scancel": "/bin/true"}}
request = json.loads(sys.argv[4])
print(launch.VERBS[request.pop("verb")](request, seat, policy))
"""


def launched(folder: Path, **request: str) -> subprocess.CompletedProcess[str]:
    """Let the launcher carry out a request for the account, by what it does once it knows the user."""
    shutil.copyfile(str(hpchub_launch.__file__), folder / "hpchub-launch")
    argv = [sys.executable, "-c", LAUNCHING, str(folder / "hpchub-launch"), str(ACCOUNT), str(folder / "home")]
    return subprocess.run([*argv, json.dumps(request)], capture_output=True, text=True, check=False)


@as_root
@pytest.mark.parametrize("mode", [0o000, 0o100, 0o2070])
def test_a_home_that_is_closed_to_its_own_account_is_emptied_too(account: Path, mode: int) -> None:
    assert as_account(account, "touch mine").wait() == 0
    (account / "home").chmod(mode)
    done = launched(account, verb="wipe", cluster="leonardo")
    assert (done.stdout, done.stderr) == ("{}\n", "")
    assert "mine" not in names(account / "home")
    assert stat.S_IMODE((account / "home").stat().st_mode) == 0o700


@as_root
def test_a_closed_home_keeps_no_job_alive(account: Path) -> None:
    (account / "home").chmod(0o000)
    done = launched(account, verb="cancel", cluster="leonardo", job_id="17")
    assert (done.stdout, done.stderr) == ("{}\n", "")
    assert stat.S_IMODE((account / "home").stat().st_mode) == 0, "it stays the person's own to open"
    assert "cannot be entered" in launched(account, verb="log", cluster="leonardo", session="0" * 32).stderr


@as_root
def test_it_never_runs_as_root(account: Path) -> None:
    os.chown(account / "home", 0, 0)
    (account / "home" / "file").touch()
    done = wiped(account, user=0)
    assert (done.returncode, done.stderr) == (
        1,
        "this program is run with an account's own rights, never as root\n",
    )
    assert names(account / "home") == ["file"]


def test_a_policy_without_squeue_empties_nothing() -> None:
    with pytest.raises(Kept, match="names no squeue"):
        hpchub_wipe.check_no_jobs({"clusters": ["leonardo"], "commands": {}})


def test_whoever_started_it_is_no_process_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: ACCOUNT)
    check_no_processes()


def test_old_pythons_can_read_it() -> None:
    ast.parse(PROGRAM.read_text(), feature_version=(3, 9))


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text())
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
