"""Slurm as the hub's user sees it: daemons, versions, clocks, what is private and what the accounting keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.finding import Finding, fault, fine, warning
from hpchub.errors import SlurmError
from hpchub.slurm import settings
from hpchub.slurm.client import SlurmClient

SECONDS_APART = 5
"""More between two clocks is worth a warning: expected starts and ends are shown wrong by so much."""
SECONDS_TOO_FAR = 60
"""More is a fault: credentials are refused by a clock that is some minutes off (munge allows 5)."""


async def controller(deployment: Deployment, cluster: str) -> list[Finding]:
    """A cluster's slurmctld: whether it answers, and what it was told."""
    client = deployment.clients[cluster]
    try:
        told = settings.read_settings(await client.answer(settings.controller_settings(cluster)))
        clock = settings.read_clock(await client.answer(settings.controller_clock(cluster)))
        now = time.time()
        version = settings.read_version(await client.answer(settings.own_version()))
    except SlurmError as error:
        return [
            fault("slurmctld", f"Slurm on {cluster} does not answer: {_words(error)}", _remedy(str(error)), cluster)
        ]
    operator = await _is_operator(client, deployment.hub_user)
    return [
        fine("slurmctld", f"it answers; Slurm {told['slurm_version']}.", cluster),
        private_data(told, operator, deployment.hub_user, "slurm.conf", cluster),
        *kept(told, cluster),
        versions(version, settings.read_version(told["slurm_version"]), cluster),
        clocks("the hub's machine", "slurmctld", now - clock, cluster),
        *await _partitions(deployment, client, cluster),
    ]


def _words(error: SlurmError) -> str:
    """Write the end of what a command said on one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST_WORDS else f"…{text[-LONGEST_WORDS:]}"


LONGEST_WORDS = 300


def _remedy(words: str) -> str:
    if "munge" in words.lower():
        return "munge does not work on this machine: see the finding `munge`."
    if "ssh" in words or "login node" in words:
        return "The login node does not answer: the hub's log says why."
    if "database" in words or "DBD_" in words:
        return "The address of a cluster comes from slurmdbd: start that, or set `slurm_conf` of the cluster."
    return "Is slurmctld running, and does this machine reach it? Try `scontrol ping`; look into its log."


async def _is_operator(client: SlurmClient, user: str) -> bool:
    try:
        level = (await client.answer(settings.admin_level(user))).strip()
    except SlurmError:
        return False
    return level in ("Operator", "Administrator")


def private_data(told: Mapping[str, str], operator: bool, user: str, file: str, cluster: str) -> Finding:
    """Judge what the hub's user sees of others' jobs."""
    private = settings.words_of(told.get("privatedata", ""))
    hidden = sorted(private & {"jobs", "nodes", "partitions", "accounts", "users", "usage"})
    if "jobs" in private and not operator:
        says = (
            f"PrivateData={','.join(hidden)} in {file} hides everybody's jobs from {user}: sessions cannot be followed."
        )
        remedy = f"`sacctmgr modify user {user} set adminlevel=Operator`, or take jobs out of PrivateData."
        return fault("PrivateData", says, remedy, cluster)
    if hidden and not operator:
        says = f"PrivateData={','.join(hidden)} in {file} hides these from {user}: what people are offered may lack."
        remedy = f"`sacctmgr modify user {user} set adminlevel=Operator`."
        return warning("PrivateData", says, remedy, cluster)
    seen = "is an operator and sees them all the same" if hidden else "sees everybody's jobs"
    return fine("PrivateData", f"{user} {seen} ({file}).", cluster)


def kept(told: Mapping[str, str], cluster: str) -> Iterator[Finding]:
    """Judge what the accounting keeps of a job: its comment, and never its environment, which holds a token."""
    flags = settings.words_of(told.get("accountingstoreflags", ""))
    if "job_env" in flags:
        says = "AccountingStoreFlags has job_env: the accounting keeps every job's environment, tokens included."
        remedy = "Take job_env out of slurm.conf and `scontrol reconfigure`; ended sessions' tokens are void already."
        yield fault("AccountingStoreFlags", says, remedy, cluster)
    if "job_comment" not in flags:
        says = "AccountingStoreFlags lacks job_comment: an ended job cannot be found again by its session."
        remedy = "`AccountingStoreFlags=job_comment` in slurm.conf, then `scontrol reconfigure`."
        yield warning("AccountingStoreFlags", says, remedy, cluster)
    if "job_env" not in flags and "job_comment" in flags:
        yield fine("AccountingStoreFlags", "comments are kept, environments are not.", cluster)


def versions(commands: tuple[int, int], daemon: tuple[int, int], cluster: str) -> Finding:
    """Compare the commands here with a daemon; Slurm's commands may be older than it, never newer."""
    ours, theirs = ("{:02d}.{:02d}".format(*each) for each in (commands, daemon))
    if commands > daemon:
        says = f"The commands here are Slurm {ours}, newer than slurmctld's {theirs}: Slurm does not support that."
        return fault("Slurm versions", says, f"Install the commands of {theirs} on the hub's machine.", cluster)
    if commands < daemon:
        says = f"The commands here are Slurm {ours}, slurmctld is {theirs}: two or three releases apart are supported."
        return warning("Slurm versions", says, f"Install the commands of {theirs} here when it suits.", cluster)
    return fine("Slurm versions", f"commands and slurmctld are both {ours}.", cluster)


