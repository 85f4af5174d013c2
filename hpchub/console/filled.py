"""The form of an event, filled with what it is: what its trainer changes, and what stays.  Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from hpchub.console.forms import LABELS, typed
from hpchub.console.plans import Plan
from hpchub.console.teams import as_lines

IN_THE_FORM = tuple(name for name in Plan.model_fields if name in LABELS or name == "material")
"""What of a plan the form has; what else it says stays as it is."""


def filled(plan: Plan, zone: tzinfo | None) -> dict[str, str]:
    """Give what stands in the fields of a plan's form."""
    fields = {name: _typed(getattr(plan, name)) for name in IN_THE_FORM if name != "material"}
    fields["teams"] = as_lines(plan.teams)
    if plan.material is not None:
        fields |= {name: _typed(value) for name, value in plan.material if name in LABELS}
    return fields | {name: typed(getattr(plan, name), zone) for name in ("starts_epoch", "ends_epoch")}


def changes(before: Plan, sent: Plan, zone: tzinfo | None) -> dict[str, Any]:
    """Give what a form says that was filled with a plan and then sent, as the fields of a change."""
    said, there = sent.model_dump(mode="json"), filled(before, zone)
    # A form has whole minutes: what nobody has touched keeps its seconds.
    untouched = [name for name in ("starts_epoch", "ends_epoch") if typed(said[name], zone) == there[name]]
    return {name: said[name] for name in IN_THE_FORM if name not in untouched}


def _typed(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else ""
        case tuple():
            return " ".join(map(str, value))
        case None:
            return ""
        case _:
            return str(value)
