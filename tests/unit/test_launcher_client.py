"""The hub's side of the door: what it sends, and what it makes of every answer.

A small script stands for the door here, because its answers must be controlled; the real door, with the real
``hpchub-launch`` behind it, is tested in the ring ``hub``.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from hpchub.errors import HomeUnusable, LauncherError, SubmitRefused
from hpchub.jobs.launcher import Launcher

SECRET = "0123456789abcdef-token"
SESSION = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {"JUPYTERHUB_API_TOKEN": SECRET}


def door(folder: Path, body: str) -> list[str]:
    """A door that keeps the request and then does this."""
    path = folder / "door"
    path.write_text(f"#!/bin/sh\ncat > {folder}/request\n{body}\n")
    path.chmod(0o755)
    return [str(path)]


async def submit(launcher: Launcher) -> str:
    return await launcher.submit("ada", "leonardo", SESSION, "#!/bin/bash\n", ENVIRONMENT)


async def test_a_submission_is_one_request_and_gives_a_job_id(tmp_path: Path) -> None:
    launcher = Launcher(door(tmp_path, """echo '{"ok": true, "job_id": "17"}'"""))
    assert await submit(launcher) == "17"
    assert json.loads((tmp_path / "request").read_text()) == {
        "verb": "submit",
        "user": "ada",
        "cluster": "leonardo",
        "session": SESSION,
        "script": "#!/bin/bash\n",
        "environment": ENVIRONMENT,
    }


async def test_a_cancel_is_one_request(tmp_path: Path) -> None:
    await Launcher(door(tmp_path, """echo '{"ok": true}'""")).cancel("ada", "leonardo", "17")
    assert json.loads((tmp_path / "request").read_text()) == {
        "verb": "cancel",
        "user": "ada",
        "cluster": "leonardo",
        "job_id": "17",
    }


async def test_a_log_is_one_request_by_the_session_s_id(tmp_path: Path) -> None:
    launcher = Launcher(door(tmp_path, """echo '{"ok": true, "text": "the end"}'"""))
    assert await launcher.log("ada", "leonardo", SESSION) == "the end"
    assert json.loads((tmp_path / "request").read_text()) == {
        "verb": "log",
        "user": "ada",
        "cluster": "leonardo",
        "session": SESSION,
    }


async def test_a_home_that_cannot_be_written_is_told_apart(tmp_path: Path) -> None:
    answer = '{"ok": false, "kind": "home", "message": "the folder of job logs cannot be written"}'
    with pytest.raises(HomeUnusable, match=r"^the folder of job logs cannot be written$"):
        await submit(Launcher(door(tmp_path, f"echo '{answer}'; exit 1")))


async def test_the_token_is_in_no_argument_and_in_no_variable_of_the_door(tmp_path: Path) -> None:
    watch = f"tr '\\0' '\\n' < /proc/$$/cmdline > {tmp_path}/seen; env >> {tmp_path}/seen"
    await submit(Launcher(door(tmp_path, watch + """; echo '{"ok": true, "job_id": "17"}'""")))
    seen = (tmp_path / "seen").read_text()
    assert "PATH=/usr/bin:/bin:/usr/sbin:/sbin" in seen and SECRET not in seen


async def test_a_refusal_is_in_its_own_words(tmp_path: Path) -> None:
    answer = '{"ok": false, "kind": "refused", "message": "ada is not a member of the group hpchub"}'
    with pytest.raises(LauncherError, match=r"^ada is not a member of the group hpchub$") as failure:
        await submit(Launcher(door(tmp_path, f"echo '{answer}'; exit 1")))
    assert not isinstance(failure.value, SubmitRefused)


async def test_what_slurm_refuses_is_told_apart(tmp_path: Path) -> None:
    answer = '{"ok": false, "kind": "slurm", "message": "sbatch: error: Invalid account"}'
    with pytest.raises(SubmitRefused) as failure:
        await submit(Launcher(door(tmp_path, f"echo '{answer}'; exit 1")))
    assert failure.value.slurm_message == str(failure.value) == "sbatch: error: Invalid account"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param("echo 'sudo: a password is required' >&2; exit 1", "a password is required", id="sudo refuses"),
        pytest.param("exit 0", "gave no answer", id="silence"),
        pytest.param("echo '{\"ok\": tr'", "gave no answer", id="half an answer"),
        pytest.param("echo 17", "an answer of another form", id="a number"),
        pytest.param("echo '[true]'", "an answer of another form", id="a list"),
        pytest.param("""echo '{"job_id": "17"}'""", "an answer of another form", id="no ok"),
        pytest.param("""echo '{"ok": true}'""", "an answer without a job id", id="no job id"),
        pytest.param("cat >&2 < {request}", "gave no answer", id="its own request as an error"),
    ],
)
async def test_what_is_no_answer_is_an_error_without_the_token(tmp_path: Path, body: str, sentence: str) -> None:
    with pytest.raises(LauncherError, match=sentence) as failure:
        await submit(Launcher(door(tmp_path, body.replace("{request}", f"{tmp_path}/request"))))
    assert SECRET not in str(failure.value)


async def test_a_door_that_repeats_the_session_s_key_is_an_error_without_it(tmp_path: Path) -> None:
    lines = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", "c2hvcnQ="]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    environment = {**ENVIRONMENT, "HPCHUB_TLS": json.dumps({"JUPYTERHUB_SSL_KEYFILE": key})}
    launcher = Launcher(door(tmp_path, f"cat >&2 < {tmp_path}/request"))
    with pytest.raises(LauncherError) as failure:
        await launcher.submit("ada", "leonardo", SESSION, "#!/bin/bash\n", environment)
    assert "PRIVATE KEY" in str(failure.value) and not any(line in str(failure.value) for line in lines)


async def test_a_door_that_hangs_has_a_time_limit(tmp_path: Path) -> None:
    body = f"echo $$ > {tmp_path}/pid; exec sleep 600"
    with pytest.raises(LauncherError, match="door gave no answer in 1 s"):
        await submit(Launcher(door(tmp_path, body), timeout_seconds=1))
    pid = int((tmp_path / "pid").read_text())
    async with asyncio.timeout(10):
        while _runs(pid):  # noqa: ASYNC110 - the kernel has no event for us here
            await asyncio.sleep(0.05)


async def test_a_door_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"/no-door cannot be started: No such file or directory"):
        await submit(Launcher([str(tmp_path / "no-door")]))


async def test_few_requests_are_under_way_at_once(tmp_path: Path) -> None:
    body = f"mkdir -p {tmp_path}/n; touch {tmp_path}/n/$$; ls {tmp_path}/n | wc -l >> {tmp_path}/most; sleep 0.2"
    launcher = Launcher(door(tmp_path, body + f"""; rm {tmp_path}/n/$$; echo '{{"ok": true, "job_id": "17"}}'"""))
    assert await asyncio.gather(*(submit(launcher) for _ in range(20))) == ["17"] * 20
    counts = [int(line) for line in (tmp_path / "most").read_text().splitlines()]
    assert len(counts) == 20 and max(counts) <= 8


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def expected_start(launcher: Launcher) -> int | None:
    return await launcher.expected_start("ada", "leonardo", SESSION, "#!/bin/bash\n")


async def test_an_expected_start_is_asked_for_without_the_job_s_environment(tmp_path: Path) -> None:
    launcher = Launcher(door(tmp_path, """echo '{"ok": true, "start_epoch": 1795310278}'"""))
    assert await expected_start(launcher) == 1795310278
    request = json.loads((tmp_path / "request").read_text())
    assert (request["verb"], request["test_only"], request["environment"]) == ("submit", True, {})


@pytest.mark.parametrize(
    "answer",
    [
        """echo '{"ok": true, "start_epoch": null}'""",
        """echo '{"ok": true, "job_id": "17"}'""",
        """echo '{"ok": false, "kind": "slurm", "message": "allocation failure: Invalid account"}'; exit 1""",
    ],
)
async def test_no_time_is_an_answer_too(tmp_path: Path, answer: str) -> None:
    assert await expected_start(Launcher(door(tmp_path, answer))) is None


async def test_only_two_expected_starts_are_asked_for_at_once(tmp_path: Path) -> None:
    count = (
        f"mkdir {tmp_path}/$$; ls -d {tmp_path}/[0-9]* | wc -l >> {tmp_path}/at-once; sleep 0.1; rmdir {tmp_path}/$$"
    )
    counted = count + """; echo '{"ok": true, "start_epoch": 1}'"""
    launcher = Launcher(door(tmp_path, counted))
    assert await asyncio.gather(*(expected_start(launcher) for _ in range(5))) == [1] * 5
    assert max(map(int, (tmp_path / "at-once").read_text().split())) == 2
