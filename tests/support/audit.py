"""The audit record of a running site."""

from __future__ import annotations

import json
from typing import Any

from tests.support.site import Site


def events(site: Site, kind: str) -> list[dict[str, Any]]:
    """Give the events of a kind (``sign-in``, ``session``, ``access``) that are written today, without their heads."""
    path = site.folder / "hub" / "events.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    ours = [line for line in lines if line["__schema__"] == f"urn:hpchub:events:{kind}"]
    return [{name: value for name, value in each.items() if name[:2] != "__"} for each in ours]
