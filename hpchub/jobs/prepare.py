"""Runs inside the job of an event, before the notebook server: makes the event's folders, fetches its material.

Standard library only and Python 3.9 or newer, as `bootstrap.py`, which starts it, ends it after its time, and reads
what it says on standard output: one JSON object a line, ``troubles`` (a word with a detail, or null to take it back)
and ``open`` (what JupyterLab shows first).  It acts as the user, who could do all of it by hand.

.. code-block:: text

    ~/events/<event>/<repository>    the material, with what the person has changed in it
    ~/events/<event>/shared          → <work>/events/<event>/shared        trainers write, the others read
    ~/events/<event>/team            → <work>/events/<event>/teams/<team>  for the team
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import json
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

NOTE = "MATERIAL-IS-MISSING.txt"
LEFT_SECONDS = 3600
"""What a job that was ended has left is removed so much later: another one may be at work."""
OTHERS_SECONDS = 10
"""How long somebody else may take to give a folder that they make to the group."""
STICKY, WHOLE_GROUP, READ_GROUP = 0o3770, 0o2770, 0o2750
OWNER, PERSON, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
"""Tags of entries of an access list (acl(5))."""


class Wrong(Exception):
    """Something of the event cannot be had; the text says why."""


def tell(**news: object) -> None:
    """Say something to the bootstrap."""
    print(json.dumps(news), flush=True)


def say(text: str) -> None:
    """Write one line to the job's log."""
    print("hpchub: " + text, file=sys.stderr, flush=True)


def trouble(word: str, detail: str) -> None:
    """Report what went wrong."""
    say(f"event files: {word}: {detail}")
    tell(troubles={word: detail})


# Folders that several people use


def work_folder(path: str) -> str:
    """Give the folder of the allocation; its name may be written in other cases than Slurm writes the account."""
    if os.path.isdir(path):
        return path
    parent, name = os.path.split(path)
    with contextlib.suppress(OSError):
        for each in sorted(os.listdir(parent)):
            if each.lower() == name.lower():
                return os.path.join(parent, each)
    raise Wrong(f"there is no {path}")


