"""What a waiting person reads, from the session and the cluster's snapshot.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpchub.jobs.session import Phase, Session
from hpchub.slurm.model import ClusterView
from hpchub.slurm.reasons import why_it_waits

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
        return {"progress": 5, "message": "The choice is being checked."}
    view = views.get(session.request.cluster)
    text = sentence(session)
    if view is not None and view.silent_since_epoch is not None and not session.over:
        text += f" (Slurm on {view.cluster} does not answer at the moment; nothing is lost.)"
    return {
        "progress": PERCENT[session.phase],
        "message": text,
        "session": session.id,
        "phase": session.phase,
        "job_id": session.job_id or None,
        "reason": session.reason or None,
    }


def sentence(session: Session) -> str:
    """Say where the session is."""
    request = session.request
    match session.phase:
        case Phase.SUBMITTED:
            return f"Asking {request.cluster} for a place."
        case Phase.QUEUED:
            return f"Job {session.job_id} waits on {request.cluster}. {why_it_waits(session.reason)}"
        case Phase.STARTING:
            return f"Job {session.job_id} runs on {session.node or request.cluster}; the notebook server is starting."
        case Phase.READY:
            return "The notebook server is ready."
        case Phase.ENDING:
            return "The job is ending."
        case Phase.ENDED:
            return session.says
