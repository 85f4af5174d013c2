"""What somebody is told of their own allocations: what Slurm says, and nothing where it has not spoken yet."""

from __future__ import annotations

from hpchub.handlers.me import accounts_of
from hpchub.slurm.model import Association, ClusterView


def held(*accounts: str) -> tuple[Association, ...]:
    return tuple(Association("ada", account, frozenset({"normal"})) for account in accounts)


def test_an_account_counts_once_though_it_has_an_association_a_partition() -> None:
    view = ClusterView("leonardo", associations={"ada": held("b", "a", "b")})
    assert accounts_of("ada", {"leonardo": view}) == {"leonardo": ["a", "b"]}


def test_somebody_without_an_account_is_told_so() -> None:
    view = ClusterView("leonardo", associations={"ada": held("a")})
    assert accounts_of("bruno", {"leonardo": view}) == {"leonardo": []}


def test_before_the_accounting_has_been_heard_nobody_knows() -> None:
    assert accounts_of("ada", {"leonardo": ClusterView("leonardo")}) == {"leonardo": None}
