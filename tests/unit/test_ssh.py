"""What is given to ``ssh``, and what is made of its words; the real ``sshd`` is in the ring ``slurm``."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from hpchub.catalogue.site import SiteFile, Ssh
from hpchub.errors import Unreachable
from hpchub.slurm import commands
from hpchub.ssh import LoginNode, explained, never_sent, query_argv, ssh_argv, through_ssh, valid_until
from tests.unit.data.world import demo_catalogue

SOCKET = Path("/var/lib/hpchub/ssh/leonardo")
NOON, HOUR = 1_800_000_000, 3600


def settings(**more: object) -> Ssh:
    values = {
        "host": "login01.example.org",
        "user": "hpchub",
        "identity_file": "/etc/hpchub/id",
        "certificate_file": "/etc/hpchub/id-cert.pub",
        "known_hosts_file": "/etc/hpchub/known_hosts",
    }
    return Ssh.model_validate({**values, **more})


def effective(argv: list[str]) -> dict[str, str]:
    """The options as ``ssh`` itself understands them, by lower-case name."""
    listing = subprocess.run([argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in listing.splitlines() if " " in line)


def test_ssh_understands_every_option() -> None:
    told = effective([*ssh_argv(settings(port=2222), SOCKET), "--", "login01.example.org"])
    expected = {
        "hostname": "login01.example.org",
        "port": "2222",
        "user": "hpchub",
        "batchmode": "yes",
        "stricthostkeychecking": "true",
        "userknownhostsfile": "/etc/hpchub/known_hosts",
        "globalknownhostsfile": "/dev/null",
        "updatehostkeys": "false",
        "identitiesonly": "yes",
        "identityagent": "none",
        "identityfile": "/etc/hpchub/id",
        "certificatefile": "/etc/hpchub/id-cert.pub",
        "forwardagent": "no",
        "clearallforwardings": "yes",
        "permitlocalcommand": "no",
        "controlpath": str(SOCKET),
        "serveraliveinterval": "10",
        "serveralivecountmax": "3",
        "connecttimeout": "10",
        "requesttty": "false",
    }
    assert {name: told.get(name) for name in expected} == expected


def test_without_a_certificate_none_is_offered() -> None:
    assert not any("CertificateFile" in word for word in ssh_argv(settings(certificate_file=None), SOCKET))


def test_a_command_never_makes_a_connection_of_its_own() -> None:
    argv = through_ssh(settings(), SOCKET, ["true"])
    assert effective(argv)["controlmaster"] == "false"
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 255 and never_sent(done.stderr)


HOSTILE = [
    "a b",
    "",
    "$(id)",
    "`id`",
    "%i|%T",
    "'",
    '"',
    "\\",
    "-o",
    "*",
    "~root",
    "a\nb",
    ";",
    "&&",
    "#",
    "!!",
    "è",
    "\t",
]


def as_the_shell_reads(argv: list[str], shell: str) -> list[str]:
    """What the far side runs when its login shell gets our last word."""
    done = subprocess.run([shell, "-c", argv[-1]], capture_output=True, check=True, cwd="/")
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_hostile_words_arrive_as_they_are(shell: str) -> None:
    argv = through_ssh(settings(), SOCKET, ["/usr/bin/printf", "%s\\0", *HOSTILE])
    assert as_the_shell_reads(argv, shell) == HOSTILE


def test_the_words_of_every_query_arrive_as_they_are() -> None:
    for query in (commands.jobs("leonardo"), commands.nodes("leonardo"), commands.accounting("leonardo", ["1", "2"])):
        argv = through_ssh(settings(), SOCKET, ["/usr/bin/printf", "%s\\0", *query])
        assert as_the_shell_reads(argv, "/bin/sh") == query


def test_a_query_runs_in_exactly_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    variables = {**commands.ENVIRONMENT, "SLURM_CONF": "/etc/slurm/it's here.conf"}
    argv = through_ssh(settings(), SOCKET, query_argv(["env", "-0"], variables, 15))
    assert sorted(as_the_shell_reads(argv, "/bin/sh")) == sorted(f"{name}={value}" for name, value in variables.items())


def test_a_query_that_hangs_there_is_ended_there() -> None:
    argv = query_argv(["sleep", "600"], {"PATH": "/usr/bin:/bin"}, 0.2)
    assert subprocess.run(argv, check=False, timeout=30).returncode in (137, -9)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hpchub-has-no-connection", True),
        ("Control socket connect(/run/a): Connection refused\nhpchub-has-no-connection", True),
        ("mux_client_request_session: session request failed: Session open refused\nhpchub-has-no-connection", True),
        ("mux_client_request_session: read from master failed: Broken pipe\nhpchub-has-no-connection", False),
        ("Connection closed by remote host", False),
        ("", False),
    ],
)
def test_only_what_certainly_was_not_sent_counts_as_such(words: str, expected: bool) -> None:
    assert never_sent(words) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("        Valid: from 2027-01-15T07:00:00 to 2027-01-15T08:00:00", NOON),
        ("        Valid: before 2027-01-15T08:00:00", NOON),
        ("        Valid: after 2027-01-15T08:00:00", None),
        ("        Valid: forever", None),
        ("", None),
    ],
)
def test_the_end_of_a_certificate_is_read(line: str, expected: float | None) -> None:
    text = f'        Key ID: "hub"\n        Serial: 0\n{line}\n        Principals: \n                hpchub\n'
    assert valid_until(text) == expected


DENIED = "hpchub@login01.example.org: Permission denied (publickey)."


@pytest.mark.parametrize(
    ("words", "until_epoch", "sentence"),
    [
        (
            DENIED,
            NOON - 1,
            "the certificate /etc/hpchub/id-cert.pub expired at 2027-01-15 07:59:59 UTC; it has to be renewed",
        ),
        (DENIED, NOON + HOUR, "login01.example.org does not let hpchub in with /etc/hpchub/id-cert.pub"),
        (DENIED, None, "login01.example.org does not let hpchub in with /etc/hpchub/id-cert.pub"),
        (
            "@@@\nHost key verification failed.",
            None,
            "the host key of login01.example.org is not the one in /etc/hpchub/known_hosts; nothing was sent. "
            "Ask the administrators of the login node which key it has",
        ),
        (
            "ssh: connect to host login01.example.org port 22: Connection refused",
            NOON - 1,
            "ssh to login01.example.org said: ssh: connect to host login01.example.org port 22: Connection refused",
        ),
        ("", None, "ssh to login01.example.org gave no reason"),
    ],
)
def test_an_admin_reads_why_there_is_no_connection(words: str, until_epoch: float | None, sentence: str) -> None:
    assert explained(words, settings(), until_epoch, NOON) == sentence


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "-oProxyCommand=id"},
        {"host": "a b"},
        {"user": "root;id"},
        {"port": 0},
        {"identity_file": "id"},
        {"identity_file": "/etc/%h/id"},
        {"known_hosts_file": "/etc/a b"},
        {"launcher": []},
        {"environment": {"A=B": "c"}},
        {"sessions": 1},
    ],
    ids=str,
)
def test_settings_that_ssh_would_take_for_something_else_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_a_folder_too_long_for_a_socket_is_named() -> None:
    values = demo_catalogue().site.model_dump(exclude={"file"})
    values["clusters"]["leonardo"]["ssh"] = settings().model_dump()
    assert SiteFile.model_validate(values).ssh_socket("leonardo").name == "leonardo"
    values["hub"]["state_folder"] = Path("/" + "a" * 80)
    with pytest.raises(ValidationError, match="which has more than 90 characters; possible: a shorter path"):
        SiteFile.model_validate(values)


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], Path]:
    """Gives a certificate that ends so much later, as ``ssh-keygen -V`` says it; all keys are made for one test."""

    def tool(*argv: str) -> None:
        subprocess.run(["ssh-keygen", "-q", *argv], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)

    for name in ("authority", "id"):
        tool("-t", "ed25519", "-N", "", "-f", name)

    def certificate(later: str) -> Path:
        tool("-s", "authority", "-I", "hub", "-n", "hpchub", "-V", f"-5m:{later}", "id.pub")
        return tmp_path / "id-cert.pub"

    return certificate


@pytest.mark.parametrize(("later", "warnings"), [("+30m", 1), ("+59m", 1), ("+61m", 0), ("+12h", 0)])
async def test_a_certificate_that_nobody_has_renewed_is_warned_of_once_in_its_last_hour(
    later: str, warnings: int, authority: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = authority(later)
    # Nobody listens there: what is warned of does not depend on the connection.
    nowhere = settings(host="127.0.0.1", port=1, identity_file=str(tmp_path / "id"), certificate_file=str(certificate))
    node = LoginNode("leonardo", nowhere, tmp_path / "socket")
    for _ in range(2):
        with pytest.raises(Unreachable):
            async with node.query(["squeue"], {}, 5):
                pass
    said = [each.getMessage() for each in caplog.records if "was not renewed" in each.getMessage()]
    assert len(said) == warnings
    assert all(each.startswith(f"leonardo: the certificate {certificate} ends at ") for each in said)
