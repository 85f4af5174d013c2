"""The events of JupyterHub's progress stream, from the session and the cluster's snapshot.  Pure.

The stream's own sentences are English: JupyterHub calls ``progress()`` without a request, so nobody knows the reader's
language.  The waiting page takes an event for a reason to look again, and says the same in the reader's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpchub.jobs.session import Phase, Session
from hpchub.jobs.waiting import CHECKING, news
from hpchub.slurm.model import ClusterView

PERCENT = {
    Phase.SUBMITTED: 10,
    Phase.QUEUED: 20,
    Phase.STARTING: 60,
    Phase.READY: 95,
    Phase.ENDING: 95,
    Phase.ENDED: 100,
}


def event(session: Session | None, views: Mapping[str, ClusterView]) -> dict[str, Any]:
    """Give one event of JupyterHub's progress stream; ``message`` is plain text, which JupyterHub escapes."""
    if session is None:
        return {"progress": 5, "message": CHECKING}
    told = news(session, views.get(session.request.cluster))
    return {
        "progress": PERCENT[session.phase],
        "message": told.pop("sentence"),
        "session": session.id,
        "job_id": session.job_id or None,
        "reason": session.reason or None,
        **told,
    }


def is_news(event: Mapping[str, Any], said: Mapping[str, Any] | None) -> bool:
    """Tell whether an event says more than the last one: that the cluster has answered once more is not worth one."""
    return said is None or _lasting(event) != _lasting(said)


def _lasting(event: Mapping[str, Any]) -> dict[str, Any]:
    says = event.get("cluster_says") or {}
    return {**event, "cluster_says": says.get("silent_since_epoch")}