def clocks(one: str, other: str, seconds: float, place: str) -> Finding:
    """Compare two clocks."""
    says = f"the clocks of {one} and {other} are {abs(seconds):.1f} s apart."
    if abs(seconds) <= SECONDS_APART:
        return fine("clocks", says, place)
    remedy = "Let both take their time from the same server: `chronyc tracking` or `timedatectl timesync-status`."
    judge = fault if abs(seconds) > SECONDS_TOO_FAR else warning
    return judge("clocks", says, remedy, place)


async def _partitions(deployment: Deployment, client: SlurmClient, cluster: str) -> list[Finding]:
    """Those that some profile uses: up, and with nodes that can be used."""
    if deployment.catalogue is None:
        return []
    profiles = deployment.catalogue.profiles.values()
    used = sorted({run.partition for profile in profiles for run in profile.runs_on if run.cluster == cluster})
    try:
        partitions, nodes = await client.partitions(), await client.nodes()
    except SlurmError as error:
        return [fault("partitions", f"They cannot be asked for: {_words(error)}", _remedy(str(error)), cluster)]
    findings = []
    for name in used:
        here = [node for node in nodes if name in node.partitions]
        usable = sum(node.usable for node in here)
        if name not in partitions:
            remedy = "`hpchub profiles check` shows which profiles name it."
            findings.append(fault("partitions", f"There is no partition {name}.", remedy, cluster))
        elif not partitions[name].up:
            remedy = f"`scontrol update PartitionName={name} State=UP`, when its work is done."
            findings.append(fault("partitions", f"Partition {name} is down.", remedy, cluster))
        elif not usable:
            says = f"None of the {len(here)} nodes of {name} can be used."
            findings.append(fault("partitions", says, "`sinfo -R` has the reasons.", cluster))
    return findings or [fine("partitions", f"{', '.join(used) or 'none is used'}: up.", cluster)]


async def accounting(deployment: Deployment, cluster: str) -> list[Finding]:
    """The slurmdbd of a cluster: whether it answers, and what it hides."""
    client = deployment.clients[cluster]
    try:
        told = settings.read_settings(await client.answer(settings.accounting_settings()))
        # Without slurmdbd the command ends well, with nothing but its own settings (tried with 22.05).
        version = told["slurmdbd_version"]
    except (SlurmError, KeyError) as error:
        words = f": {_words(error)}" if isinstance(error, SlurmError) else "."
        remedy = "Is it running, and its database? Known allocations go on working."
        return [fault("slurmdbd", f"slurmdbd does not answer{words}", remedy, cluster)]
    operator = await _is_operator(client, deployment.hub_user)
    return [
        fine("slurmdbd", f"it answers; Slurm {version}.", cluster),
        private_data(told, operator, deployment.hub_user, "slurmdbd.conf", cluster),
    ]
