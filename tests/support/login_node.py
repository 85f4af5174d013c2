"""A login node: a real sshd on a port of this machine, with an authority for certificates, all made for one test run.

Its one account is the hub's there; it may run the launcher, by one sudoers line, as a site sets it up.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.support.site import REPOSITORY, SYSTEM_PYTHON, Site
from tests.support.wait import until

PORT = 2222
ACCOUNT = "hpchub-login"
HUB_USER = "hpchub-demo-hub"

# The demo's own starting program, with a few lines more at the end of the site file: those of the last cluster.
_DEMO_WITH_MORE = """
import sys
import demo.site
from demo.__main__ import main

text_of = demo.site.site_text
demo.site.site_text = lambda place: text_of(place) + sys.argv[1]
sys.exit(main(["up"]))
"""


class LoginNode:
    """The sshd, and the keys on both of its sides.

    Args:
        site: whose cluster it4lia is behind it.
        folder: for everything that it needs.
    """

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.log_file = folder / "sshd.log"
        self.certificate = folder / "hub" / "id-cert.pub"
        self.known_hosts = folder / "hub" / "known_hosts"
        self._sshd: subprocess.Popen[bytes] | None = None
        self._sudoers = Path("/etc/sudoers.d") / ACCOUNT

    def make(self) -> None:
        """Make keys, account and sudoers line."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        hub = pwd.getpwnam(HUB_USER)
        (self.folder / "hub").mkdir(parents=True)
        for name in ("host", "authority", "hub/id"):
            self._tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name)
        os.chown(self.folder / "hub" / "id", hub.pw_uid, hub.pw_gid)
        # `*`: no password, but not locked, which sshd would refuse.
        home = str(self.folder / "home")
        self._tool("useradd", "--create-home", "--home-dir", home, "--shell", "/bin/sh", "--password", "*", ACCOUNT)
        launcher = self.site.folder / "libexec" / "hpchub-launch"
        self._sudoers.write_text(f'{ACCOUNT} ALL=(root) NOPASSWD: {launcher} ""\n')
        self._sudoers.chmod(0o440)
        self.know("host")
        self.certify("+12h")
        (self.folder / "sshd_config").write_text(
            f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            f"TrustedUserCAKeys {self.folder}/authority.pub\nAuthorizedKeysFile none\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nLogLevel VERBOSE\n"
        )

    def remove(self) -> None:
        """Stop it and remove what it put on the machine."""
        self.stop()
        self._tool("userdel", ACCOUNT)
        self._sudoers.unlink()
        shutil.rmtree(self.folder)

    def _tool(self, *argv: str) -> str:
        done = subprocess.run(
            argv, cwd=self.folder, env={**os.environ, "TZ": "UTC"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    # What a site's people do

    def certify(self, until_when: str) -> None:
        """Renew the hub's certificate; it ends at a time as ``ssh-keygen -V`` takes it."""
        self._tool("cp", "hub/id.pub", "new.pub")
        self._tool(
            "ssh-keygen", "-q", "-s", "authority", "-I", "hub", "-n", ACCOUNT, "-V", f"-5m:{until_when}", "new.pub"
        )
        self._tool("mv", "new-cert.pub", str(self.certificate))

    def know(self, name: str) -> None:
        """Write a key into the hub's file of known hosts."""
        key = " ".join((self.folder / f"{name}.pub").read_text().split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{PORT} {key}\n")

    def put_before_it4lia(self) -> None:
        """Restart the hub with a site file in which it4lia is behind this login node."""
        conf = re.search(r"SLURM_CONF='?([^'\s;]+)", (self.site.folder / "env").read_text())
        assert conf, "the demo's file env names no SLURM_CONF"
        lines = f"""\
    ssh:
      host: 127.0.0.1
      port: {PORT}
      user: {ACCOUNT}
      identity_file: {self.folder}/hub/id
      certificate_file: {self.certificate}
      known_hosts_file: {self.known_hosts}
      launcher: [sudo, "-n", {self.site.folder}/libexec/hpchub-launch]
      environment: {{SLURM_CONF: {conf[1]}}}
    watching: {{idle_seconds: 4, nodes_seconds: 4}}
"""
        done = subprocess.run(
            [SYSTEM_PYTHON, "-B", "-c", _DEMO_WITH_MORE, lines],
            cwd=REPOSITORY,
            env={**os.environ, "HPCHUB_DEMO_DIR": str(self.site.folder), "HPCHUB_DEMO_PORT": str(self.site.port)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    # The daemon

    def start(self) -> None:
        """Start sshd and wait until it listens."""
        before = self.log().count("Server listening")
        argv = ["/usr/sbin/sshd", "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.log_file)]
        self._sshd = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        until(lambda: self.log().count("Server listening") > before, "sshd to listen", 60)

    def stop(self) -> None:
        """Kill sshd and cut its connections."""
        if self._sshd is not None:
            connections = self.connections()
            self._sshd.kill()
            self._sshd.wait()
            self._sshd = None
            _kill(connections)

    def connections(self) -> list[int]:
        """List the processes that serve a connection each."""
        assert self._sshd is not None, "sshd does not run"
        pid = self._sshd.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cut(self) -> None:
        """Cut the connections as a network would, without a word."""
        cut = self.connections()
        _kill(cut)
        # the hub may have made another one by now
        until(lambda: not {*cut} & {*self.connections()}, "the connections to be gone", 60)

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    @property
    def sign_ins(self) -> int:
        """How many connections signed in."""
        return self.log().count("Accepted publickey")

    @property
    def commands(self) -> int:
        """How many commands were run."""
        return self.log().count("Starting session: command")

    @property
    def certificate_is_over(self) -> bool:
        text = self._tool("ssh-keygen", "-L", "-f", str(self.certificate))
        found = re.search(r"Valid: from \S+ to (\S+)", text)
        assert found, text
        return found[1] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
