"""What is left of an allocation: values, levels and sentences.  Pure.

The unit is the site's core-hour.  What follows from a budget is what CINECA says of its own
(https://docs.hpc.cineca.it/hpc/hpc_intro.html): once a month's share is used up jobs run later, and once everything is
used up or the end date has passed none is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

from hpchub.slurm.model import GroupLimit
from hpchub.text import Number, Sentence, When

MINUTES_OF_AN_HOUR = 60


@dataclass(frozen=True, slots=True)
class Budget:
    """What one account may spend on one cluster, as its source told it last."""

    account: str
    """In lower case."""
    total_core_hours: float
    used_core_hours: float
    taken_epoch: float
    """When the source was asked; what it said may be older (``saldo`` is worked out overnight)."""
    end_date: date | None = None
    """The last day; None where the source names none."""
    month_total_core_hours: float | None = None
    """The month's share; None where there is none."""
    month_used_core_hours: float | None = None
    set_by: GroupLimit | None = field(default=None, compare=False)
    """Slurm's own limit that it comes from; None where another source told it."""

    @property
    def left_core_hours(self) -> float:
        return max(self.total_core_hours - self.used_core_hours, 0)


class Level(StrEnum):
    """How a budget stands, from the best to the worst; only the last two refuse a start."""

    FINE = "fine"
    LOW = "low"
    MONTH_SPENT = "month-spent"
    """The month's share is used up: jobs start, but later."""
    NEARLY_SPENT = "nearly-spent"
    SPENT = "spent"
    ENDED = "ended"


class Warnings(Protocol):
    """From when on a budget is worth a warning: the site's ``budget`` of a cluster."""

    low_percent: int
    nearly_spent_percent: int
    few_core_hours: int


def level_of(budget: Budget, warnings: Warnings, today: date) -> Level:
    """Tell how a budget stands on a day."""
    if budget.end_date is not None and today > budget.end_date:
        return Level.ENDED
    left = budget.left_core_hours
    if left <= 0:
        return Level.SPENT
    used_percent = 100 * budget.used_core_hours / budget.total_core_hours
    if used_percent >= warnings.nearly_spent_percent or left < warnings.few_core_hours:
        return Level.NEARLY_SPENT
    if _month_is_spent(budget):
        return Level.MONTH_SPENT
    return Level.LOW if used_percent >= warnings.low_percent else Level.FINE


def _month_is_spent(budget: Budget) -> bool:
    total, used = budget.month_total_core_hours, budget.month_used_core_hours
    return bool(total) and used is not None and used >= (total or 0)


def left_in_words(budget: Budget) -> Sentence:
    """Say what is left: ``88 of 40,000 core-hours left, until 2027-01-07``."""
    left, total = _rounded(budget.left_core_hours), _rounded(budget.total_core_hours)
    if budget.end_date is None:
        return Sentence("{left} of {total} core-hours left", left=left, total=total)
    return Sentence("{left} of {total} core-hours left, until {day}", left=left, total=total, day=When(budget.end_date))


def _rounded(core_hours: float) -> Number:
    return Number(core_hours, 0 if core_hours >= 10 or core_hours == 0 else 1)


def spent_obstacle(budget: Budget, cluster: str, today: date) -> Sentence | None:
    """Say why nothing can be charged to this account any more; None while something can."""
    if budget.end_date is not None and today > budget.end_date:
        return Sentence(
            "Allocation {account} on {cluster} ended on {day}; {left} of {total} core-hours were left.",
            account=budget.account,
            cluster=cluster,
            day=When(budget.end_date),
            left=_rounded(budget.left_core_hours),
            total=_rounded(budget.total_core_hours),
        )
    if budget.left_core_hours <= 0:
        return Sentence(
            "The budget of {account} on {cluster} is used up: {left}.",
            account=budget.account,
            cluster=cluster,
            left=left_in_words(budget),
        )
    return None


def warnings_of(budget: Budget, cluster: str, warnings: Warnings, today: date) -> list[Sentence]:
    """Say what somebody who is about to spend from this budget has to know; nothing where all is well."""
    level = level_of(budget, warnings, today)
    sentences = []
    facts: dict[str, object] = {"account": budget.account, "cluster": cluster, "left": left_in_words(budget)}
    if level is Level.NEARLY_SPENT:
        sentences.append(Sentence("Allocation {account} on {cluster} is nearly spent: {left}.", **facts))
    if level is Level.LOW:
        sentences.append(Sentence("Allocation {account} on {cluster} is running low: {left}.", **facts))
    if level not in (Level.SPENT, Level.ENDED) and _month_is_spent(budget):
        sentences.append(
            Sentence(
                "The share of this month of {account} on {cluster} is used up ({share} core-hours): its jobs run later "
                "until the month ends.",
                account=budget.account,
                cluster=cluster,
                share=_rounded(budget.month_total_core_hours or 0),
            )
        )
    return sentences


def enough_minutes(budget: Budget, core_hours_an_hour: float) -> int | None:
    """Tell for how long what is left pays a session of this cost; None where the session is free."""
    if core_hours_an_hour <= 0:
        return None
    return int(budget.left_core_hours / core_hours_an_hour * MINUTES_OF_AN_HOUR)


def from_slurm(
    limits: Mapping[str, Iterable[GroupLimit]], core_hours_a_gpu_hour: float, taken_epoch: float
) -> Mapping[str, Budget]:
    """Make budgets of Slurm's own limits, by account: of several limits the one that leaves least.

    An account without a limit has no budget here.  A minute of ``billing`` and of ``cpu`` counts as one core-minute.
    """
    found = {}
    for account, of_account in limits.items():
        budgets = [
            Budget(account, limit.limit_minutes * weight, limit.used_minutes * weight, taken_epoch, set_by=limit)
            for limit in of_account
            for weight in [(core_hours_a_gpu_hour if limit.tres == "gres/gpu" else 1) / MINUTES_OF_AN_HOUR]
        ]
        if budgets:
            found[account] = min(budgets, key=lambda budget: budget.left_core_hours)
    return found
