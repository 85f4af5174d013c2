"""Reads what CINECA's ``saldo -b`` and ``saldo -b --dcgp`` print.  Pure.

Nine columns (https://docs.hpc.cineca.it/hpc/hpc_intro.html): account, start, end, total, localClusterConsumed,
totConsumed, totConsumed%, monthTotal, monthConsumed; days as ``20270107``, amounts in core-hours of this cluster,
below a heading of two lines.  What is used is ``localClusterConsumed``: ``total`` is the grant on this cluster, the
percentage is their quotient, and ``totConsumed`` counts other clusters' hours too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from hpchub.catalogue.budget import Budget

_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_DAY = re.compile(r"\d{8}")
_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,6})?")
_HEADING = re.compile(r"\s*|[-=\s]+|\s*account\s+start\s+end\b.*|\s*(account\s+)?\(local h\).*|.*\(local h\)\s*", re.I)


def budgets(text: str, taken_epoch: float) -> tuple[Mapping[str, Budget], tuple[str, ...]]:
    """Read an answer: budgets by account in lower case, and the lines that are neither a budget nor a heading.

    An account that is named twice has what its last line says.
    """
    found: dict[str, Budget] = {}
    strange = []
    for line in text.splitlines():
        budget = _budget(line, taken_epoch)
        if budget is not None:
            found[budget.account] = budget
        elif not _HEADING.fullmatch(line):
            strange.append(line)
    return found, tuple(strange)


def _budget(line: str, taken_epoch: float) -> Budget | None:
    columns = line.split()
    if len(columns) != 9:
        return None
    account, start, end, *amounts = columns
    if not _ACCOUNT.fullmatch(account) or not all(_AMOUNT.fullmatch(amount) for amount in amounts):
        return None
    end_date = _day(end)
    if _day(start) is None or end_date is None:
        return None
    total, used, _, _, month_total, month_used = map(float, amounts)
    return Budget(
        account=account.lower(),
        total_core_hours=total,
        used_core_hours=used,
        taken_epoch=taken_epoch,
        end_date=end_date,
        month_total_core_hours=month_total or None,
        month_used_core_hours=month_used if month_total else None,
    )


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date() if _DAY.fullmatch(text) else None
    except ValueError:
        return None
