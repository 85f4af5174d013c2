"""A job request to vary, as an accepted choice of ada's becomes one; and the job of it that runs."""

from __future__ import annotations

import string
from typing import Any

from hpchub.jobs.request import JobRequest
from hpchub.slurm.model import Job, JobState

SESSION_ID = "0123456789abcdef0123456789abcdef"
FIELDS: dict[str, Any] = {
    "session_id": SESSION_ID,
    "hub_id": "demo",
    "user": "ada",
    "server_name": "",
    "profile": "agrifood/remote-sensing",
    "cluster": "leonardo",
    "partition": "boost_usr_prod",
    "account": "aifac_agri01",
    "qos": "normal",
    "gpus": 1,
    "gpu_type": "a100",
    "cores": 8,
    "memory_mb": 122_880,
    "minutes": 1530,
    "reservation": None,
    "environment": "/opt/environments/base/x86_64-demo",
}


def request(**changes: Any) -> JobRequest:
    """The request with some fields changed."""
    return JobRequest(**{**FIELDS, **changes})


REQUEST = request()
JOB = Job(
    job_id="17",
    user="ada",
    state=JobState.RUNNING,
    slurm_state="RUNNING",
    reason="",
    node="lrdn0001",
    account="aifac_agri01",
    partition="boost_usr_prod",
    qos="normal",
    comment=REQUEST.comment,
)


def words_of(signs: str) -> set[str]:
    """Letters, digits and these signs."""
    return {*string.ascii_letters, *string.digits, *signs}
