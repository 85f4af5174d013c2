"""What a machine has that the demo could leave behind; runs inside the machine and prints JSON.

Standard library only, and no import of this project: the machine has only its Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path

NOT_OURS = (
    # what the test has put there, and the demo fetched beside it
    "/srv/cache",
    "/proc",
    "/sys",
    "/dev/pts",
    # systemd's and the journal's own, which change while the machine does nothing
    "/run/systemd",
    "/run/log",
    "/run/udev",
    "/var/log/journal",
    "/var/lib/systemd",
)
# copies that useradd and its family keep of the files before their last change
BACKUPS = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-")


def files() -> dict[str, str]:
    """Every file and folder with its owner and mode, a file also with its size, one below /etc with its content."""
    found = {}
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in NOT_OURS]
        for path in (os.path.join(folder, name) for name in folders + names):
            if path in BACKUPS:
                continue
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            facts = [oct(status.st_mode), status.st_uid, status.st_gid]
            if stat.S_ISREG(status.st_mode):
                facts.append(status.st_size)
                if path.startswith("/etc/"):
                    facts.append(hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12])
            found[path] = " ".join(map(str, facts))
    return found


def processes() -> dict[str, str]:
    """The command line of every process but this one."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) != os.getpid():
            try:
                found[folder.name] = folder.joinpath("cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
    return found


def services() -> dict[str, str]:
    """What systemd runs or would run at the next boot: services, sockets and timers."""
    kinds = "--type=service,socket,timer"
    running = _lines("systemctl", "list-units", kinds, "--state=active", "--plain", "--no-legend")
    enabled = _lines("systemctl", "list-unit-files", kinds, "--state=enabled", "--no-legend")
    return {f"{line.split()[0]} runs": "" for line in running} | {f"{line.split()[0]} enabled": "" for line in enabled}


def _lines(*argv: str) -> list[str]:
    output = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line for line in output.splitlines() if line.strip()]


def traces() -> dict[str, dict[str, str]]:
    """Return all of it by kind."""
    mounts = [line.split()[4] for line in Path("/proc/1/mountinfo").read_text().splitlines()]
    return {
        "users and groups": dict.fromkeys(_lines("getent", "passwd") + _lines("getent", "group"), ""),
        "processes": dict.fromkeys(processes().values(), ""),
        "mounts": dict.fromkeys(mounts, ""),
        "services": services(),
        "files": files(),
    }


if __name__ == "__main__":
    print(json.dumps(traces()))
