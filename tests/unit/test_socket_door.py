"""The door that is a socket: what the hub sends through it, and what it makes of every answer.

Small scripts stand for the programs behind it, because their answers must be controlled; the real ones, each behind a
real socket, are in the rings ``hub`` and ``machine``.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from hpchub.catalogue.doors import LauncherSettings, ReserverSettings
from hpchub.console.reserver import Reserver
from hpchub.errors import LauncherError, ReservationUnclear, ReserverError, SubmitRefused, SubmitUnclear
from hpchub.jobs.launcher import Launcher
from tests.support.accepting import accepting

SECRET = "0123456789abcdef-token"
SESSION = "0123456789abcdef0123456789abcdef"


class MakeDoor(Protocol):
    """Opens a door behind which a script does this, for each request."""

    def __call__(self, body: str) -> Path: ...


@pytest.fixture
def door(tmp_path: Path) -> Iterator[MakeDoor]:
    with ExitStack() as open_ones:

        def make(body: str) -> Path:
            script = tmp_path / "program"
            script.write_text(f"#!/bin/sh\n{body}\n")
            script.chmod(0o755)
            return open_ones.enter_context(accepting(tmp_path / "door.sock", [script]))

        yield make


async def submit(launcher: Launcher, script: str = "#!/bin/bash\n") -> str:
    return await launcher.submit("ada", "leonardo", SESSION, script, {"JUPYTERHUB_API_TOKEN": SECRET})


async def test_a_submission_is_one_request_and_gives_a_job_id(door: MakeDoor, tmp_path: Path) -> None:
    launcher = Launcher(door(f"""cat > {tmp_path}/request; echo '{{"ok": true, "job_id": "17"}}'"""))
    assert await submit(launcher) == "17"
    assert json.loads((tmp_path / "request").read_text())["environment"] == {"JUPYTERHUB_API_TOKEN": SECRET}


async def test_each_request_is_a_connection_of_its_own(door: MakeDoor, tmp_path: Path) -> None:
    launcher = Launcher(door(f"""cat > /dev/null; echo $$ >> {tmp_path}/pids; echo '{{"ok": true}}'"""))
    await asyncio.gather(*(launcher.cancel("ada", "leonardo", str(job)) for job in range(1, 21)))
    assert len(set((tmp_path / "pids").read_text().split())) == 20


async def test_long_requests_and_long_answers_pass(door: MakeDoor) -> None:
    text = "head -c 300000 /dev/zero | tr '\\0' x"
    launcher = Launcher(
        door(f"""n=$(wc -c); printf '{{"ok": true, "job_id": "%s", "text": "' $n; {text}; echo '"}}'""")
    )
    assert int(await submit(launcher, "#!/bin/bash\n" + "#" * 900_000)) > 900_000
    assert await launcher.log("ada", "leonardo", SESSION) == "x" * 300_000


@pytest.mark.parametrize(
    ("kind", "error"), [("refused", LauncherError), ("slurm", SubmitRefused), ("unclear", SubmitUnclear)]
)
async def test_what_was_not_done_is_told_apart(door: MakeDoor, kind: str, error: type[Exception]) -> None:
    answer = json.dumps({"ok": False, "kind": kind, "message": "its own words"})
    with pytest.raises(error, match=r"^its own words$") as raised:
        await submit(Launcher(door(f"cat > /dev/null; echo '{answer}'; exit 1")))
    assert type(raised.value) is error


async def test_who_refuses_before_having_read_all_is_understood(door: MakeDoor) -> None:
    answer = '{"ok": false, "kind": "refused", "message": "not from you"}'
    with pytest.raises(LauncherError, match=r"^not from you$"):
        await submit(Launcher(door(f"echo '{answer}'")), "#!/bin/bash\n" + "#" * 900_000)


@pytest.mark.parametrize("length", [10, 900_000])
async def test_a_program_that_ends_without_reading_has_done_nothing(door: MakeDoor, length: int) -> None:
    with pytest.raises(LauncherError, match="closed before the request was read; nothing was carried out") as raised:
        await submit(Launcher(door("sleep 0.3")), "#!/bin/bash\n" + "#" * length)
    assert type(raised.value) is LauncherError


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("cat > /dev/null", "gave no answer: the connection ended without a word", id="killed"),
        pytest.param("cat > /dev/null; printf '{\"ok\": tr'", "gave no answer", id="half an answer"),
        pytest.param("cat", "an answer of another form", id="the request itself"),
    ],
)
async def test_what_may_have_been_done_is_unclear(door: MakeDoor, body: str, words: str) -> None:
    with pytest.raises(SubmitUnclear, match=words) as raised:
        await submit(Launcher(door(body)))
    assert SECRET not in str(raised.value)


async def test_a_silent_program_has_a_time_limit(door: MakeDoor) -> None:
    path = door("cat > /dev/null; exec sleep 600")
    with pytest.raises(SubmitUnclear, match=f"^{re.escape(str(path))} gave no answer in 1 s$"):
        await submit(Launcher(path, timeout_seconds=1))


async def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"/no\.sock cannot be connected to: No such file or directory"):
        await submit(Launcher(tmp_path / "no.sock"))


async def test_a_socket_at_which_nobody_listens_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(tmp_path / "door.sock"))
    with pytest.raises(LauncherError, match=r"door\.sock cannot be connected to: Connection refused") as raised:
        await submit(Launcher(tmp_path / "door.sock"))
    assert type(raised.value) is LauncherError


async def test_reservations_go_by_a_socket_too(door: MakeDoor) -> None:
    made = '{"name": "hpchub_school", "nodes": 4, "starts_epoch": 1, "ends_epoch": 2}'
    reserver = Reserver(
        ReserverSettings(socket=door(f"""cat > /dev/null; echo '{{"ok": true, "reservation": {made}}}'"""))
    )
    assert (await reserver.resize("leonardo", "hpchub_school", 4)).nodes == 4


async def test_a_reservation_that_may_have_been_made_is_unclear(door: MakeDoor, tmp_path: Path) -> None:
    with pytest.raises(ReservationUnclear, match="gave no answer"):
        await Reserver(ReserverSettings(socket=door("cat > /dev/null"))).delete("leonardo", "hpchub_school")
    with pytest.raises(ReserverError, match="cannot be connected to") as raised:
        await Reserver(ReserverSettings(socket=tmp_path / "no.sock")).delete("leonardo", "hpchub_school")
    assert type(raised.value) is ReserverError


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "door: is missing"),
        ({"door": ["sudo", "hpchub-launch"], "socket": "/run/x.sock"}, "only one of them can be used"),
        ({"socket": "run/x.sock"}, "an absolute path"),
        ({"socket": f"/{'x' * 107}"}, "a shorter path"),
    ],
)
def test_a_door_is_a_command_or_a_socket(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LauncherSettings.model_validate(values)
    assert LauncherSettings.model_validate({"socket": f"/{'x' * 106}"}).way == Path(f"/{'x' * 106}")


PROGRAMS = ["hpchub_launch", "hpchub_reserve"]
CHECK = """
import json, sys
from hpchub.jobs.{program} import Refused, check_peer
try:
    check_peer(json.loads(sys.argv[1]))
    print("let in")
