"""Who runs as whom, what the two doors let through, and where a secret cannot be read."""

from __future__ import annotations

import os
import pwd
import secrets
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub.processes import all_processes, environments_of, read, report, token_of
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

HUB_USER = "hpchub-demo-hub"
FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}


def sudo(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command by sudo as the hub's user does."""
    return subprocess.run(
        ["runuser", "-u", HUB_USER, "--", "sudo", "-n", *command], capture_output=True, text=True, check=False, input=""
    )


def test_no_process_of_the_hub_is_roots(started_site: Site) -> None:
    hub_uid = pwd.getpwnam(HUB_USER).pw_uid
    lines = subprocess.run(["ps", "-eo", "uid=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
    programs = ("jupyterhub -f", "configurable-http-proxy")
    owners = {
        program: {int(line.split()[0]) for line in lines if program in line and "pytest" not in line}
        for program in programs
    }
    assert owners == {program: {hub_uid} for program in programs}
    # The processes have no way back to root's rights either: real, effective, saved and file-system id are the hub's.
    for pid in (started_site.hub_pid, int((started_site.folder / "proxy.pid").read_text())):
        status = Path(f"/proc/{pid}/status").read_text()
        ids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert {int(each) for each in ids} == {hub_uid}
        assert "CapEff:\t0000000000000000" in status


def test_sudo_lets_the_hub_run_two_programs_without_arguments(started_site: Site) -> None:
    listed = subprocess.run(["sudo", "-l", "-U", HUB_USER], capture_output=True, text=True, check=True).stdout
    rules = [line.strip() for line in listed.partition("may run the following commands")[2].splitlines()[1:]]
    programs = started_site.folder / "libexec"
    assert [rule for rule in rules if rule] == [
        f'(root) NOPASSWD: {programs / "hpchub-launch"} ""',
        f'(slurm) NOPASSWD: {programs / "hpchub-reserve"} ""',
    ]


@pytest.mark.parametrize("command", [["{launcher}"], ["-u", "slurm", "{reserver}"]], ids=" ".join)
def test_the_doors_work_for_the_hub(started_site: Site, command: list[str]) -> None:
    assert "the request is not JSON" in sudo(*named(started_site, command)).stdout


def named(site: Site, command: list[str]) -> list[str]:
    """Put in where the programs behind the doors are."""
    folder = site.folder / "libexec"
    return [word.format(launcher=folder / "hpchub-launch", reserver=folder / "hpchub-reserve") for word in command]


@pytest.mark.parametrize(
    "command",
    [
        ["{launcher}", "submit"],
        ["{launcher}", ""],
        ["-u", "ada", "{launcher}"],
        ["-u", "ada", "id"],
        ["/usr/bin/id"],
        ["/bin/sh"],
        ["/usr/bin/sbatch"],
        ["/usr/bin/python3", "{launcher}"],
        ["{launcher}/../hpchub-launch"],
        ["LD_PRELOAD=/tmp/x.so", "{launcher}"],
        ["PYTHONPATH=/tmp", "{launcher}"],
        ["-E", "{launcher}"],
        ["{reserver}"],
        ["-u", "slurm", "{reserver}", "create"],
        ["-u", "slurm", "{launcher}"],
        ["-u", "slurm", "/usr/bin/scontrol"],
        ["-i"],
        ["-e", "/etc/sudoers.d/hpchub-demo"],
    ],
    ids=" ".join,
)
def test_sudo_refuses_everything_else(started_site: Site, command: list[str]) -> None:
    done = sudo(*named(started_site, command))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "a password is required" in done.stderr or "not allowed" in done.stderr


def test_only_root_can_change_what_passes_the_door(started_site: Site) -> None:
    folder = started_site.folder / "libexec"
    for path in (folder, *folder.iterdir(), Path("/etc/sudoers.d/hpchub-demo")):
        status = path.stat()
        assert status.st_uid == 0, path
        assert not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path


@pytest.mark.parametrize("name", ["hub", "admin-token", "mysql", "munge", "state/leonardo", "state/it4lia"])
def test_places_with_secrets_are_closed_to_people(started_site: Site, name: str) -> None:
    path = started_site.folder / name
    verb = "cat" if path.is_file() else "ls"
    done = subprocess.run(["runuser", "-u", "ada", "--", verb, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


@dataclass(frozen=True)
class Watched:
    """A session of ada's that has lived, with what nobody may find; ended after the tests."""

    site: Site
    session: dict[str, str]
    token: str
    browser: FormSession
    wrong_password: str

    @property
    def secrets(self) -> dict[str, bytes]:
        """What must be found nowhere, by name."""
        cookies = {
            f"cookie {cookie.name}": cookie.value
            for cookie in self.browser.cookies
            if cookie.value and cookie.name in ("jupyterhub-hub-login", "jupyterhub-user-ada")
        }
        named = {
            "the server's token": self.token,
            "the administrators' token": self.site.admin_token,
            "a mistyped password": self.wrong_password,
            "the password, as a form sends it": "password=demo",
            "the password, as JSON": '"password": "demo"',
        }
        return {name: value.encode() for name, value in {**named, **cookies}.items()}

    def found_in(self, content: bytes) -> list[str]:
        """Name the secrets that a content has."""
        return [name for name, value in self.secrets.items() if value in content]


@pytest.fixture(scope="module")
def watched(started_site: Site) -> Iterator[Watched]:
    """A session that has been used in every way that writes logs: by API, by browser, by wrong reports."""
    session = started_site.run("ada", FREE)
    token = token_of(session["id"])
    wrong = "mistyped-" + secrets.token_hex(8)
    browser = FormSession(started_site.url, "ada")
    assert browser.fetch("/user/ada/lab").status == 200
    assert FormSession(started_site.url, "bruno").sign_in(wrong).status in (401, 403)
    report(started_site, session["id"], {"phase": "starting"}, token)
    report(started_site, session["id"], {"phase": "starting", "surprise": 1}, token)
    yield Watched(started_site, session, token, browser, wrong)
    started_site.stop_servers()


def test_the_hub_logs_at_debug_level(watched: Watched) -> None:
    log = watched.site.log()
    assert "[D 2" in log
    assert watched.session["id"] in log


def test_the_sessions_secrets_are_told_apart(watched: Watched) -> None:
    assert len(watched.secrets) >= 6
    # The search does find what is there.
    assert watched.found_in(b"x" + watched.token.encode()) == ["the server's token"]
    environment = environments_of(watched.session["id"])[0]
    assert watched.found_in(repr(environment).encode()) == ["the server's token"]


def test_no_secret_is_in_an_argument_of_any_process(watched: Watched) -> None:
    lines = {folder: read(folder / "cmdline") for folder in all_processes()}
    assert any(b"jupyterhub-singleuser" in line for line in lines.values())
    assert {str(folder): found for folder, line in lines.items() if (found := watched.found_in(line))} == {}


@pytest.mark.parametrize(
    "command",
    [
        "scontrol -M {cluster} write batch_script {job_id} -",
        "scontrol -M {cluster} -dd show job {job_id}",
        "squeue -M {cluster} -j {job_id} -O ALL:300",
        "sacct -M {cluster} -j {job_id} -P -o ALL",
        "sacct -M {cluster} -j {job_id} --batch-script",
        "sacct -M {cluster} -j {job_id} --env-vars",
        "sacctmgr -nP list transactions",
    ],
)
def test_no_secret_is_in_what_slurm_tells(watched: Watched, command: str) -> None:
    output = watched.site.slurm(command.format(**watched.session))
    assert watched.found_in(output.encode()) == []


def test_slurm_tells_the_session_by_those_commands(watched: Watched) -> None:
    sees = {
        "scontrol -M {cluster} write batch_script {job_id} -",
        "scontrol -M {cluster} -dd show job {job_id}",
        "sacct -M {cluster} -j {job_id} -P -o ALL",
    }
    for command in sees:
        filled = command.format(**watched.session)
        until(lambda filled=filled: watched.session["id"] in watched.site.slurm(filled), filled)  # type: ignore[misc]


def contents(folder: Path, pattern: str) -> dict[Path, bytes]:
    return {path: read(path) for path in sorted(folder.rglob(pattern)) if path.is_file()}


def test_no_secret_is_in_the_database_of_the_accounting(watched: Watched) -> None:
    folder = watched.site.folder / "mysql"
    session_id = watched.session["id"].encode()
    # The comment of the job has arrived in the files, so that a token beside it would have, too.
    until(lambda: any(session_id in content for content in contents(folder, "*").values()), "the job's record", 60)
    assert {str(path): found for path, data in contents(folder, "*").items() if (found := watched.found_in(data))} == {}


def test_no_secret_is_in_any_log(watched: Watched) -> None:
    logs = contents(watched.site.folder, "*.log")
    names = {path.name for path in logs}
    assert {"hub.log", "slurmdbd.log", f"{watched.session['id']}.log"} <= names
    assert {"slurmctld-leonardo.log", f"slurmd-{watched.session['node']}.log"} <= names
    # The session's own log is nobody else's business either.
    own = next(path for path in logs if path.name == f"{watched.session['id']}.log")
    assert own.is_relative_to(watched.site.folder / "home" / "ada" / ".local" / "share" / "hpchub")
    assert stat.S_IMODE(own.stat().st_mode) & 0o077 == 0
    assert {str(path): found for path, data in logs.items() if (found := watched.found_in(data))} == {}


def test_the_jobs_environment_is_its_users_only(watched: Watched) -> None:
    pids = [
        folder.name
        for folder in all_processes()
        if f"HPCHUB_SESSION={watched.session['id']}".encode() in read(folder / "environ")
    ]
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in pids}
    assert owners == {pwd.getpwnam("ada").pw_uid}
    for pid in pids:
        done = subprocess.run(
            ["runuser", "-u", "bruno", "--", "cat", f"/proc/{pid}/environ"], capture_output=True, check=False
        )
        assert done.stdout == b""
