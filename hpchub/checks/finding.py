"""What a check found: the value that all checks give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How bad it is."""

    FINE = "fine"
    WARNING = "warning"
    """It works, and somebody should know."""
    FAULT = "fault"
    NOT_CHECKED = "not checked"
    """Nothing is known; the finding says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    """What was looked at: a profile, an environment, a part of the deployment."""
    verdict: Verdict
    says: str
    """What was found, in a sentence."""
    remedy: str = ""
    """What to do; empty only where nothing is to be done."""
    place: str = ""
    """Where it was looked at: a cluster, or a cluster and its partition; empty where there is but one place."""

    def as_dict(self) -> dict[str, Any]:
        """Give the finding as JSON-ready values."""
        return asdict(self)


def fine(subject: str, says: str, place: str = "") -> Finding:
    """Find nothing to complain about."""
    return Finding(subject, Verdict.FINE, says, "", place)


def warning(subject: str, says: str, remedy: str, place: str = "") -> Finding:
    """Find something that works, and that somebody should know."""
    return Finding(subject, Verdict.WARNING, says, remedy, place)


def fault(subject: str, says: str, remedy: str, place: str = "") -> Finding:
    """Find something that has to be mended."""
    return Finding(subject, Verdict.FAULT, says, remedy, place)


def not_checked(subject: str, says: str, remedy: str = "", place: str = "") -> Finding:
    """Say why nothing is known."""
    return Finding(subject, Verdict.NOT_CHECKED, says, remedy, place)


def any_fault(findings: Iterable[Finding]) -> bool:
    """Tell whether something has to be mended: exit status 1 of the commands."""
    return any(finding.verdict is Verdict.FAULT for finding in findings)
