"""The log of a session: its end is there when a session ended badly, and its user can read it at any time."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator

import pytest

from tests.support.endings import jupyter_config, log_of, refine, wait_for_end
from tests.support.site import Site

FREE = {"profile": "general/data-preparation", "allocation": "aifac_agri01", "size": "small", "minutes": 60}
TELLS_ITS_TOKEN = """
import os, sys
token = os.environ["JUPYTERHUB_API_TOKEN"]
words = f"\\x1b[31mtold\\x1b[0m: {token} http://example.org/?token={token[:20]}\\x00 that was it"
print(words, file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def running(started_site: Site) -> str:
    """Start a session of bruno's for the two tests that only read; return its id."""
    return str(started_site.run("bruno", {**FREE, "allocation": "aifac_cyber01"})["id"])


def test_the_log_of_a_running_session_can_be_read_by_its_user_alone(started_site: Site, running: str) -> None:
    site, path = started_site, f"/hpchub/sessions/{running}/log"
    mine = site.api("GET", path, token=site.token_of("bruno"))
    assert mine.status == 200
    assert mine.json["id"] == running and "is running at" in mine.json["text"]
    assert site.api("GET", path, token=site.token_of("ada")).status == 404
    assert site.api("GET", path, token="").status == 403
    assert site.api("GET", f"/hpchub/sessions/{'0' * 32}/log").status == 404


def test_whatever_is_in_the_place_of_a_log_nothing_waits_and_nothing_else_is_read(
    started_site: Site, running: str
) -> None:
    site, log, path = started_site, log_of("bruno", running), f"/hpchub/sessions/{running}/log"
    log.rename(log.with_suffix(".away"))
    missing = site.api("GET", path)
    assert (missing.status, "No such file or directory" in missing.message) == (409, True)
    log.symlink_to("/etc/hostname")
    assert "Too many levels of symbolic links" in site.api("GET", path).message
    log.unlink()
    os.mkfifo(log)
    os.chown(log, pwd.getpwnam("bruno").pw_uid, -1)
    assert site.api("GET", path, seconds=10).message.endswith(" is not a file")
    log.unlink()
    log.mkdir()
    assert "Is a directory" in site.api("GET", path).message
    log.rmdir()
    log.write_bytes(b"x" * 100_000 + b"\n\xff\xfe the end\n")
    os.chown(log, pwd.getpwnam("bruno").pw_uid, -1)
    text = site.api("GET", path).json["text"]
    assert text.endswith("x\n�� the end\n") and len(text) <= 64 * 1024


@pytest.fixture
def broken_python(site: Site) -> Iterator[Site]:
    """The environment's Python names an interpreter that is not there."""
    build = (site.folder / "environments" / "base" / "x86_64-demo" / "current").resolve()
    python, away = build / "bin" / "python", build / "bin" / "python.away"
    python.rename(away)
    python.write_text("#!/nowhere/python\n")
    python.chmod(0o755)
    yield site
    python.unlink()
    away.rename(python)


def test_an_environment_that_does_not_run_shows_what_the_shell_said(broken_python: Site) -> None:
    site = broken_python
    assert site.start("ada", FREE).status in (201, 202, 500)
    over = wait_for_end(site, "ada", 90)
    assert over["ending"] == "broken-environment"
    assert "bin/python: cannot execute" in refine(site, over, "log_tail", "cannot execute")["log_tail"]


def test_no_token_and_no_control_character_is_in_what_is_shown(site: Site) -> None:
    with jupyter_config("ada", TELLS_ITS_TOKEN + "sys.exit(3)\n"):
        assert site.start("ada", FREE).status in (201, 202, 500)
        over = wait_for_end(site, "ada", 90)
    assert over["ending"] == "server-exited"
    assert "told: … http://example.org/?token=… that was it" in over["log_tail"]
    answer = site.api("GET", f"/hpchub/sessions/{over['id']}/log", token=site.token_of("ada"))
    assert "told: … http://example.org/?token=… that was it\n" in answer.json["text"]
