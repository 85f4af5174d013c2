"""The choices that the tests on a running site start."""

from __future__ import annotations

from typing import Any

from hpchub.jobs.request import JobRequest

ADA: dict[str, Any] = {
    "profile": "agrifood/remote-sensing",
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "size": "small",
    "minutes": 120,
    "qos": None,
    "event": None,
}
BRUNO: dict[str, Any] = {
    "profile": "cybersecurity/log-analysis",
    "cluster": "it4lia",
    "allocation": "aifac_cyber01",
    "size": "small",
    "minutes": 90,
    "qos": None,
    "event": None,
}
LOOKED_AT = JobRequest(
    session_id="0" * 32,
    hub_id="demo",
    user="ada",
    server_name="",
    profile=ADA["profile"],
    cluster="leonardo",
    partition="boost_usr_prod",
    account="aifac_agri01",
    qos="normal",
    gpus=1,
    gpu_type="a100",
    cores=8,
    memory_mb=1000,
    minutes=10,
    environment="/nowhere",
)
"""What Slurm is asked about and nobody starts."""
