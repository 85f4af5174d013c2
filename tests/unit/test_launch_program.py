"""The parts of ``hpchub-launch`` that need no root: what it takes from a request and what it refuses."""

from __future__ import annotations

import ast
import json
import os
import pwd
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from hpchub.jobs import bootstrap, hpchub_launch
from hpchub.jobs.hpchub_launch import Refused, answer_to, job_environment, target_user, text, way_to
from tests.support.wait import until

PROGRAMS = [Path(str(module.__file__)) for module in (hpchub_launch, bootstrap)]
POLICY: dict[str, Any] = {
    "group": "hpchub-people",
    "uid_min": 1000,
    "uid_max": 60_000,
    "clusters": ["leonardo", "it4lia"],
    "commands": {"sbatch": "/usr/bin/sbatch", "scancel": "/usr/bin/scancel"},
    "environment": {},
}
SECRET = "0123456789abcdef-token"
SESSION = "0123456789abcdef0123456789abcdef"
SUBMIT = {
    "verb": "submit",
    "user": "ada",
    "cluster": "leonardo",
    "session": SESSION,
    "script": "#!/bin/bash\ntrue\n",
    "environment": {"JUPYTERHUB_API_TOKEN": SECRET},
}
CANCEL = {"verb": "cancel", "user": "ada", "cluster": "leonardo", "job_id": "17"}
LOG = {"verb": "log", "user": "ada", "cluster": "leonardo", "session": SESSION}


@pytest.fixture
def ada(monkeypatch: pytest.MonkeyPatch) -> pwd.struct_passwd:
    """Ada is allowed, and acting as her is an error: nothing here may come so far.

    Looking her up and becoming her needs a real user and root; the ring ``hub`` does both.
    """
    entry = pwd.struct_passwd(("ada", "x", 1001, 1001, "", "/home/ada", "/bin/bash"))

    def never(user: pwd.struct_passwd, **_: bool) -> None:
        raise AssertionError(f"a request that must be refused acts as {user.pw_name}")

    monkeypatch.setattr(hpchub_launch, "target_user", lambda name, policy: entry)
    monkeypatch.setattr(hpchub_launch, "become", never)
    return entry


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the request is not JSON"),
        (b"\xff", "the request is not JSON"),
        (b"{", "the request is not JSON"),
        (b"[]", "the request is not a JSON object"),
        (b'"submit"', "the request is not a JSON object"),
        (b"{}", "verb must be one of submit, cancel, log"),
        (b'{"verb": "shell"}', "verb must be one of submit, cancel, log"),
        (b'{"verb": ["submit"]}', "verb must be one of submit, cancel, log"),
        (b'{"verb": "submit"}', "user is missing or not of the expected form"),
        (b" " * (1024 * 1024 + 1), "the request is longer than 1048576 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_request_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        answer_to(raw, POLICY)


@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_a_system_account_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=f"{name} is a system account; allowed are user ids 1000 to 60000"):
        answer_to(json.dumps({**CANCEL, "user": name}).encode(), POLICY)


def test_root_is_refused_even_where_a_policy_allows_its_id() -> None:
    with pytest.raises(Refused, match="root is a system account"):
        target_user("root", {**POLICY, "uid_min": 0})


def test_a_user_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="there is no user no-such-user on this machine"):
        target_user("no-such-user", POLICY)


