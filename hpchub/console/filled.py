"""The form of an event, filled with what it is: what its trainer changes, and what stays.  Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from hpchub.catalogue.material import Material
from hpchub.console.forms import LABELS, LISTS, names_in, typed
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
    said, now, there = sent.model_dump(mode="json"), filled(sent, zone), filled(before, zone)

    def touched(name: str) -> bool:
        # What nobody has touched stays, though a form has whole minutes, and splits names that have a space in them.
        if name in LISTS:
            return names_in(now[name]) != names_in(there[name])
        if name == "teams":
            return list(map(names_in, now[name].splitlines())) != list(map(names_in, there[name].splitlines()))
        parts = Material.model_fields if name == "material" else (name,)
        return any(now.get(part, "") != there.get(part, "") for part in parts)

    return {name: said[name] for name in IN_THE_FORM if touched(name)}


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