except Refused as error:
    print(error)
"""


def checking(program: str, policy: dict[str, str]) -> list[str]:
    """The command that says what a program thinks of who is at the other end of its standard input."""
    return [sys.executable, "-c", CHECK.format(program=program), json.dumps(policy)]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"peer": pwd.getpwuid(os.getuid()).pw_name}, "let in"),
        ({"peer": "daemon"}, f"only the policy's peer (daemon) may ask through this socket, not user id {os.getuid()}"),
        ({"peer": ""}, f"only the policy's peer (none) may ask through this socket, not user id {os.getuid()}"),
        ({}, f"only the policy's peer (none) may ask through this socket, not user id {os.getuid()}"),
    ],
)
def test_a_socket_lets_in_the_policy_s_peer_alone(
    tmp_path: Path, program: str, policy: dict[str, str], says: str
) -> None:
    with accepting(tmp_path / "door.sock", checking(program, policy)) as path, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        assert peer.makefile().read().strip() == says


@pytest.mark.parametrize("program", PROGRAMS)
def test_who_is_let_in_over_the_network_is_nobody(program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        with listener.accept()[0] as other:
            command = checking(program, {"peer": pwd.getpwuid(os.getuid()).pw_name})
            subprocess.run(command, stdin=other.fileno(), stdout=other.fileno(), check=True)
        assert "may ask through this socket" in peer.makefile().read()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_socket_that_a_program_made_for_what_it_starts_is_no_door(program: str) -> None:
    ours, given = socket.socketpair()
    with ours, given:
        done = subprocess.run(checking(program, {}), stdin=given.fileno(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "let in"
