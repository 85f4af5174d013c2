"""What lies on the hub's machine: the programs behind the doors, the state folder, secrets, builds, the catalogue."""

from __future__ import annotations

import grp
import json
import os
import shutil
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

from hpchub.catalogue.doors import LauncherSettings, ReserverSettings
from hpchub.catalogue.seats import pool_of
from hpchub.checks.builds import check_build
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.finding import Finding, Verdict, fault, fine, not_checked, warning
from hpchub.jobs import hpchub_launch, hpchub_reserve

LITTLE_MB = 200
"""With less a database cannot be relied on."""
ENOUGH_MB = 2000
BEHIND_SOCKETS = Path("/usr/local/libexec")
"""Where the programs lie that systemd's sockets start."""
POLICY_KEYS = ("group", "uid_min", "uid_max", "clusters", "commands")


def catalogue(deployment: Deployment) -> Iterator[Finding]:
    """The files of the catalogue."""
    found = deployment.catalogue
    if found is None:
        first, *others = deployment.problems.splitlines()
        more = f" (and {len(others)} more)" if others else ""
        yield fault("catalogue", f"{first}{more}", "`hpchub profiles lint` shows all mistakes.")
    else:
        yield fine("catalogue", f"{len(found.profiles)} profiles, {len(found.environments)} environments, no mistakes.")


def launcher(deployment: Deployment) -> Iterator[Finding]:
    """The program behind the door: only root may change it, and it is the one of this version; its policy."""
    policy = "hpchub-launch.json"
    program = yield from _program("launcher", "door", deployment.site.launcher, policy, hpchub_launch.__file__)
    if program:
        yield from _policy(deployment, program.with_name(policy))


def reserver(deployment: Deployment) -> Iterator[Finding]:
    """The same of the program that makes reservations, where the site has it."""
    settings = deployment.site.reservations
    if settings is not None:
        policy = "hpchub-reserve.json"
        yield from _program("reserver", "reservations", settings, policy, hpchub_reserve.__file__)


def _program(
    subject: str, other: str, door: LauncherSettings | ReserverSettings, policy: str, source: str
) -> Generator[Finding, None, Path | None]:
    """Look at the program behind a door; give it if it is a file of this machine."""
    # Behind a socket its unit says which program it is; ours say this.
    program = BEHIND_SOCKETS / policy.removesuffix(".json") if door.socket else Path(door.door[-1])
    if not program.is_absolute() or not program.is_file():
        says = f"The door `{door.named}` does not end in a program of this machine, so its file was not looked at."
        yield not_checked(subject, says, f"The finding `{other}` says whether it works.")
        return None
    beside = program.with_name(policy)
    loose = [path for path in (program, beside, *program.parents) if path.exists() and not _only_root_writes(path)]
    for path in loose:
        says = f"{path} does not belong to root, or others than root can write it: what it may do is anybody's choice."
        yield fault(subject, says, f"`chown root {path}; chmod go-w {path}`, and find out who has changed it.")
    if not loose:
        yield fine(subject, f"{program} can be changed by root alone.")
    if program.read_bytes() != Path(source).read_bytes():
        remedy = f"`install -m 755 {source} {program}`, as root."
        yield warning(subject, f"{program} is not the one of this version of the hub.", remedy)
    return program


