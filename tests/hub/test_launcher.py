"""The one program of root's, called directly: whatever is asked, it acts only for the people it is for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpchub.jobs.hpchub_launch import VERBS
from tests.hub.unharmed import jobs_of
from tests.support.site import Site
from tests.support.wait import until

SUBMIT: dict[str, Any] = {
    "verb": "submit",
    "user": "ada",
    "cluster": "leonardo",
    "session": "0" * 32,
    "script": "#!/bin/bash\n#SBATCH --account=aifac_agri01 --partition=lrd_all_serial --time=5\nexit 0\n",
    "environment": {"GREETING": "hello"},
}
BUDGET = {"verb": "budget", "user": "ada", "cluster": "leonardo"}
CANCEL = {"verb": "cancel", "user": "ada", "cluster": "leonardo", "job_id": "1"}
NO_VERB = f"verb must be one of {', '.join(VERBS)}"
FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}


def ask(program: Path, request: object, *arguments: str, as_user: str = "") -> dict[str, Any]:
    """Send a request to the launcher; whatever it is, the answer is one JSON object and nothing else."""
    door = ["runuser", "-u", as_user, "--"] if as_user else []
    raw = request if isinstance(request, bytes) else json.dumps(request).encode()
    done = subprocess.run([*door, str(program), *arguments], input=raw, capture_output=True, check=False)
    assert done.stderr.decode() == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if answer["ok"] else 1)
    return answer


@pytest.fixture
def launcher(started_site: Site) -> Path:
    """The program as the site has it."""
    return started_site.folder / "libexec" / "hpchub-launch"


@pytest.fixture(scope="module")
def strangers(started_site: Site) -> Iterator[None]:
    """Users of the machine for whom the launcher must do nothing, three of them in its group."""
    subprocess.run(["useradd", "--no-create-home", "stranger"], check=True)
    subprocess.run(["useradd", "--system", "--groups", "hpchub-demo", "robot"], check=True)
    subprocess.run(["useradd", "--non-unique", "--uid", "0", "--groups", "hpchub-demo", "toor"], check=True)
    subprocess.run(["useradd", "--uid", "60001", "--groups", "hpchub-demo", "beyond"], check=True)
    yield
    for name in ("stranger", "robot", "beyond", "toor"):
        subprocess.run(["userdel", "--force", name], check=True, capture_output=True)


SYSTEM = "{user} is a system account; allowed are user ids 1000 to 59999"


@pytest.mark.parametrize("request_", [SUBMIT, CANCEL, BUDGET], ids=["submit", "cancel", "budget"])
@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("root", SYSTEM),
        ("toor", SYSTEM),
        ("daemon", SYSTEM),
        ("www-data", SYSTEM),
        ("slurm", SYSTEM),
        ("munge", SYSTEM),
        ("hpchub-demo-hub", SYSTEM),
        ("robot", SYSTEM),
        ("beyond", SYSTEM),
        ("nobody", SYSTEM),
        ("stranger", "stranger is not a member of the group hpchub-demo"),
        ("nobody-there", "there is no user nobody-there on this machine"),
        ("0", "there is no user 0 on this machine"),
        ("1000", "there is no user 1000 on this machine"),
        ("admin", "there is no user admin on this machine"),
        ("ada root", "user is missing or not of the expected form"),
        ("ada\n", "user is missing or not of the expected form"),
        ("--help", "user is missing or not of the expected form"),
        ("../ada", "user is missing or not of the expected form"),
        ("", "user is missing or not of the expected form"),
        ("x" * 65, "user is missing or not of the expected form"),
        (None, "user is missing or not of the expected form"),
        (0, "user is missing or not of the expected form"),
        (["ada"], "user is missing or not of the expected form"),
    ],
)
def test_it_acts_for_nobody_outside_its_group(
    launcher: Path, strangers: None, request_: dict[str, Any], user: object, sentence: str
) -> None:
    answer = ask(launcher, {**request_, "user": user})
    assert answer == {"ok": False, "kind": "refused", "message": sentence.format(user=user)}


VARIABLES = [
    "LD_PRELOAD", "LD_LIBRARY_PATH", "SBATCH_RESERVATION", "SBATCH_ACCOUNT", "SLURM_CONF", "SLURM_CLUSTERS", "PATH",
    "HOME", "USER", "SHELL", "ENV", "BASH_ENV", "BASH_FUNC_sbatch%%", "IFS", "PYTHONPATH", "A B", "A=B", "1A", "", "Ü",
]  # fmt: skip
FORM = "{} is missing or not of the expected form"
NO_SCRIPT = "script is missing or not a bash script"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"verb": "shell"}, NO_VERB, id="unknown verb"),
        pytest.param({"verb": ["submit"]}, NO_VERB, id="a list as verb"),
        pytest.param({"verb": None}, NO_VERB, id="null as verb"),
        pytest.param({"reservation": "x"}, "unknown keys: reservation", id="unknown key"),
        pytest.param({"job_id": "1"}, "unknown keys: job_id", id="key of the other verb"),
        pytest.param({"k" * 500: 1, "a": 2}, f"unknown keys: a, {'k' * 64}", id="long key"),
        pytest.param({"cluster": "marconi"}, "the cluster marconi is not one of leonardo, it4lia", id="cluster"),
        pytest.param({"cluster": "leonardo,it4lia"}, FORM.format("cluster"), id="two clusters"),
        pytest.param({"cluster": "--help"}, FORM.format("cluster"), id="an option as cluster"),
        pytest.param({"cluster": "all"}, "the cluster all is not one of leonardo, it4lia", id="all clusters"),
        pytest.param({"session": "0" * 31}, FORM.format("session"), id="short session"),
        pytest.param({"session": "0" * 31 + "G"}, FORM.format("session"), id="session of other letters"),
        pytest.param({"session": "../" + "0" * 29}, FORM.format("session"), id="session as path"),
        pytest.param({"session": "0" * 32 + "\n"}, FORM.format("session"), id="session and a newline"),
        pytest.param({"session": 0}, FORM.format("session"), id="session as number"),
        pytest.param({"script": "echo hello\n"}, NO_SCRIPT, id="no #!"),
        pytest.param({"script": "#!/bin/sh\n"}, NO_SCRIPT, id="another interpreter"),
        pytest.param({"script": "\n#!/bin/bash\n"}, NO_SCRIPT, id="#! on the second line"),
        pytest.param({"script": "#!/bin/bash\n\0"}, NO_SCRIPT, id="NUL in the script"),
        pytest.param({"script": ""}, NO_SCRIPT, id="empty script"),
        pytest.param({"script": None}, NO_SCRIPT, id="null as script"),
        pytest.param({"script": "#!/bin/bash\n\ud800"}, NO_SCRIPT, id="script that cannot be written"),
        *(
            pytest.param({"environment": {name: "x"}}, f"the variable {name!r} may not be set for a job", id=f"{name}=")
            for name in VARIABLES
        ),
        pytest.param({"environment": {"A": "\0"}}, "the variable A is not a text", id="NUL in a value"),
        pytest.param({"environment": {"A": 1}}, "the variable A is not a text", id="a number as value"),
        pytest.param({"environment": {"A": None}}, "the variable A is not a text", id="null as value"),
        pytest.param(
            {"environment": {"A": "\ud800"}}, "the variable A is not a text", id="value that cannot be written"
        ),
        pytest.param({"environment": []}, "environment is missing or not an object", id="a list as environment"),
        pytest.param({"environment": None}, "environment is missing or not an object", id="null as environment"),
    ],
)
def test_it_submits_nothing_of_another_form(
    launcher: Path, started_site: Site, changes: dict[str, Any], sentence: str
) -> None:
    before = jobs_of(started_site, "ada")
    assert ask(launcher, {**SUBMIT, **changes}) == {"ok": False, "kind": "refused", "message": sentence}
    assert jobs_of(started_site, "ada") <= before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"job_id": "1,2"}, FORM.format("job_id"), id="two jobs"),
        pytest.param({"job_id": "--user=bruno"}, FORM.format("job_id"), id="an option as job"),
        pytest.param({"job_id": "-1"}, FORM.format("job_id"), id="a negative job"),
        pytest.param({"job_id": ""}, FORM.format("job_id"), id="no job"),
        pytest.param({"job_id": 1}, FORM.format("job_id"), id="a number as job"),
        pytest.param({"job_id": "1\n"}, FORM.format("job_id"), id="a job and a newline"),
        pytest.param({"cluster": "marconi"}, "the cluster marconi is not one of leonardo, it4lia", id="cluster"),
        pytest.param({"signal": "KILL"}, "unknown keys: signal", id="unknown key"),
    ],
)
def test_it_cancels_nothing_of_another_form(launcher: Path, changes: dict[str, Any], sentence: str) -> None:
    assert ask(launcher, {**CANCEL, **changes}) == {"ok": False, "kind": "refused", "message": sentence}


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(b"", "the request is not JSON", id="nothing"),
        pytest.param(b"submit ada", "the request is not JSON", id="words"),
        pytest.param(b"\xff\xfe\x00", "the request is not JSON", id="no text"),
        pytest.param(b"[" * 500_000, "the request is not JSON", id="half a million brackets"),
        pytest.param(b"9" * 10_000, "the request is not JSON", id="an endless number"),
        pytest.param(b"[]", "the request is not a JSON object", id="a list"),
        pytest.param(b'"submit"', "the request is not a JSON object", id="a text"),
        pytest.param(b"null", "the request is not a JSON object", id="null"),
        pytest.param(b"{}", NO_VERB, id="an empty object"),
        pytest.param(
            json.dumps({**SUBMIT, "script": "#!/bin/bash\n" + "#" * 1024 * 1024}).encode(),
            "the request is longer than 1048576 bytes",
            id="more than 1 MiB",
        ),
    ],
)
def test_it_reads_only_one_object_of_json(launcher: Path, raw: bytes, sentence: str) -> None:
    assert ask(launcher, raw) == {"ok": False, "kind": "refused", "message": sentence}


def test_it_takes_no_argument(launcher: Path) -> None:
    answer = ask(launcher, SUBMIT, "submit")
    assert answer["message"] == "this program takes its request on standard input, and no arguments"


@pytest.mark.parametrize("user", ["ada", "hpchub-demo-hub"])
def test_it_does_nothing_without_roots_rights(launcher: Path, user: str) -> None:
    answer = ask(launcher, SUBMIT, as_user=user)
    assert answer["message"] == "this program acts as other users and must be run as root, by the hub's door"


@pytest.mark.parametrize("name", ["hpchub-launch.json", "hpchub-launch", ""], ids=["policy", "program", "folder"])
@pytest.mark.parametrize(
    "open_up",
    [
        pytest.param(lambda path: path.chmod(path.stat().st_mode | 0o002), id="writable by others"),
        pytest.param(lambda path: path.chmod(path.stat().st_mode | 0o020), id="writable by the group"),
        pytest.param(lambda path: shutil.chown(path, "ada"), id="ada's"),
    ],
)
def test_it_trusts_no_policy_that_others_can_write(launcher: Path, tmp_path: Path, name: str, open_up: Any) -> None:
    folder = tmp_path / "libexec"
    shutil.copytree(launcher.parent, folder)
    folder.chmod(0o755)
    assert ask(folder / launcher.name, {})["message"] == NO_VERB
    path = folder / name
    open_up(path)
    answer = ask(folder / launcher.name, SUBMIT)
    assert answer["message"] == f"{path} must belong to root and be writable by root alone"


def test_it_says_nothing_of_a_variables_value(launcher: Path) -> None:
    for environment in ({"PATH": "secret-value"}, {"A": "secret-value\0"}, {"A": "secret-value" * 20_000}):
        answer = ask(launcher, {**SUBMIT, "environment": environment})
        assert answer["ok"] is False
        assert "secret-value" not in answer["message"]


def test_it_submits_as_the_user_and_with_nothing_of_its_own_environment(launcher: Path, site: Site) -> None:
    script = "#!/bin/bash\n#SBATCH -A aifac_agri01 -p lrd_all_serial -t 5 -c 1 --mem=100M\nenv; pwd; id -un\n"
    os.environ["OF_ROOT"] = "1"
    try:
        answer = ask(launcher, {**SUBMIT, "script": script})
    finally:
        del os.environ["OF_ROOT"]
    assert answer["ok"] is True
    home = site.folder / "home" / "ada"
    job = {"cluster": "leonardo", "job_id": answer["job_id"]}
    log = home / ".local" / "share" / "hpchub" / f"{SUBMIT['session']}.log"
    until(lambda: site.job(job)["JobState"] == "COMPLETED", "the job to end", 60)
    lines = log.read_text().splitlines()
    log.unlink()
    assert lines[-2:] == [str(home), "ada"]
    assert "GREETING=hello" in lines
    assert [line for line in lines if line.startswith(("OF_ROOT", "SUDO_", "HPCHUB_"))] == []


@pytest.mark.usefixtures("small_servers")
def test_the_job_of_another_user_is_not_cancelled(launcher: Path, site: Site) -> None:
    session = site.run("ada", FREE)
    for user in ("bruno", "carla"):
        answer = ask(launcher, {**CANCEL, "user": user, "cluster": session["cluster"], "job_id": session["job_id"]})
        assert (answer["ok"], answer["kind"]) == (False, "slurm")
        assert "denied" in answer["message"]
    assert site.job(session)["JobState"] == "RUNNING"
    answer = ask(launcher, {**CANCEL, "cluster": session["cluster"], "job_id": session["job_id"]})
    assert answer == {"ok": True}


@pytest.fixture
def with_budget(launcher: Path, tmp_path: Path) -> Iterator[Any]:
    """The launcher with a policy of its own; call it with the script that tells budgets."""
    folder = tmp_path / "libexec"
    shutil.copytree(launcher.parent, folder)
    folder.chmod(0o755)
    # The user must be able to go there; whoever made the folder above does not matter to the program.
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    command = tmp_path / "saldo"
    policy = folder / "hpchub-launch.json"

    def asked(script: str, **request: Any) -> dict[str, Any]:
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        policy.write_text(json.dumps({**json.loads(policy.read_text()), "budget": {"leonardo": [str(command), "-b"]}}))
        return ask(folder / launcher.name, {**BUDGET, **request})

    yield asked


def test_a_budget_is_what_the_policy_s_command_says_to_the_user(with_budget: Any, started_site: Site) -> None:
    os.environ["OF_ROOT"] = "1"
    try:
        answer = with_budget('echo "$@"; id -un; id -Gn; pwd; env')
    finally:
        del os.environ["OF_ROOT"]
    lines = answer["text"].splitlines()
    assert lines[:4] == ["-b", "ada", "ada hpchub-demo", str(started_site.folder / "home" / "ada")]
    assert [line for line in lines if line.startswith(("OF_ROOT", "SUDO_", "HPCHUB_"))] == []


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"command": ["id"]}, "unknown keys: command"),
        ({"argv": ["-x"]}, "unknown keys: argv"),
        ({"cluster": "it4lia"}, "the policy has no budget command for it4lia"),
        ({"cluster": "other"}, "the cluster other is not one of leonardo, it4lia"),
        ({"user": "root"}, SYSTEM.format(user="root")),
    ],
)
def test_a_request_cannot_name_the_command_of_budgets(
    with_budget: Any, request_: dict[str, Any], sentence: str
) -> None:
    answer = with_budget("id", **request_)
    assert answer == {"ok": False, "kind": "refused", "message": sentence}


def test_whoever_writes_budgets_without_an_end_is_ended(with_budget: Any) -> None:
    answer = with_budget("exec yes")
    assert (answer["ok"], answer["message"].split()[1:]) == (False, ["ended", "with", "-25"])
    assert len(with_budget("head -c 65536 /dev/zero | tr '\\0' x")["text"]) == 65536


def test_a_command_of_budgets_that_fails_is_told(with_budget: Any) -> None:
    answer = with_budget("echo half; echo broken >&2; exit 3")
    assert answer == {"ok": False, "kind": "slurm", "message": "broken"}


def test_without_a_command_in_the_policy_nothing_runs(launcher: Path) -> None:
    assert ask(launcher, BUDGET)["message"] == "the policy has no budget command for leonardo"
