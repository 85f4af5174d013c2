"""Whether the doors to the two programs work, and refuse what they must."""

from __future__ import annotations

import os

from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.finding import Finding, fault, fine
from hpchub.console.reserver import Reserver
from hpchub.errors import LauncherError, ReserverError
from hpchub.jobs.door import last_word

NOBODYS_SESSION = "0" * 32


async def door(deployment: Deployment, cluster: str) -> Finding:
    """Ask for something of root's, which the launcher must refuse by itself: then the whole way to it works."""
    login_node, settings = deployment.site.clusters[cluster].ssh, deployment.site.launcher
    command = " ".join(login_node.launcher) if login_node else settings.named
    if login_node is None and _is_missing(last_word(settings.way)):
        says = f"`{command}` cannot work: there is no {last_word(settings.way)}."
        return fault("door", says, _NO_SOCKET if settings.socket else f"{_SET_IT}, and install it there.", cluster)
    try:
        await deployment.launcher.log("root", cluster, NOBODYS_SESSION)
    except LauncherError as error:
        if "system account" in str(error):
            return fine("door", "the launcher answers, and refuses to act as root.", cluster)
        says = f"`{command}` does not do what it should: {error}"
        return fault("door", says, _remedy(str(error), deployment.hub_user, command), cluster)
    return fault(
        "door", "The launcher acted as root when it was asked to.", "Take it away: `uid_min` is wrong.", cluster
    )


async def reservations(deployment: Deployment, cluster: str) -> list[Finding]:
    """Ask to remove what is no reservation of the hub's, which the program must refuse by itself."""
    site = deployment.site
    if site.reservations is None or site.clusters[cluster].ssh is not None:
        return []
    prefix, command = site.reservations.prefix, site.reservations.named
    try:
        await Reserver(site.reservations).delete(cluster, f"_{prefix}doctor")
    except ReserverError as error:
        words = str(error)
        if words.endswith(f"does not begin with {prefix}"):
            says = f"hpchub-reserve answers, and touches no reservation whose name does not begin with {prefix}."
            return [fine("reservations", says, cluster)]
        remedy = (
            "Set `reservations.door` in the site file to the command that runs hpchub-reserve; or take the block out."
        )
        if "does not begin with" in words:
            remedy = "Let `reservations.prefix` in the site file and `prefix` in its policy be the same."
        elif "the cluster" in words:
            remedy = "Name the cluster in its policy, hpchub-reserve.json."
        elif "cannot be connected to" in words or "the policy's peer" in words:
            remedy = _remedy_at_socket(words, deployment.hub_user, "hpchub-reserve")
        elif "password is required" in words or "not allowed" in words or "not in the sudoers" in words:
            remedy = (
                f"Give {deployment.hub_user} a line in sudoers for exactly this; docs/howto/plan-an-event.md has it."
            )
        says = f"`{command}` does not do what it should: {words}"
        return [fault("reservations", says, remedy, cluster)]
    says = f"`{command}` took a reservation away that is not the hub's to touch."
    return [fault("reservations", says, "Take it away: it is not the program of this version.", cluster)]


def _is_missing(program: str) -> bool:
    return program.startswith("/") and not os.path.exists(program)


def _remedy(words: str, hub_user: str, command: str) -> str:
    if "must belong to root" in words:
        return "Give the file that it names to root, writable by root alone; look at the finding `launcher`."
    if "the launcher failed" in words:
        return "Its policy cannot be read; look at the finding `policy`."
    if "not in the sudoers" in words or "password is required" in words or "not allowed to execute" in words:
        return f'Give {hub_user} this line in sudoers: `{hub_user} ALL=(root) NOPASSWD: {command.split()[-1]} ""`.'
    if "cannot be connected to" in words or "the policy's peer" in words:
        return _remedy_at_socket(words, hub_user, "hpchub-launch")
    if "no connection" in words:
        return "`ssh` to the login node does not work; the hub's log says why."
    return f"{_SET_IT}."


def _remedy_at_socket(words: str, hub_user: str, program: str) -> str:
    if "the policy's peer" in words:
        return f'Let `"peer"` be "{hub_user}" in its policy, {program}.json.'
    if "Permission denied" in words:
        return f"Let `SocketGroup` in {program}.socket be the group of {hub_user}, with `SocketMode=0660`."
    return f"`systemctl enable --now {program}.socket`; `systemctl status {program}.socket` says why it is not there."


_NO_SOCKET = "`systemctl enable --now hpchub-launch.socket`; docs/howto/run-under-systemd.md has its unit."
_SET_IT = "Set `launcher.door` in the site file to the command that runs hpchub-launch as root"
