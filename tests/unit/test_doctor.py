"""The doctor's judgements, without a deployment."""

from __future__ import annotations

import ast
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer

import pytest

from hpchub.checks import doctor
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.hub import certificate, judged
from hpchub.checks.doctor.slurm import clocks, kept, private_data, versions
from hpchub.checks.finding import Finding, Verdict, any_fault, fault, fine, not_checked, warning
from hpchub.errors import SlurmError
from hpchub.jobs.launcher import Launcher
from hpchub.slurm import settings
from tests.unit.data.world import demo_catalogue

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "find-what-is-broken.md"
GOOD = {"cleanup_servers": False, "cleanup_proxy": False, "concurrent_spawn_limit": 0}


@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        ({}, Verdict.FINE, "sessions outlive the hub"),
        ({"cleanup_servers": True}, Verdict.FAULT, "a stop of the hub ends everybody's session"),
        ({"concurrent_spawn_limit": 100}, Verdict.FAULT, "concurrent_spawn_limit is 100"),
        ({"cleanup_proxy": True}, Verdict.WARNING, "nobody reaches a notebook while the hub restarts"),
    ],
)
def test_settings_of_the_hub_that_lose_sessions_are_told(
    change: dict[str, object], verdict: Verdict, says: str
) -> None:
    (finding,) = judged({**GOOD, **change})
    assert (finding.verdict, says in finding.says) == (verdict, True)


@pytest.mark.parametrize(
    ("private", "operator", "verdict"),
    [
        ("none", False, Verdict.FINE),
        ("(null)", False, Verdict.FINE),
        ("jobs,usage", False, Verdict.FAULT),
        ("jobs,usage", True, Verdict.FINE),
        ("nodes", False, Verdict.WARNING),
        ("reservations", False, Verdict.FINE),
    ],
)
def test_private_data_matters_to_a_hub_that_is_no_operator(private: str, operator: bool, verdict: Verdict) -> None:
    assert private_data({"privatedata": private}, operator, "hub", "slurm.conf", "leonardo").verdict is verdict


@pytest.mark.parametrize(
    ("flags", "verdicts"),
    [
        ("job_comment", [Verdict.FINE]),
        ("(null)", [Verdict.WARNING]),
        ("job_comment,job_env", [Verdict.FAULT]),
        ("job_env,job_script", [Verdict.FAULT, Verdict.WARNING]),
    ],
)
def test_the_accounting_keeps_comments_and_never_environments(flags: str, verdicts: list[Verdict]) -> None:
    assert [each.verdict for each in kept({"accountingstoreflags": flags}, "leonardo")] == verdicts


@pytest.mark.parametrize(
    ("commands", "daemon", "verdict"),
    [
        ((22, 5), (22, 5), Verdict.FINE),
        ((22, 5), (23, 2), Verdict.WARNING),
        ((24, 11), (24, 5), Verdict.FAULT),
    ],
)
def test_commands_that_are_newer_than_their_daemon_are_a_fault(
    commands: tuple[int, int], daemon: tuple[int, int], verdict: Verdict
) -> None:
    assert versions(commands, daemon, "leonardo").verdict is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(-1.5, Verdict.FINE), (20, Verdict.WARNING), (-400, Verdict.FAULT)])
def test_clocks_that_are_apart_are_told(seconds: float, verdict: Verdict) -> None:
    finding = clocks("the hub's machine", "slurmctld", seconds, "leonardo")
    assert finding.verdict is verdict
    assert f"{abs(seconds):.1f} s apart" in finding.says


def test_slurms_settings_are_read_by_name_whatever_stands_around_them() -> None:
    told = settings.read_settings(
        "Configuration data as of 2026-01-01T00:00:00\nPrivateData             = none\nPowerPlugin             = \n"
        "SlurmctldHost[0]        = localhost(127.0.0.1)\nPrivateData            = jobs\n\n"
        "Slurmctld(primary) at x is UP\n"
    )
    # What comes last counts: slurmdbd's own settings follow those of the command that asked it.
    assert told == {"privatedata": "jobs", "powerplugin": ""}


@pytest.mark.parametrize(
    ("text", "version"),
    [("slurm-wlm 22.05.8", (22, 5)), ("slurm 24.11.5", (24, 11)), ("26.05.5-1", (26, 5))],
)
def test_versions_are_years_and_months(text: str, version: tuple[int, int]) -> None:
    assert settings.read_version(text) == version


def test_the_controllers_clock_is_read_from_its_statistics() -> None:
    text = "*******\nsdiag output at Sun Nov 22 03:51:56 2026 (1795319516)\nData since      Sun (1795319463)\n"
    assert settings.read_clock(text) == 1795319516


@pytest.mark.parametrize(
    "read", [settings.read_settings, settings.read_clock, settings.read_version], ids=lambda read: read.__name__
)
def test_an_answer_that_says_nothing_is_an_error(read: object) -> None:
    with pytest.raises(SlurmError):
        read("")  # type: ignore[operator]  # each of them takes a text


SUBJECT_FIRST = ("fine", "warning", "fault", "not_checked", "judge", "check_build", "_program")
"""What the checks give the subject of a finding to."""


def test_the_guide_explains_every_finding() -> None:
    named = set()
    for path in Path(doctor.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                if getattr(node.func, "id", "") in SUBJECT_FIRST:
                    named.add(str(node.args[0].value))
    rows = re.findall(r"^\| `([^`]+)` \|", GUIDE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(named | {"environments"})


def test_only_a_fault_makes_the_exit_status_1() -> None:
    harmless = [fine("a", "b"), warning("a", "b", "c"), not_checked("a", "b")]
    assert not any_fault(harmless)
    assert any_fault([*harmless, fault("a", "b", "c")])


@dataclass(frozen=True)
class Authority:
    """A certificate authority of this test's own."""

    folder: Path

    def make(self, days: int) -> ssl.SSLContext:
        """Make it, and a server's certificate for ``localhost`` that ends in so many days."""
        self._run(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"
        )
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request", "-subj", "/CN=hub")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost\n")
        signed = ["-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "names"]
        self._run("x509", *signed, "-days", str(days), "-out", "cert.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        return context

    def _run(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class Handshake(BaseRequestHandler):
    """Reads until the client has gone."""

    def handle(self) -> None:
        try:
            self.request.recv(1)
        except OSError:
            return


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def serving(context: ssl.SSLContext) -> Iterator[int]:
    """Speak TLS on a port of this machine."""

    class Server(TCPServer):
        def get_request(self) -> tuple[ssl.SSLSocket, object]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True), address

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust us goes away in the middle."""

    with Server(("127.0.0.1", 0), Handshake) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


async def examined(port: int) -> Finding:
    site = demo_catalogue().site
    hub = site.hub.model_copy(update={"bind_url": f"https://localhost:{port}"})
    here = site.model_copy(update={"hub": hub})
    (finding,) = await certificate(Deployment(here, None, "", "", "", None, {}, Launcher(("false",))))
    return finding


@pytest.mark.parametrize(("days", "verdict"), [(90, Verdict.FINE), (5, Verdict.WARNING)])
async def test_a_certificate_that_ends_soon_is_told(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, days: int, verdict: Verdict
) -> None:
    for port in serving(authority.make(days)):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.folder / "ca.pem"))
        finding = await examined(port)
    assert (finding.verdict, f"in {days} days" in finding.says) == (verdict, True)


async def test_a_certificate_that_nobody_trusts_is_a_fault(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for port in serving(authority.make(90)):
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        finding = await examined(port)
    assert finding.verdict is Verdict.FAULT
    assert "Browsers do not trust the certificate of localhost" in finding.says
