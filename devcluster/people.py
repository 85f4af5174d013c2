"""The POSIX users and the group of the demo: whether they may be made, made, removed.

Nobody's users are touched but those that the marker names and whose home lies in our folder.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.daemons import end, own_processes
from devcluster.errors import DevclusterError
from devcluster.layout import Layout, Marker
from devcluster.spec import PeopleSpec

LOCK_SECONDS = 30
"""How long another program may hold the lock of /etc/passwd."""


@dataclass(frozen=True, slots=True)
class PeoplePlan:
    """What has to be done so that the wanted users exist with their homes in our folder."""

    replace: tuple[str, ...]
    """Users of another demo that an isolated namespace shows; removed (inside) before they are made again."""
    add: tuple[str, ...]
    add_group: bool


def homes_of(layout: Layout, people: PeopleSpec) -> dict[str, Path]:
    """Tell where each wanted user's home is to be, the hub's included."""
    homes = {person.name: layout.homes / person.name for person in people.posix_people}
    return {people.hub_user: layout.hub_home, **homes}


def plan_people(
    wanted_homes: Mapping[str, Path],
    group: str,
    existing_homes: Mapping[str, str],
    existing_groups: Collection[str],
    ours: Marker,
    isolated: bool,
) -> PeoplePlan:
    """Decide what to do, before anything is changed; pure.

    :raises DevclusterError: a user or the group exists and is not ours.
    """
    elsewhere = tuple(
        name for name, home in wanted_homes.items() if name in existing_homes and existing_homes[name] != str(home)
    )
    if elsewhere and not isolated:
        name = elsewhere[0]
        raise DevclusterError(
            f"user {name} exists on this machine and was not made by this demo (home {existing_homes[name]}); "
            f"remove that user, or another demo that made it, or start this one by `devcluster isolate`"
        )
    missing = tuple(name for name in wanted_homes if name not in existing_homes)
    all_new = len(missing) == len(wanted_homes)
    if group in existing_groups and group not in ours.groups and not isolated and all_new:
        raise DevclusterError(
            f"group {group} exists on this machine and was not made by this demo; "
            f"remove it, or choose another name in people.toml"
        )
    return PeoplePlan(replace=elsewhere, add=missing + elsewhere, add_group=group not in existing_groups)


def existing_homes() -> dict[str, str]:
    """Every user of the machine with the home folder."""
    return {entry.pw_name: entry.pw_dir for entry in pwd.getpwall()}


def existing_groups() -> set[str]:
    """Every group of the machine."""
    return {entry.gr_name for entry in grp.getgrall()}


def carry_out(plan: PeoplePlan, layout: Layout, people: PeopleSpec) -> None:
    """Make the users that are missing.

    :raises DevclusterError: useradd and its family refused; their words are in the text.
    """
    homes = homes_of(layout, people)
    full_names = {person.name: person.full_name for person in people.posix_people}
    if plan.add_group:
        _do("groupadd", people.group)
    for name in plan.replace:
        _do("userdel", name)
    for name in plan.add:
        # No range of subordinate ids: /etc/subuid stays as it was.
        common = ["--no-create-home", "--user-group", "--home-dir", str(homes[name])]
        no_subids = ["--key", "SUB_UID_COUNT=0", "--key", "SUB_GID_COUNT=0"]
        if name == people.hub_user:
            kind = ["--system", "--shell", "/usr/sbin/nologin", "--comment", "JupyterHub demo"]
        else:
            kind = ["--shell", "/bin/bash", "--comment", full_names[name], "--groups", people.group]
        _do("useradd", *common, *no_subids, *kind, name)


def make_homes(layout: Layout, people: PeopleSpec) -> None:
    """Make each home that is missing."""
    for name, home in homes_of(layout, people).items():
        _make_home(name, home, with_skeleton=name != people.hub_user)


def remove(layout: Layout, ours: Marker) -> list[str]:
    """Remove the users and groups that we made, and return those left alone because they changed hands."""
    existing = existing_homes()
    present = [name for name in ours.users if name in existing]
    removable = [name for name in present if Path(existing[name]).is_relative_to(layout.root)]
    uids = {pwd.getpwnam(name).pw_uid for name in removable}
    end([process.pid for process in own_processes() if process.uid in uids], patience_seconds=3)
    for name in removable:
        # --force, or userdel would count processes of the same uid in an isolated namespace, whose users are others.
        _do("userdel", "--force", name)
    for group in ours.groups:
        if group in existing_groups():
            _do("groupdel", group)
    return [name for name in present if name not in removable]


def _make_home(name: str, home: Path, *, with_skeleton: bool) -> None:
    if home.is_dir():
        # A user who was made again, as an isolated namespace does, may have got another uid.
        if home.stat().st_uid != pwd.getpwnam(name).pw_uid:
            _give(home, name)
        return
    # Made under another name first: a home that exists is complete, also when we are killed on the way.
    new = home.with_name(f".{home.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    skeleton = Path("/etc/skel")
    if with_skeleton and skeleton.is_dir():
        shutil.copytree(skeleton, new, symlinks=True)
    else:
        new.mkdir()
    new.chmod(0o700)
    _give(new, name)
    new.rename(home)


def _give(folder: Path, name: str) -> None:
    user = pwd.getpwnam(name)
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, user.pw_uid, user.pw_gid)


def _do(*argv: str) -> None:
    """Run a command that changes /etc/passwd and its family; wait while another one holds their lock.

    That is another program of the machine, or the last command of an `up` that was killed.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        done = subprocess.run(argv, text=True, capture_output=True)
        if done.returncode == 0:
            return
        if "try again later" not in done.stderr or time.monotonic() > deadline:
            raise DevclusterError(f"{' '.join(argv)} failed: {(done.stderr or done.stdout).strip()}")
        time.sleep(0.2)