def test_a_policy_with_a_group_that_does_not_exist_allows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd(("ada", "x", 1001, 1001, "", "/home/ada", "/bin/bash"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: entry)
    with pytest.raises(Refused, match="the group no-such-group of the policy does not exist"):
        target_user("ada", {**POLICY, "group": "no-such-group"})
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [1001])
    with pytest.raises(Refused, match="ada is not a member of the group root"):
        target_user("ada", {**POLICY, "group": "root"})
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [1001, 0])
    assert target_user("ada", {**POLICY, "group": "root"}) is entry


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cluster": "other"}, "the cluster other is not one of leonardo, it4lia"),
        ({"cluster": "leonardo,it4lia"}, "cluster is missing or not of the expected form"),
        ({"cluster": "--uid=0"}, "cluster is missing or not of the expected form"),
        ({"cluster": None}, "cluster is missing or not of the expected form"),
        ({"session": "../../etc/passwd"}, "session is missing or not of the expected form"),
        ({"session": SESSION + "\n"}, "session is missing or not of the expected form"),
        ({"session": SESSION.upper()}, "session is missing or not of the expected form"),
        ({"script": "#!/bin/sh\n"}, "script is missing or not a bash script"),
        ({"script": "#!/bin/bash\n\0"}, "script is missing or not a bash script"),
        ({"script": None}, "script is missing or not a bash script"),
        ({"environment": None}, "environment is missing or not an object"),
        ({"environment": []}, "environment is missing or not an object"),
        ({"test_only": "yes"}, "test_only is not true or false"),
        ({"uid": 0}, "unknown keys: uid"),
        ({"argv": ["sh"], "cwd": "/"}, "unknown keys: argv, cwd"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("ada")
def test_a_submission_against_the_policy_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$") as refusal:
        answer_to(json.dumps({**SUBMIT, **changes}).encode(), POLICY)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"job_id": "17,18"}, "job_id is missing or not of the expected form"),
        ({"job_id": "--user=bruno"}, "job_id is missing or not of the expected form"),
        ({"job_id": ""}, "job_id is missing or not of the expected form"),
        ({"job_id": 17}, "job_id is missing or not of the expected form"),
        ({"job_id": "17\n"}, "job_id is missing or not of the expected form"),
        ({"job_id": "1" * 20}, "job_id is missing or not of the expected form"),
        ({"signal": "KILL"}, "unknown keys: signal"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("ada")
def test_a_cancel_against_the_policy_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        answer_to(json.dumps({**CANCEL, **changes}).encode(), POLICY)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"session": "../../../etc/shadow"}, "session is missing or not of the expected form"),
        ({"session": SESSION + ".log"}, "session is missing or not of the expected form"),
        ({"cluster": "other"}, "the cluster other is not one of leonardo, it4lia"),
        ({"path": "/etc/shadow"}, "unknown keys: path"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("ada")
def test_a_log_is_named_by_its_session_and_by_nothing_else(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$"):
        answer_to(json.dumps({**LOG, **changes}).encode(), POLICY)


WIPE = {"verb": "wipe", "user": "ada", "cluster": "leonardo"}


@pytest.mark.parametrize(
    ("changes", "seats", "sentence"),
    [
        ({}, ["seat01"], "ada is not one of the seats of the policy"),
        ({}, None, "ada is not one of the seats of the policy"),
        ({"path": "/"}, ["ada"], "unknown keys: path"),
        ({"cluster": "other"}, ["ada"], "the cluster other is not one of leonardo, it4lia"),
    ],
)
@pytest.mark.usefixtures("ada")
def test_only_a_seat_of_the_policy_is_wiped(changes: dict[str, Any], seats: list[str] | None, sentence: str) -> None:
    policy = POLICY if seats is None else {**POLICY, "seats": seats}
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$"):
        answer_to(json.dumps({**WIPE, **changes}).encode(), policy)


@pytest.mark.usefixtures("ada")
def test_a_seat_is_wiped_as_itself() -> None:
    with pytest.raises(AssertionError, match="acts as ada"):
        answer_to(json.dumps(WIPE).encode(), {**POLICY, "seats": ["ada"]})


@pytest.mark.parametrize("key", ["cluster", "session", "script", "environment"])
@pytest.mark.usefixtures("ada")
def test_nothing_of_a_submission_may_be_missing(key: str) -> None:
    with pytest.raises(Refused, match=f"{key} is missing"):
        answer_to(json.dumps({name: value for name, value in SUBMIT.items() if name != key}).encode(), POLICY)


@pytest.mark.usefixtures("ada")
def test_a_good_request_comes_to_the_point_of_acting_as_the_user() -> None:
    for request in (SUBMIT, CANCEL, LOG):
        with pytest.raises(AssertionError, match="acts as ada"):
            answer_to(json.dumps(request).encode(), POLICY)


@pytest.mark.parametrize(
    "name", ["JUPYTERHUB_API_TOKEN", "HPCHUB_SESSION", "_", "lower_case", "A1", "PATHS", "MY_PATH"]
)
def test_a_variable_that_a_job_may_have(name: str) -> None:
    assert job_environment({"environment": {name: SECRET}}) == {name: SECRET}


@pytest.mark.parametrize(
    "name",
    [
        "SBATCH_ACCOUNT",
        "SBATCH_",
        "SLURM_CONF",
        "SLURM_CLUSTERS",
        "SLURMD_DEBUG",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "BASH_ENV",
        "BASHOPTS",
        "ENV",
        "IFS",
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PWD",
        "OLDPWD",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "",
        "1A",
        "A B",
        "A=B",
        "A\n",
        "A\0",
        "É",
        "A" * 129,
    ],
    ids=ascii,
)
def test_a_variable_that_would_steer_our_commands_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(Refused, match="may not be set for a job") as refusal:
        job_environment({"environment": {name: SECRET}})
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("value", [None, 1, True, ["x"], f"{SECRET}\0"], ids=ascii)
def test_a_value_that_is_no_text_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(Refused, match=r"^the variable JUPYTERHUB_API_TOKEN is not a text$"):
        job_environment({"environment": {"JUPYTERHUB_API_TOKEN": value}})


def test_a_cluster_with_a_file_of_its_own_is_found_without_slurmdbd() -> None:
    policy = {**POLICY, "slurm_conf": {"leonardo": "/etc/slurm/leonardo.conf"}}
    assert way_to("leonardo", policy) == ([], {"SLURM_CONF": "/etc/slurm/leonardo.conf"})
    assert way_to("it4lia", policy) == (["--clusters=it4lia"], {})


def test_a_text_is_taken_once_and_whole() -> None:
    request = {"job_id": "17"}
    assert text(request, "job_id", hpchub_launch.JOB_ID) == "17"
    assert request == {}
    for wrong in ("17 18", "x", "", None, 17):
        with pytest.raises(Refused, match="job_id is missing or not of the expected form"):
            text({"job_id": wrong}, "job_id", hpchub_launch.JOB_ID)


def test_a_policy_that_others_may_write_is_none(tmp_path: Path) -> None:
    program, policy = tmp_path / "hpchub-launch", tmp_path / "hpchub-launch.json"
    program.touch(mode=0o755)
    policy.write_text("{}")
    policy.chmod(0o666)
    with pytest.raises(Refused, match="must belong to root and be writable by root alone"):
        hpchub_launch.policy_beside(program)


def test_a_command_gets_an_argument_list_and_fails_in_its_own_words(tmp_path: Path) -> None:
    assert hpchub_launch.run(["/bin/echo", "$(id)", "a b"], {}) == ("$(id) a b\n", "")
    with pytest.raises(hpchub_launch.SlurmSaid, match=r"^Invalid account$"):
        hpchub_launch.run(["/bin/sh", "-c", "echo Invalid account >&2; exit 1"], {})
    with pytest.raises(Refused, match="no-sbatch cannot be started: No such file or directory"):
        hpchub_launch.run([str(tmp_path / "no-sbatch")], {})


def test_a_command_reads_a_long_script_and_may_write_as_much_at_once() -> None:
    script = "#!/bin/bash\n" + "é" * 300_000
    assert hpchub_launch.run(["/bin/sh", "-c", "tee /dev/stderr"], {"PATH": "/bin:/usr/bin"}, script) == (
        script,
        script,
    )


def test_a_command_that_hangs_is_ended_and_may_have_been_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hpchub_launch, "COMMAND_SECONDS", 0.2)
    with pytest.raises(hpchub_launch.Unclear, match=r"^sleep gave no answer in 0\.2 s$"):
        hpchub_launch.run(["/bin/sleep", "3600"], {})


def test_a_command_that_is_killed_says_so() -> None:
    with pytest.raises(hpchub_launch.SlurmSaid, match=r"^/bin/sh ended with -9$"):
        hpchub_launch.run(["/bin/sh", "-c", "kill -KILL $$"], {})


@pytest.mark.parametrize(
    ("user_id", "arguments", "sentence"),
    [
        (1000, [], "this program acts as other users and must be run as root, by the hub's door"),
        (0, ["--user=root"], "this program takes its request on standard input, and no arguments"),
    ],
)
def test_what_it_needs_to_run_at_all(
    user_id: int,
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user_id)
    monkeypatch.setattr(sys, "argv", ["hpchub-launch", *arguments])
    with pytest.raises(SystemExit) as end:
        hpchub_launch.main()
    assert end.value.code == 1
    assert json.loads(capsys.readouterr().out) == {"ok": False, "kind": "refused", "message": sentence}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_old_pythons_can_read_it(program: Path) -> None:
    ast.parse(program.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_it_needs_the_standard_library_alone(program: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(program.read_text())):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported and imported <= sys.stdlib_module_names


@pytest.mark.parametrize("path", [None, "", "/", "relative", "/a//b", "/a/", "/a\nb", "/a\0b", "/" + "a" * 256, 1])
def test_a_path_to_look_at_is_a_plain_one(path: object, ada: pwd.struct_passwd) -> None:
    probe = {"verb": "probe", "user": "ada", "cluster": "leonardo", "path": path}
    with pytest.raises(Refused, match="path is missing or not of the expected form"):
        answer_to(json.dumps(probe).encode(), POLICY)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment as the launcher looks at it: a program, a notebook server, packages."""
    for name in ("bin/python", "bin/jupyterhub-singleuser"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x7fELF" + bytes(20))
        (tmp_path / name).chmod(0o755)
    for package in ("jupyterhub-6.1.1", "jupyterlab-4.4.0", "jupyterhub_traits-1.0", "numpy-2.0"):
        (tmp_path / "lib" / "python3.11" / "site-packages" / f"{package}.dist-info").mkdir(parents=True)
    return tmp_path


def looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Look at an environment as whoever runs the tests."""
    me = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(hpchub_launch, "target_user", lambda name, policy: me)
    monkeypatch.setattr(hpchub_launch, "become", lambda user: None)
    return answer_to(
        json.dumps({"verb": "probe", "user": "ada", "cluster": "leonardo", "path": str(path)}).encode(), POLICY
    )


def test_what_is_seen_of_an_environment(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_at(environment, monkeypatch) == {
        "ok": True,
        "problem": "",
        "head": (b"\x7fELF" + bytes(16)).hex(),
        "runs": True,
        "server": True,
        "packages": ["python3.11/jupyterhub-6.1.1.dist-info", "python3.11/jupyterlab-4.4.0.dist-info"],
    }


def test_what_is_missing_from_an_environment_is_told(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (environment / "bin" / "python").unlink()
    problem = looked_at(environment, monkeypatch)["problem"]
    assert problem == f"{environment}/bin/python: No such file or directory"


def test_a_fifo_in_the_place_of_a_python_holds_nobody_up(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (environment / "bin" / "python").unlink()
    os.mkfifo(environment / "bin" / "python")
    assert looked_at(environment, monkeypatch)["head"] == ""


BUDGET = {"verb": "budget", "user": "ada", "cluster": "leonardo"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "the policy has no budget command for leonardo"),
        ({"command": ["sh"]}, "unknown keys: command"),
        ({"cluster": "other"}, "the cluster other is not one of leonardo, it4lia"),
    ],
)
@pytest.mark.usefixtures("ada")
def test_a_budget_is_told_by_the_policy_s_command_alone(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=f"^{re.escape(sentence)}$"):
        answer_to(json.dumps({**BUDGET, **changes}).encode(), POLICY)


def runs(pid: int) -> bool:
    """Tell whether a process is alive; one that is dead and not yet collected is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(hpchub_launch.Unclear, match="sh gave no answer in 1 s"):
        hpchub_launch.run(["/bin/sh", "-c", f"sleep 600 & echo $! $$ >{pids}; wait"], {}, seconds=1)
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    until(lambda: not any(runs(pid) for pid in started), "both to be gone")