def access_list(people: Iterable[int], group: int) -> bytes:
    """Write an access list as Linux keeps it: its owner and these people may everything, the group as given."""
    entries = [(OWNER, 7, 0xFFFFFFFF)]
    entries += [(PERSON, 7, uid) for uid in sorted(people)]
    entries += [(GROUP, group, 0xFFFFFFFF), (MASK, 7, 0xFFFFFFFF), (OTHERS, 0, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def grant(folder: str, people: Iterable[int], group: int) -> None:
    """Let new files of a folder have its rights, whatever mask a program has, where the disk can do that."""
    text = access_list(people, group)
    try:
        for kind in ("access", "default"):
            os.setxattr(folder, f"system.posix_acl_{kind}", text)
    except OSError as error:
        say(f"{folder} has no access list ({error.strerror}): files in it keep the rights that programs give them")


def make(folder: str, mode: int, gid: int) -> bool:
    """Make a folder with a group, unless it is there; tell whether it is new.

    It is private until it is the group's.  One that an earlier job of the same person has left so, because it was
    ended in between, is finished here and counts as new.
    """
    try:
        os.mkdir(folder, 0o700)
        there = False
    except FileExistsError:
        there = True
    if there and not left_unfinished(folder):
        return False
    try:
        os.chown(folder, -1, gid)
        os.chmod(folder, mode)
    except OSError as error:
        if not there:
            os.rmdir(folder)
        raise Wrong(f"{folder}: {error.strerror}") from error
    return True


def left_unfinished(folder: str) -> bool:
    """Tell whether a folder is one's own and nobody else's yet; what others are making is waited for a while."""
    until = time.monotonic() + OTHERS_SECONDS
    while True:
        found = os.lstat(folder)
        # An access list changes the group's rights, too, but never to none.
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IRWXG:
            return False
        if found.st_uid == os.getuid():
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def owned_by(folder: str, people: Iterable[int]) -> bool:
    """Tell whether a folder is there; anybody of the allocation could have made it before those whose it is."""
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in people:
        raise Wrong(f"{folder} was made by {name_of(found.st_uid)}, who is no trainer")
    return True


def name_of(uid: int) -> str:
    """Give an account's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def numbers(names: Iterable[str]) -> set[int]:
    """Give the numbers of accounts; those that this node does not know are left out."""
    found = set()
    for name in names:
        with contextlib.suppress(KeyError):
            found.add(pwd.getpwnam(name).pw_uid)
    return found


def link(path: str, target: str) -> None:
    """Let a link in the home lead there; what is not a link stays as it is."""
    if os.path.islink(path):
        if os.readlink(path) == target:
            return
        os.unlink(path)
    try:
        os.symlink(target, path)
    except FileExistsError:
        raise Wrong(f"{path} is in the way") from None


def unlink(path: str) -> None:
    """Remove a link; what is not a link stays."""
    if os.path.islink(path):
        os.unlink(path)


@contextlib.contextmanager
def reported(word: str) -> Iterator[None]:
    """Report what goes wrong inside."""
    try:
        yield
    except Wrong as error:
        trouble(word, str(error))
    except OSError as error:
        trouble(word, f"{error.filename}: {error.strerror}" if error.filename else str(error))


def event_folder(facts: dict[str, Any]) -> str:
    """Give the folder of the event beside the data of its allocation; whoever comes first makes it."""
    folder = work_folder(facts["work"])
    gid = os.stat(folder).st_gid
    for name in ("events", facts["event"]):
        folder = os.path.join(folder, name)
        make(folder, STICKY, gid)
    return folder


def shared(facts: dict[str, Any], place: str) -> None:
    """Make the shared folder, if this is a trainer, and lead the home to it, if it is a trainer's."""
    folder, me, trainers = event_folder(facts), os.getuid(), numbers(facts["trainers"])
    target, own = os.path.join(folder, "shared"), os.path.join(place, "shared")
    if me in trainers:
        make(target, READ_GROUP, os.stat(folder).st_gid)
        link(os.path.join(place, "teams"), os.path.join(folder, "teams"))
    if not owned_by(target, trainers):
        unlink(own)
        return
    if os.stat(target).st_uid == me:
        grant(target, trainers - {me}, 5)
    link(own, target)


def team(facts: dict[str, Any], place: str) -> None:
    """Make the folder of the person's team, and lead the home to it; who is in none has no such link."""
    own = os.path.join(place, "team")
    if not facts["team"]:
        unlink(own)
        return
    folder = event_folder(facts)
    gid = os.stat(folder).st_gid
    teams = os.path.join(folder, "teams")
    make(teams, STICKY, gid)
    target = os.path.join(teams, facts["team"])
    if make(target, WHOLE_GROUP, gid):
        grant(target, (), 7)
    if os.path.islink(target):
        raise Wrong(f"{target} is a link")
    link(own, target)


# The material


def git_settings(repository: str) -> str:
    """Write the only settings of git's that hold besides the machine's.

    Git reads no repository that somebody else owns unless its settings name it; the trainer has named this one.
    """
    path = repository[len("file://") :] if repository.startswith("file://") else repository
    named = [f"directory = {each}\n" for each in (path, path + "/.git") if not repository.startswith("https://")]
    return "[safe]\n" + "".join(named)


def run(command: list[str], folder: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command that may write much; give its exit status and what it said."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    done = subprocess.run(command, cwd=folder, env=environment, stdin=nothing, stdout=pipe, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def pull(facts: dict[str, Any], place: str, settings: str) -> tuple[str, str] | None:
    """Let nbgitpuller fetch the repository; give what went wrong, as a word and a detail."""
    tools = [("git", shutil.which("git")), ("nbgitpuller", importlib.util.find_spec("nbgitpuller"))]
    for name, found in tools:
        if not found:
            return "tool", name
    repository, branch = facts["repository"], facts["branch"] or ""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": settings,
        "GIT_ALLOW_PROTOCOL": "https" if repository.startswith("https://") else "file",
        "GIT_TERMINAL_PROMPT": "0",
        # A repository in a folder may be a partial clone, whose owner says where the rest comes from.
        "GIT_NO_LAZY_FETCH": "1",
    }

    def puller(into: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-m", "nbgitpuller.pull", repository, branch, into]
        return run(command, place, environment)

    target = os.path.join(place, facts["folder"])
    status, said = puller(target) if os.path.lexists(target) else cloned(puller, target)
    sys.stderr.write(said)
    if status == 0:
        return None
    # nbgitpuller does not tell what git said, so git is asked once more.
    status, words = run(["git", "ls-remote", "--heads", "--tags", "--", repository], place, environment)
    if status != 0:
        return "material", reason(words)
    if branch and not any(line.endswith("/" + branch) for line in words.splitlines()):
        return "branch", branch
    return "material", reason(said)


def cloned(puller: Callable[[str], tuple[int, str]], target: str) -> tuple[int, str]:
    """Fetch into another folder first: half a clone, of a job that ended, would be in the way for ever."""
    parent, name = os.path.split(target)
    prefix = os.path.join(parent, "." + name + ".")
    for left in glob.glob(glob.escape(prefix) + "*"):
        if os.lstat(left).st_mtime < time.time() - LEFT_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    new = prefix + os.urandom(4).hex()
    status, said = puller(new)
    if status == 0:
        # Or another session of the same person was quicker.
        with contextlib.suppress(OSError):
            os.rename(new, target)
    shutil.rmtree(new, ignore_errors=True)
    return status, said


def reason(said: str) -> str:
    """Find the line that says why: git's own, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (ours or lines or [""])[0 if ours else -1]


def material(facts: dict[str, Any], place: str) -> None:
    """Bring the material up to date, and say what of it opens."""
    note = os.path.join(place, NOTE)
    # As if it failed by being late: if it is, nobody is left to say so.
    tell(troubles={"late": str(facts["seconds"])})
    write_note(note, facts, "late", str(facts["seconds"]))
    with tempfile.NamedTemporaryFile("w", prefix="hpchub-git-") as settings:
        settings.write(git_settings(facts["repository"]))
        settings.flush()
        wrong = pull(facts, place, settings.name)
    tell(troubles={"late": None})
    target = os.path.join(place, facts["folder"])
    opens = os.path.join(target, facts["opens"] or "")
    if wrong is None and not os.path.exists(opens):
        wrong = ("file", facts["opens"])
    if wrong is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(note)
    else:
        trouble(*wrong)
        write_note(note, facts, *wrong)
    for path in (opens, target):
        if os.path.exists(path):
            show(path)
            return


def write_note(path: str, facts: dict[str, Any], word: str, detail: str) -> None:
    """Write for the person, where the material should be, why it is not."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(facts["notes"][word].replace("{detail}", detail))


def show(path: str) -> None:
    """Let JupyterLab open something below the folder that it starts in."""
    tell(open=urllib.parse.quote(os.path.relpath(path)))


def main(facts: dict[str, Any]) -> None:
    """Prepare everything; each thing that fails is reported, and the next one is tried."""
    place = os.path.join(os.getcwd(), "events", facts["event"])
    with reported("home"):
        os.makedirs(place, exist_ok=True)
        show(place)
        if facts["work"]:
            with reported("shared"):
                shared(facts, place)
            with reported("team"):
                team(facts, place)
        if facts["repository"]:
            with reported("material"):
                material(facts, place)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
