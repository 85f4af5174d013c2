"""The client starts Slurm's commands with a time limit and an environment of its own.

Small programs stand for Slurm's here, because hanging and failing must be controlled; the real ones answer in the
slurm ring.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpchub.errors import SlurmError, SlurmSilent
from hpchub.slurm import commands
from hpchub.slurm.client import SlurmClient


def client(folder: Path, program: str, timeout_seconds: float = 20, name: str = "sacctmgr") -> SlurmClient:
    """A client whose one command is this shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    return SlurmClient("leonardo", timeout_seconds, {"PATH": f"{folder}:/usr/bin:/bin"})


async def test_an_answer_is_read(tmp_path: Path) -> None:
    found = await client(tmp_path, 'echo "normal||00:30:00|||||||||||"').qos()
    assert {name: qos.limits.max_minutes for name, qos in found.items()} == {"normal": 30}


async def test_a_command_runs_with_our_arguments_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/leonardo.conf")
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    await client(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/argv; env > {tmp_path}/env').qos()
    assert (tmp_path / "argv").read_text().splitlines() == commands.qos()[1:]
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert {key: told[key] for key in ("SLURM_TIME_FORMAT", "LC_ALL", "SLURM_CONF")} == {
        "SLURM_TIME_FORMAT": "%s",
        "LC_ALL": "C.UTF-8",
        "SLURM_CONF": "/etc/slurm/leonardo.conf",
    }
    assert "SQUEUE_FORMAT" not in told and "HOME" not in told


async def test_a_cluster_with_a_file_of_its_own_is_asked_directly(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = tmp_path / "squeue"
    program.write_text(f'#!/bin/sh\necho "$SLURM_CONF" "$@" > {told}\n')
    program.chmod(0o755)
    ours = SlurmClient("leonardo", 20, {"PATH": f"{tmp_path}:/usr/bin:/bin"}, slurm_conf="/etc/slurm/leonardo.conf")
    await ours.jobs()
    words = told.read_text().split()
    assert words[0] == "/etc/slurm/leonardo.conf"
    assert [word for word in commands.jobs("leonardo")[1:] if word not in words] == ["--clusters=leonardo"]


async def test_a_failing_command_is_named_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(SlurmError, match="sacctmgr for leonardo ended with 3: Unknown field 'maxwall'") as failure:
        await client(tmp_path, "echo 'normal|||'; echo \"Unknown field 'maxwall'\" >&2; exit 3").qos()
    assert not isinstance(failure.value, SlurmSilent)


@pytest.mark.parametrize(
    "words",
    [
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
        "slurm_load_jobs error: Socket timed out on send/recv operation",
        "sacctmgr: error: Sending PersistInit msg: Connection refused",
    ],
)
async def test_a_command_whose_daemon_does_not_answer_is_silence(tmp_path: Path, words: str) -> None:
    with pytest.raises(SlurmSilent):
        await client(tmp_path, f"echo '{words}' >&2; exit 1").qos()


@pytest.mark.parametrize(
    ("command", "silent"), [("squeue", "controller"), ("sacctmgr", "accounting_daemon")], ids=["slurmctld", "slurmdbd"]
)
async def test_the_silence_of_one_daemon_is_not_that_of_the_other(tmp_path: Path, command: str, silent: str) -> None:
    asked = client(tmp_path, "echo Connection refused >&2; exit 1", name=command)
    with pytest.raises(SlurmSilent):
        await (asked.jobs() if command == "squeue" else asked.qos())
    open_ = {name for name in ("controller", "accounting_daemon") if getattr(asked, name).open_since_epoch}
    assert open_ == {silent}


async def test_a_hung_command_is_silence_and_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(SlurmSilent, match=r"sacctmgr for leonardo gave no answer in \d+ s"):
        await client(tmp_path, f"echo $$ > {pid}; exec sleep 600", timeout_seconds=1).qos()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_a_missing_command_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SlurmError, match=r"squeue cannot be started: .*No such file"):
        await SlurmClient("leonardo", environment={"PATH": str(tmp_path)}).jobs()


@pytest.mark.parametrize(
    ("query", "argv"),
    [
        ("jobs", commands.jobs("leonardo")),
        ("nodes", commands.nodes("leonardo")),
        ("partitions", commands.partitions("leonardo")),
        ("associations", commands.associations("leonardo")),
        ("qos", commands.qos()),
    ],
)
async def test_each_question_is_one_command(tmp_path: Path, query: str, argv: list[str]) -> None:
    mine = client(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/argv', name=argv[0])
    assert not await getattr(mine, query)()
    assert (tmp_path / "argv").read_text().splitlines() == argv[1:]


async def test_the_accounting_is_asked_about_all_jobs_at_once(tmp_path: Path) -> None:
    mine = client(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/argv', name="sacct")
    assert not await mine.accounting(["17", "18"])
    assert "--jobs=17,18" in (tmp_path / "argv").read_text().splitlines()
