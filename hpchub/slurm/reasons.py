"""Why a job waits: Slurm's reason codes in words that a person understands.  Pure.

The codes are those of ``man squeue`` (JOB REASON CODES) and of Slurm's source that people meet on a busy GPU system.
"""

from __future__ import annotations

SENTENCES: dict[str, str] = {
    "None": "The scheduler has not looked at it yet.",
    "": "The scheduler has not looked at it yet.",
    "Priority": "Other jobs with a higher priority are before it.",
    "Resources": "It is next in line; what it needs is in use at the moment.",
    "Dependency": "It waits for another job to end.",
    "BeginTime": "It starts at a set time, which has not come yet.",
    "JobHeldUser": "You hold it back; release it with scontrol release.",
    "JobHeldAdmin": "An administrator holds it back; ask support.",
    "Reservation": "It waits for its reservation to begin.",
    "ReservationDeleted": "Its reservation was deleted; stop it and start again.",
    "PartitionDown": "The partition is closed at the moment.",
    "PartitionInactive": "The partition takes no jobs at the moment.",
    "PartitionTimeLimit": "It asks for more time than the partition allows; stop it and ask for less.",
    "PartitionNodeLimit": "It asks for more nodes than the partition has; stop it and ask for less.",
    "ReqNodeNotAvail": "The nodes that it needs are down or reserved, for example for maintenance.",
    "NodeDown": "A node that it needs is down.",
    "BadConstraints": "No node can ever give what it asks for; stop it and make another choice.",
    "Licenses": "It waits for a licence.",
    "InvalidAccount": "Its allocation is not valid any more; stop it and choose another one.",
    "InvalidQOS": "Its queue (QOS) is not valid any more; stop it and choose another one.",
    "AssocMaxJobsLimit": "Your allocation has its most jobs running already.",
    "AssocGrpCpuLimit": "Your allocation uses all the cores that it may use at a time.",
    "AssocGrpGRES": "Your allocation uses all the GPUs that it may use at a time.",
    "AssocGrpBillingMinutes": "Your allocation's budget does not cover this job; choose less time or another one.",
    "AssocGrpCPUMinutesLimit": "Your allocation's budget does not cover this job; choose less time or another one.",
    "AssocGrpGRESMinutes": "Your allocation's budget does not cover this job; choose less time or another allocation.",
    "QOSMaxJobsPerUserLimit": "You have the most jobs running that this queue (QOS) allows.",
    "QOSMaxGRESPerUser": "You use the most GPUs that this queue (QOS) allows.",
    "QOSMaxCpuPerUserLimit": "You use the most cores that this queue (QOS) allows.",
    "QOSMaxNodePerUserLimit": "You use the most nodes that this queue (QOS) allows.",
    "QOSMaxWallDurationPerJobLimit": "It asks for more time than this queue (QOS) allows; stop it and ask for less.",
    "QOSGrpGRES": "All the GPUs of this queue (QOS) are in use.",
    "QOSGrpCpuLimit": "All the cores of this queue (QOS) are in use.",
    "QOSGrpNodeLimit": "All the nodes of this queue (QOS) are in use.",
    "MaxGRESPerAccount": "Your allocation uses the most GPUs that it may use at a time.",
    "NodesPoweredDown": "Its node is being switched on.",
    "Prolog": "Its node is being prepared.",
    "Cleaning": "Its last run is being cleaned up.",
}


def why_it_waits(code: str) -> str:
    """Say why a job waits; an unheard-of code is shown as it is, since an administrator will know it."""
    # Two come with more text: "ReqNodeNotAvail, UnavailableNodes:…" and, in 22.05 and without a code of its own,
    # "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions".
    word = "ReqNodeNotAvail" if code.startswith("Nodes required for job") else code.split(",", 1)[0].strip()
    return SENTENCES.get(word, f"The scheduler says: {code}.")
