"""The choices that the tests on a running site start."""

from __future__ import annotations

from typing import Any

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
