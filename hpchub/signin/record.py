"""Who signed in and who did not, in JupyterHub's event log, beside its own events of starts and stops.

The schema beside this file says what is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

SCHEMA = Path(__file__).with_name("sign-in-event.yaml")
SCHEMA_ID = "urn:hpchub:events:sign-in"
Action = Literal[
    "signed-in", "refused", "ended", "start-refused", "seat-taken", "seat-refused", "seat-ended", "seat-handed-over"
]


def register(log: Any) -> None:
    """Make these events known to the event log of a hub; until then, none is written."""
    log.register_event_schema(SCHEMA)


def write(log: Any, action: Action, **facts: str | bool) -> None:
    """Write an event, if the hub keeps a log of them.

    Args:
        log: the hub's event log, which knows these events; None writes nothing.
        action: what happened.
        facts: ``username``, ``admin``, ``reason``, ``event`` and ``by``, as the schema says.
    """
    if log is None:
        return
    log.emit(schema_id=SCHEMA_ID, data={"action": action, **facts})
