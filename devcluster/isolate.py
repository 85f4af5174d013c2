"""Run a command in namespaces of its own, so that nothing it does to users, ports or processes stays.

What holds inside:

- a network with nothing but ``lo``, up: every port is free, nothing outside is reached;
- /etc is an overlay and /run is empty, both in memory: useradd and sudoers files work and vanish;
- only the processes started inside are seen, and all of them end with the command.

Files elsewhere are those of the machine, except that another Slurm can be laid over the machine's.  The program runs
twice: outside it starts ``unshare`` and passes signals on; inside, as process 1, it prepares the namespaces, starts the
command and collects ended processes.  Inside it runs by its path, whatever the working folder is.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

if __name__ == "__main__":
    # Inside, Python is told to look nowhere but in its own folders.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devcluster.errors import DevclusterError
from devcluster.overlay import lay_over

ISOLATED = "HPCHUB_ISOLATED"
"""Set to 1 in the environment of the command."""

GRACE_SECONDS = 20
"""How long the command may take to end after a signal, before everything inside is killed."""

# setpriv: if the process outside is killed, unshare dies with it, and --kill-child ends everything inside.
OUTSIDE = (
    "setpriv --pdeathsig KILL -- unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --".split()
)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# From linux/sockios.h and linux/if.h.
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8913, 0x8914, 0x8916, 0x1


def is_isolated() -> bool:
    """Tell whether this process runs inside: the variable alone could be inherited or set by hand."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    return os.environ.get(ISOLATED) == "1" and etc_is_overlay(mounts)


def etc_is_overlay(mounts: str) -> bool:
    """Tell from the text of /proc/self/mounts whether /etc is an overlay of its own."""
    return any(line.split()[1:3] == ["/etc", "overlay"] for line in mounts.splitlines())


def run_isolated(command: Sequence[str], slurm_root: Path | None = None) -> int:
    """Run a command inside and return its exit status (128 + the signal's number where a signal ended it).

    With ``slurm_root``, a folder that :mod:`devcluster.slurm_root` made, its Slurm takes the place of the machine's.
    """
    if os.geteuid() != 0:
        print("isolate: only root can make the namespaces; run this as root or through sudo", file=sys.stderr)
        return 1
    child = subprocess.Popen(
        [
            *(*OUTSIDE, sys.executable, "-I", "-B", str(Path(__file__).resolve())),
            *(str(slurm_root.resolve()) if slurm_root else "", *command),
        ],
        start_new_session=True,  # a Ctrl-C of the terminal reaches only this process, which passes it on once
    )
    deadline: list[float] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        deadline.append(time.monotonic() + GRACE_SECONDS)
        inner = _only_child(child.pid)
        # unshare itself ignores signals while it waits.
        os.kill(inner, number) if inner else child.kill()

    with _handled_by(pass_on):
        while True:
            try:
                return _shell_status(child.wait(timeout=0.5))
            except subprocess.TimeoutExpired:
                if deadline and time.monotonic() > deadline[0]:
                    child.kill()


def _only_child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(children[0]) if children else None


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let the signals go to a handler for a while."""
    before = [(number, signal.signal(number, handler)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, earlier in before:
            signal.signal(number, earlier)


def _shell_status(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode


def _prepare_namespaces() -> None:
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # Both upper folders lie in memory: an overlay on an overlay, as in a container, is refused by the kernel.
    _mount("tmpfs", "tmpfs", "/run", "mode=755,nosuid,nodev")
    for name in ("lock", "user", "isolate/upper", "isolate/work"):
        Path("/run", name).mkdir(parents=True)
    Path("/run/lock").chmod(0o1777)
    Path("/run/isolate").chmod(0o700)
    _mount("overlay", "overlay", "/etc", "lowerdir=/etc,upperdir=/run/isolate/upper,workdir=/run/isolate/work")
    _bring_up_lo()


def _mount(kind: str, source: str, target: str, options: str) -> None:
    subprocess.run(["mount", "-t", kind, "-o", options, source, target], check=True)


def _bring_up_lo() -> None:
    """Do ``ip link set lo up`` without iproute2, which a small machine does not have.

    lo gets 127.0.0.2 besides: where 127.0.0.1 is the only address, glibc's resolver counts IPv4 as absent for whoever
    asks with AI_ADDRCONFIG, as Slurm does even for numbers.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
        second = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("127.0.0.2"))
        fcntl.ioctl(any_socket, SIOCSIFADDR, second)


def _be_process_one(slurm_root: str, command: Sequence[str]) -> int:
    """Start the command, pass signals on to it, and reap whatever ends, until the command itself has ended."""
    try:
        _prepare_namespaces()
        if slurm_root:
            lay_over(Path(slurm_root))
        child = subprocess.Popen(command, env={**os.environ, ISOLATED: "1"}, start_new_session=True)
    except subprocess.CalledProcessError as error:
        print(f"isolate: this machine does not let root do: {' '.join(error.cmd)}", file=sys.stderr)
        return 1
    except DevclusterError as error:
        print(f"isolate: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"isolate: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    with _handled_by(lambda number, _frame: os.kill(child.pid, number)):
        while True:
            pid, status = os.wait()
            if pid == child.pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return _shell_status(child.returncode)


if __name__ == "__main__":
    # Leaving process 1 ends every other process of the namespace.
    sys.exit(_be_process_one(sys.argv[1], sys.argv[2:]))
