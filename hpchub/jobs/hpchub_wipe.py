#!/usr/bin/python3 -IS
"""hpchub-wipe: empties the home that it stands in, and puts the machine's skeleton of a home back.

``hpchub-launch`` runs it for an account that is lent as a seat, with that account's rights and no others, in its home.
Installed root-owned beside ``hpchub-launch``, whose policy it reads: ``clusters``, ``slurm_conf`` and ``commands``
(``squeue``).  Standard library only, Python 3.9 or newer.  It ends with 0 when the home is clean, and else with 1 and
the reason as its last line; what it has removed until then is gone, and it can be run again.

What must hold, whatever the person before has left there:

- the home lets nobody in but its account, whatever mode or access list it was given;
- nothing is removed while a process of the account is on this machine, or a job of it on any of the clusters;
- no link is followed: of a symbolic or hard link the link itself is removed, and what it leads to stays as it was;
- nothing of another file system is touched: while one is mounted below the home, nothing at all is removed;
- neither the depth of folders nor their number, their names or their modes stop it: a folder inside a folder is moved
  up into the home before it is emptied, so that it never has more than two of them open.

Between a look at an entry and its removal another process could put something else there.  There is none of the
account's by then, and nobody else may write into its home; if one did after all, it would only be able to have removed
what its own account may remove itself.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

SKELETON = "/etc/skel"
SQUEUE_SECONDS = 30
LISTED = 5
"""Jobs, processes or entries that a sentence names; of others only how many there are."""
_OCTAL = re.compile(r"\\([0-7]{3})")


class Kept(Exception):
    """The home is not clean; the text says what is in the way."""


def main() -> int:
    """Do it, for the policy beside this program."""
    try:
        folder = os.path.dirname(os.path.realpath(__file__))
        with open(os.path.join(folder, "hpchub-launch.json"), encoding="utf-8") as file:
            policy: dict[str, Any] = json.load(file)
        if os.geteuid() == 0 or os.getuid() == 0:
            raise Kept("this program is run with an account's own rights, never as root")
        check_no_jobs(policy)
        check_no_processes()
        wipe(SKELETON)
    except (Kept, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check_no_jobs(policy: dict[str, Any]) -> None:
    """Ask every cluster of the policy whether a job of this account waits or runs.

    Raises :class:`Kept`, also where a cluster does not answer: its job could be writing into this home.
    """
    squeue = policy["commands"].get("squeue")
    if not squeue:
        raise Kept("the policy of hpchub-launch names no squeue among its commands")
    for cluster in policy["clusters"]:
        conf = policy.get("slurm_conf", {}).get(cluster)
        way = [] if conf else ["--clusters=" + cluster]
        environment = {**os.environ, **({"SLURM_CONF": conf} if conf else {})}
        # --all: also those in partitions that are hidden, or that the account may not use any more
        argv = [squeue, *way, "--all", "--noheader", f"--user={os.getuid()}", "--format=%A"]
        try:
            done = subprocess.run(
                argv, env=environment, capture_output=True, text=True, timeout=SQUEUE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise Kept(f"squeue timed out: nobody knows whether a job still runs on {cluster}") from None
        if done.returncode != 0:
            raise Kept(f"{done.stderr.strip()[-500:]}: nobody knows whether a job still runs on {cluster}")
        # with --clusters it begins with the cluster's name, header or not; whatever else it says is a job
        lines = [line.strip() for line in done.stdout.splitlines()]
        jobs = [line for line in lines if line and not line.startswith("CLUSTER: ")]
        if jobs:
            raise Kept(f"there are still jobs on {cluster}: {some(jobs)}")


def check_no_processes() -> None:
    """Look for processes of this account on this machine, but for this program and who started it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in (os.getpid(), os.getppid()):
            continue
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                facts = dict(line.rstrip("\n").partition(":\t")[::2] for line in file)
        except OSError:
            continue  # it has ended
        # a zombie writes no more
        if str(os.getuid()) in facts.get("Uid", "").split() and not facts.get("State", "").startswith("Z"):
            found.append(f"{facts['Name']} ({pid})")
    if found:
        raise Kept(f"there are still processes: {some(found)}")


def wipe(skeleton: str) -> None:
    """Empty the folder that this process stands in, and copy the skeleton into it.

    Raises :class:`Kept` where something is left.
    """
    home = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    status = os.fstat(home)
    if status.st_uid != os.getuid() or os.path.samestat(status, os.stat("/")):
        raise Kept(f"{os.getcwd()} is not a home of this account's own")
    mounted = [each for each in mount_points() if each.startswith(os.getcwd().rstrip("/") + "/")]
    if mounted:
        raise Kept(f"other file systems are mounted in the home: {some(mounted)}")
    close_to_others(home)
    left: dict[str, str] = {}
    while entries := [name for name in os.listdir(home) if name not in left]:
        for name in entries:
            try:
                remove(name, home, status.st_dev)
            except OSError as error:
                left[name] = f"{name} ({error.strerror})"
    if left:
        raise Kept(f"not everything could be removed: {some([repr(each)[1:-1] for each in left.values()])}")
    put_back(skeleton)


def close_to_others(home: int) -> None:
    """Let nobody but its account into the home, whatever the person before allowed there, and to whom.

    Plain 0700: what was in the mode beside it, such as the group's bit, a service may not be allowed to set again.
    """
    os.fchmod(home, stat.S_IRWXU)
    try:
        # others, such as the machine's security labels, are not the person's to set or to remove
        theirs = [name for name in os.listxattr(home) if name.startswith(("system.posix_acl_", "user."))]
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        theirs = []
    for name in theirs:
        try:
            os.removexattr(home, name)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOTSUP):
                raise Kept(f"the home's attribute {name} cannot be removed: {error.strerror}") from None


def remove(name: str, home: int, device: int) -> None:
    """Remove an entry of the home; folders inside it are moved up into the home, where they are entries themselves."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=home, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=home)
        return
    folder = opened(name, home)
    try:
        if os.fstat(folder).st_dev != device:
            raise OSError(0, "another file system")
        for number, each in enumerate(os.listdir(folder)):
            if stat.S_ISDIR(os.stat(each, dir_fd=folder, follow_symlinks=False).st_mode):
                # its own rights, or its entry `..` could not be changed
                os.close(opened(each, folder))
                os.rename(each, f".hpchub-wipe-{os.urandom(8).hex()}-{number}", src_dir_fd=folder, dst_dir_fd=home)
            else:
                os.unlink(each, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=home)


def opened(name: str, parent: int) -> int:
    """Open a folder, and never what a link leads to, whatever its mode is."""
    place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        if os.fstat(place).st_uid == os.getuid():
            os.chmod(f"/proc/self/fd/{place}", stat.S_IRWXU)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(place)


def put_back(skeleton: str) -> None:
    """Copy what a new home begins with."""
    for entry in os.scandir(skeleton) if os.path.isdir(skeleton) else ():
        if entry.is_dir(follow_symlinks=False):
            shutil.copytree(entry.path, entry.name, symlinks=True)
        else:
            shutil.copy2(entry.path, entry.name, follow_symlinks=False)


def mount_points() -> Iterator[str]:
    """Name where something is mounted, as proc(5) lists it."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            yield _OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split()[4])


def some(names: list[str]) -> str:
    """Join names; of a long list only the first ones and how many there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


if __name__ == "__main__":
    sys.exit(main())