def _only_root_writes(path: Path) -> bool:
    status = path.stat()
    # In a folder with the sticky bit others can write, but neither remove nor rename what is root's.
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return status.st_uid == 0 and (bool(sticky) or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _policy(deployment: Deployment, path: Path) -> Iterator[Finding]:
    try:
        policy = json.loads(path.read_bytes())
    except PermissionError:
        yield not_checked(
            "policy", f"{path} cannot be read by {deployment.hub_user}.", "Run this as root's eyes: `cat`."
        )
        return
    except OSError as error:
        yield fault("policy", f"{path}: {error.strerror}.", "Write it; SECURITY.md says what it has.")
        return
    except ValueError as error:
        yield fault("policy", f"{path} is no JSON: {error}.", "Correct that line; until then nothing can be started.")
        return
    wrong = [*_policy_problems(deployment, policy), *_seat_problems(deployment, policy, path.with_name("hpchub-wipe"))]
    for says in wrong:
        yield fault("policy", f"{path}: {says}", "Correct the policy; it is read anew at each request.")
    if not wrong:
        yield fine("policy", f"for the group {policy['group']}, user ids {policy['uid_min']} to {policy['uid_max']}.")


def _policy_problems(deployment: Deployment, policy: object) -> Iterator[str]:
    if not isinstance(policy, dict):
        yield "it is no JSON object."
        return
    missing = [key for key in POLICY_KEYS if key not in policy]
    if missing:
        yield f"it lacks {', '.join(missing)}."
        return
    try:
        grp.getgrnam(policy["group"])
    except (KeyError, TypeError):
        yield f"there is no group {policy['group']!r} on this machine."
    if not (isinstance(policy["uid_min"], int) and isinstance(policy["uid_max"], int)):
        yield "uid_min and uid_max must be numbers."
    elif not 0 < policy["uid_min"] <= policy["uid_max"]:
        yield f"uid_min {policy['uid_min']} and uid_max {policy['uid_max']} allow nobody, or root."
    if deployment.site.launcher.socket is not None and policy.get("peer") != deployment.hub_user:
        yield f"peer is {policy.get('peer')!r}, and the hub runs as {deployment.hub_user}: its socket refuses it."
    here = [name for name in deployment.clients if deployment.site.clusters[name].ssh is None]
    unknown = sorted(set(here) - set(policy["clusters"]))
    if unknown:
        yield f"it does not name the open clusters {', '.join(unknown)}."
    for command in ("sbatch", "scancel"):
        program = policy["commands"].get(command) if isinstance(policy["commands"], dict) else None
        if not isinstance(program, str) or not os.access(program, os.X_OK):
            yield f"commands.{command} {program!r} is no program of this machine."


def _seat_problems(deployment: Deployment, policy: object, program: Path) -> Iterator[str]:
    """Look whether the homes of the pool of seats can be emptied, where the site says that they are."""
    console, pool = deployment.site.console, pool_of(deployment.site)
    if not pool or console is None or console.seats_after != "wipe" or not isinstance(policy, dict):
        return
    named = policy.get("seats", ())
    lacking = [account for account in pool if account not in named]
    if lacking:
        yield f"its seats lack {len(lacking)} of the site's pool, {lacking[0]} for one: nobody could empty their homes."
    commands = policy.get("commands")
    squeue = commands.get("squeue") if isinstance(commands, dict) else None
    if not isinstance(squeue, str) or not os.access(squeue, os.X_OK):
        yield f"commands.squeue {squeue!r} is no program of this machine, and no home of a seat is emptied without it."
    if not os.access(program, os.X_OK) or not _only_root_writes(program):
        yield f"{program} is not there, or others than root can write it: it empties the homes of seats."


def state_folder(deployment: Deployment) -> Iterator[Finding]:
    """The hub's own folder: closed to others, with room."""
    folder = deployment.site.hub.state_folder
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        says = f"{folder} has the mode {mode:o}: others can see the hub's database and secrets."
        yield fault("state folder", says, f"`chmod 700 {folder}`, then look who could have read what is in it.")
    else:
        yield fine("state folder", f"{folder} is closed to everybody but {deployment.hub_user}.")
    free_mb = shutil.disk_usage(folder).free // 2**20
    room = f"{folder} has {free_mb:,} MB left."
    if free_mb < LITTLE_MB:
        yield fault("free space", f"{room} A full disk ends the hub.", "Make room on this file system now.")
    elif free_mb < ENOUGH_MB:
        yield warning("free space", room, "Make room, or move old logs away.")
    else:
        yield fine("free space", room)


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """What nobody else may read."""
    folder = deployment.site.hub.state_folder
    paths = [folder / "jupyterhub.sqlite", folder / "cookie-secret", *sorted((folder / "secrets").glob("*"))]
    ssh = [cluster.ssh.identity_file for cluster in deployment.site.clusters.values() if cluster.ssh is not None]
    there = [path for path in (*paths, *ssh) if path.exists()]
    open_ones = [path for path in there if path.stat().st_mode & 0o077]
    for path in open_ones:
        says = f"{path} can be read or written by others: mode {stat.S_IMODE(path.stat().st_mode):o}."
        yield fault("secrets", says, f"`chmod 600 {path}`; if others were on this machine, make it anew.")
    if not open_ones:
        yield fine("secrets", f"{len(there)} files, closed to others.")


def environments(deployment: Deployment) -> Iterator[Finding]:
    """The current builds that the profiles need on the open clusters, each as everybody sees it."""
    if deployment.catalogue is None:
        return
    site, known = deployment.site, deployment.catalogue.environments
    needed = {
        (profile.environment, site.clusters[run.cluster].software_target)
        for profile in deployment.catalogue.profiles.values()
        for run in profile.runs_on
        if run.cluster in deployment.clients
    }
    builds = sorted((name, target) for name, target in needed if target in known[name].targets)
    findings = [
        check_build(site.environments_root, known[name], target, "environments", target) for name, target in builds
    ]
    yield from (finding for finding in findings if finding.verdict is not Verdict.FINE)
    if all(finding.verdict is not Verdict.FAULT for finding in findings):
        yield fine("environments", f"{len(findings)} builds, readable for everybody.")
