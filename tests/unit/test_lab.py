"""What the hub lays beside a notebook server: complete, small, readable by old Pythons, and nobody's trouble."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import logging
import os
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hpchub.lab import CONFIG, FOLDER, files, packed
from hpchub.lab.hpchub_session import gpu, hub
from hpchub.lab.words import WORDS, in_languages
from tests.support.served import Quiet, served
from tests.support.wait import until
from tests.unit.test_bootstrap import SECONDS, SOURCE, Hub, job

MODULES = sorted((FOLDER / "hpchub_session").glob("*.py"))
SCRIPT = (FOLDER / "session.js").read_text()
SESSION = "0123456789abcdef" * 2
LAID = SOURCE.replace('BESIDE = ""', f"BESIDE = '{packed()}'", 1)

TELLS_ITS_FOLDER = """
import json, os, sys
paths = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
there = [os.path.join(where, name) for where, _, names in os.walk(paths[0]) for name in names]
found = sorted(os.path.relpath(path, paths[0]) for path in there)
print(json.dumps({"folder": paths[0], "mode": oct(os.stat(paths[0]).st_mode), "files": found}), flush=True)
"""


def test_what_is_packed_is_every_file() -> None:
    assert json.loads(zlib.decompress(base64.b64decode(packed()))) == files()
    assert packed().isascii() and len(packed()) < 20_000, "each job's script has it"


def test_the_page_s_script_has_a_name_of_its_own_and_its_words() -> None:
    package = json.loads(files()["labextensions/hpchub-session/package.json"])
    script = files()[f"labextensions/hpchub-session/{package['jupyterlab']['_build']['load']}"]
    assert json.dumps(in_languages()["it"], ensure_ascii=False) in script


def test_the_page_says_what_there_are_words_for() -> None:
    said = [name for call in re.findall(r"say\(([^,)]*)", SCRIPT) for name in re.findall(r'"(\w+)"', call)]
    assert set(said) == set(WORDS)


def test_a_warning_is_not_cut_by_jupyterlab() -> None:
    texts = [words["warning"].format(time="15 min", clock="23:45") for words in in_languages().values()]
    assert max(map(len, texts)) <= 140


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.name))
def test_the_server_s_side_is_read_by_old_pythons_and_needs_nothing_of_ours(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    others = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    roots = {str(name).split(".")[0] for name in (*plain, *others)}
    assert roots <= {*sys.stdlib_module_names, "tornado", "jupyter_server"}


def test_the_configuration_finds_both_parts(tmp_path: Path) -> None:
    program = tmp_path / "config.py"
    program.write_text(
        "class C:\n    def __getattr__(self, name): return self\n    def append(self, path): print(path)\nc = C()\n"
        + CONFIG
        + "print(sys.path[-1])\n"
    )
    printed = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [str(tmp_path / "labextensions"), str(tmp_path / "python")]


def test_the_job_lays_the_files_and_takes_them_away(tmp_path: Path) -> None:
    with laid_job(tmp_path, LAID, TELLS_ITS_FOLDER + "sys.exit(0)") as (running, _):
        assert running.wait() == 0
    told = json.loads(next(line for line in running.log.read_text().splitlines() if line.startswith("{")))
    assert (told["mode"], told["files"]) == ("0o40700", sorted(files()))
    assert not Path(told["folder"]).exists()


def test_they_are_gone_when_a_job_is_ended_that_takes_its_time(tmp_path: Path) -> None:
    stays = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + TELLS_ITS_FOLDER + "signal.pause()\n"
    with laid_job(tmp_path, LAID, stays) as (running, _):
        found = until(lambda: re.findall(r'"folder": "([^"]*)"', running.log.read_text()), "the server to run", SECONDS)
        folder = Path(found[0])
        assert folder.is_dir()
        running.process.terminate()
        until(lambda: not folder.exists(), "the folder to be gone", SECONDS)
        assert running.process.poll() is None, "the server has not ended yet"
        for child in running.children():
            os.kill(child, signal.SIGKILL)


def test_they_are_gone_when_a_job_is_ended_while_they_are_laid(tmp_path: Path) -> None:
    opens = "            with open(os.path.join(folder, path)"
    in_the_middle = LAID.replace(opens, "            os.kill(os.getpid(), signal.SIGTERM)\n" + opens)
    assert in_the_middle != LAID
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    here = in_the_middle.replace('os.environ.get("TMPDIR")', repr(str(temporary)))
    with laid_job(tmp_path, here, "raise SystemExit(3)") as (running, _):
        assert running.wait() == 128 + signal.SIGTERM
    assert list(temporary.iterdir()) == []


def test_a_job_that_cannot_lay_them_starts_without(tmp_path: Path) -> None:
    unreachable = LAID.replace('PLACES = ("/tmp", ', 'PLACES = ("/proc/no", ').replace('os.environ.get("TMPDIR")', '""')
    assert '("/proc/no", ' in unreachable
    program = "import os, sys\nsys.exit('JUPYTER_CONFIG_PATH' in os.environ)\n"
    with laid_job(tmp_path, unreachable, program) as (running, _):
        assert running.wait() == 0
    assert "the notebook starts without what it could show of its session" in running.log.read_text()


@contextmanager
def laid_job(folder: Path, source: str, program: str) -> Iterator[Any]:
    told = Hub()
    try:
        with job(folder, program, told.url, source) as running:
            yield running, told
    finally:
        told.stop()


# GPUs


@pytest.mark.parametrize(
    ("printed", "percent"),
    [
        ("37\n", 37),
        ("0\n100\n", 50),
        (" 12 \n", 12),
        ("[N/A]\n", None),
        ("[N/A]\n40\n", 40),
        ("", None),
        ("error\n", None),
    ],
)
def test_the_use_of_gpus_is_the_mean_of_what_nvidia_smi_says(printed: str, percent: int | None) -> None:
    assert gpu.mean(printed) == percent


def planted(folder: Path, text: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + text)
    program.chmod(0o755)


def test_only_the_job_s_own_gpus_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.command({"CUDA_VISIBLE_DEVICES": "0,2"})[-1] == "--id=0,2"
    assert gpu.command({}) == []
    assert gpu.command({"CUDA_VISIBLE_DEVICES": "0 --reset"}) == []


def test_without_the_program_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.command({"CUDA_VISIBLE_DEVICES": "0"}) == []


async def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, "exec /bin/sleep 600\n")
    monkeypatch.setattr(gpu, "PATIENCE_SECONDS", 0.2)
    assert await gpu._ask([str(tmp_path / "nvidia-smi")]) is None


async def test_what_was_measured_is_told_as_a_mean_and_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(tmp_path, f"echo $(( $(cat {tmp_path}/n) + 10 )) >{tmp_path}/n; cat {tmp_path}/n\n")
    (tmp_path / "n").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(gpu, "SECONDS", 0.01)
    use = gpu.Use()
    running = asyncio.create_task(use.run())
    while len(use._percents) < 3:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    running.cancel()
    seen = use._percents
    assert use.take() == round(sum(seen) / len(seen)) == use.take()


# The hub


class Answers:
    """Stands for the hub's handler: gives what a test says, keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.room: dict[str, Any] = {"ends_epoch": 10**10, "hand": False}
        self.status = 200
        answers = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                answers.asked.append(("GET", self.path, dict(self.headers), b""))
                known = self.headers["If-None-Match"] == '"tag"'
                self.send_response(304 if known and answers.status == 200 else answers.status)
                self.send_header("Etag", '"tag"')
                self.send_header("Retry-After", "600")
                self.end_headers()
                if not known:
                    self.wfile.write(json.dumps(answers.room).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.asked.append(("POST", self.path, dict(self.headers), body))
                self.send_response(204 if answers.status == 200 else answers.status)
                self.end_headers()

        self._served = ExitStack()
        self.url = self._served.enter_context(served(Handler)) + "/hub/api"

    def stop(self) -> None:
        self._served.close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    running = Answers()
    yield running
    running.stop()


def asking(answers: Answers, use: gpu.Use | None = None) -> hub.Hub:
    environment = {
        "HPCHUB_SESSION": SESSION,
        "JUPYTERHUB_USER": "ada",
        "JUPYTERHUB_API_URL": answers.url,
        "JUPYTERHUB_API_TOKEN": "secret",
        "JUPYTERHUB_BASE_URL": "/",
    }
    return hub.Hub(environment, use or gpu.Use(), logging.getLogger("test"))


async def test_an_answer_is_kept_and_not_sent_again(answers: Answers) -> None:
    use = gpu.Use()
    use._percents = [30, 40]
    here = asking(answers, use)
    assert here.page("ada") == {"session": SESSION, "left_seconds": None, "mine": True, "home": "/hub/home"}
    assert await here._ask() == await here._ask() == 600
    first, second = answers.asked
    assert first[1] == second[1] == f"/hub/api/hpchub/sessions/{SESSION}/room?gpu_percent=35"
    assert (first[2]["Authorization"], first[2]["Prefer"]) == ("token secret", "wait")
    assert (first[2]["If-None-Match"], second[2]["If-None-Match"]) == ("", '"tag"')
    assert here.page("ada")["left_seconds"] > 0 and here.page("carla")["mine"] is False


async def test_a_hub_that_is_away_takes_nothing_from_the_page(answers: Answers) -> None:
    here = asking(answers)
    await here._ask()
    answers.status = 503
    assert await here._ask() is None
    assert here.page("ada")["left_seconds"] > 0


async def test_a_hand_is_up_once_the_hub_has_said_so(answers: Answers) -> None:
    here = asking(answers)
    await here._ask()
    assert await here.raise_hand(True) and here.page("ada")["hand"] is True
    assert answers.asked[-1][1] == f"/hub/api/hpchub/sessions/{SESSION}/hand"
    assert json.loads(answers.asked[-1][3]) == {"up": True}
    answers.status = 503
    assert not await here.raise_hand(False) and here.page("ada")["hand"] is True


def test_pauses_grow_and_differ() -> None:
    assert [hub.pause_after(failures, 0.5) for failures in (1, 2, 3, 4, 5, 50)] == [30, 60, 120, 240, 300, 300]
    assert (hub.pause_after(1, 0), hub.pause_after(1, 1)) == (15, 45)


def test_internal_tls_is_used_where_there_is_some() -> None:
    assert hub.ssl_context({}) is None
    with pytest.raises(OSError):
        hub.ssl_context({"JUPYTERHUB_SSL_KEYFILE": "/no/key", "JUPYTERHUB_SSL_CERTFILE": "/no/certificate"})
