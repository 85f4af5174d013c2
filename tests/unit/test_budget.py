"""What is left of an allocation: how it is read from both sources, how it stands, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hpchub.catalogue import saldo
from hpchub.catalogue.budget import (
    Budget,
    Level,
    enough_minutes,
    from_slurm,
    left_in_words,
    level_of,
    spent_obstacle,
    warnings_of,
)
from hpchub.catalogue.choice import accept
from hpchub.catalogue.notes import budget_notes
from hpchub.catalogue.offers import Person, offers
from hpchub.catalogue.reasons import budget_lines
from hpchub.catalogue.site import Budgets
from hpchub.errors import ChoiceRefused, SlurmError
from hpchub.handlers.budgets import FIELDS, told
from hpchub.slurm import parse_accounts
from hpchub.slurm.model import GroupLimit
from tests.unit.data.world import ADA, VIEWS, demo_catalogue, with_cluster

DATA = Path(__file__).parent / "data" / "slurm"
TODAY = date(2026, 3, 15)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC).timestamp()
PLENTY = Budget("aifac_agri01", 40_000, 10_000, NOW, date(2027, 1, 7), 3_300, 100)
FREE = "lrd_all_serial"


# What saldo prints: the heading as CINECA's documentation shows it, the first line from a user's own terminal.
SALDO = """\
----------------------------------------------------------------------------------------------------------------------
account              start       end      total    localCluster   totConsumed  totConsumed  monthTotal  monthConsumed
                                        (local h)  Consumed(local h) (local h)      %       (local h)     (local h)
----------------------------------------------------------------------------------------------------------------------
IscrB_WearUsFM    20260107  20270107   2000000      1205697      1205697        60.3     164383      99394
AIFAC_P02_222     20250901  20251130     40000        39000        39000        97.5          0          0
AIFAC_Agri01      20260101  20261231     40000         1000     55027726         2.5       3333       4000
"""


def test_the_real_line_of_saldo_is_read() -> None:
    found, strange = saldo.budgets(SALDO, NOW)
    assert strange == ()
    assert found["iscrb_wearusfm"] == Budget(
        account="iscrb_wearusfm",
        total_core_hours=2_000_000,
        used_core_hours=1_205_697,
        taken_epoch=NOW,
        end_date=date(2027, 1, 7),
        month_total_core_hours=164_383,
        month_used_core_hours=99_394,
    )


def test_an_ended_account_stays_listed_and_has_no_month() -> None:
    ended = saldo.budgets(SALDO, NOW)[0]["aifac_p02_222"]
    assert (ended.end_date, ended.month_total_core_hours) == (date(2025, 11, 30), None)
    assert level_of(ended, Budgets(), TODAY) is Level.ENDED


def test_what_other_clusters_used_is_not_charged_here() -> None:
    assert saldo.budgets(SALDO, NOW)[0]["aifac_agri01"].used_core_hours == 1000


@pytest.mark.parametrize(
    "line",
    [
        "slurm_load_jobs error: Unable to contact slurm controller",
        "IscrB_WearUsFM 20260107 20270107 2000000 1205697 1205697 60.3 164383",
        "IscrB_WearUsFM 20260107 20271307 2000000 1205697 1205697 60.3 164383 99394",
        "IscrB_WearUsFM 20260107 20270107 lots 1205697 1205697 60.3 164383 99394",
        "IscrB_WearUsFM 20260107 20270107 2000000 -5 1205697 60.3 164383 99394",
        "IscrB_WearUsFM 20260107 20270107 nan 1205697 1205697 60.3 164383 99394",
        "$(reboot) 20260107 20270107 2000000 1205697 1205697 60.3 164383 99394",
        "\x1b[31mwarning\x1b[0m",
    ],
)
def test_a_line_that_is_no_budget_is_left_out_and_told(line: str) -> None:
    found, strange = saldo.budgets(f"{SALDO}{line}\n", NOW)
    assert list(found) == ["iscrb_wearusfm", "aifac_p02_222", "aifac_agri01"]
    assert strange == (line,)


def test_nothing_is_no_budget() -> None:
    assert saldo.budgets("", NOW) == ({}, ())


@pytest.mark.parametrize("version", ["22.05", "24.11", "26.05"])
def test_limits_and_what_is_used_are_read_from_slurm(version: str) -> None:
    found = parse_accounts.budgets((DATA / version / "budgets.txt").read_text())
    (limit,) = found["aifac_clima01"]
    assert (limit.tres, limit.limit_minutes) == ("billing", 5280) and 0 < limit.used_minutes < 5280
    assert {limit.tres: limit.limit_minutes for limit in found["aifac_cyber01"]} == {
        "billing": 300,
        "cpu": 6000,
        "gres/gpu": 1000,
    }
    # An account below another one has no limit of its own here; its jobs count for both.
    assert found["aifac_manif01b"] == found["aifac_manif01"]
    assert found["aifac_manif01"][0].limit_minutes == 2_400_000 and found["aifac_manif01"][0].used_minutes > 0
    assert found["root"] == ()


def test_half_an_answer_of_sshare_is_an_error() -> None:
    text = (DATA / "22.05" / "budgets.txt").read_text()
    with pytest.raises(SlurmError):
        parse_accounts.budgets(text[:-20])
    with pytest.raises(SlurmError):
        parse_accounts.budgets("aifac_agri01||billing=60\n")


def test_of_several_limits_the_one_that_leaves_least_counts() -> None:
    limits = {
        "a": (GroupLimit("billing", 60_000, 0), GroupLimit("gres/gpu", 600, 300)),
        "b": (GroupLimit("billing", 60, 0), GroupLimit("gres/gpu", 600, 300)),
        "unlimited": (),
    }
    found = from_slurm(limits, core_hours_a_gpu_hour=8, taken_epoch=NOW)
    assert found == {"a": Budget("a", 80, 40, NOW), "b": Budget("b", 1, 0, NOW)}


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.FINE),
        ({"used_core_hours": 31_999}, Level.FINE),
        ({"used_core_hours": 32_000}, Level.LOW),
        ({"used_core_hours": 38_000}, Level.NEARLY_SPENT),
        ({"total_core_hours": 99, "used_core_hours": 0}, Level.NEARLY_SPENT),
        ({"total_core_hours": 100, "used_core_hours": 0}, Level.FINE),
        ({"used_core_hours": 40_000}, Level.SPENT),
        ({"used_core_hours": 41_000}, Level.SPENT),
        ({"total_core_hours": 0, "used_core_hours": 0}, Level.SPENT),
        ({"month_used_core_hours": 3_300}, Level.MONTH_SPENT),
        ({"month_used_core_hours": 3_300, "used_core_hours": 38_000}, Level.NEARLY_SPENT),
        ({"month_total_core_hours": None, "month_used_core_hours": None}, Level.FINE),
        ({"end_date": TODAY}, Level.FINE),
        ({"end_date": date(2026, 3, 14)}, Level.ENDED),
        ({"end_date": None}, Level.FINE),
    ],
)
def test_how_a_budget_stands(changes: Mapping[str, object], level: Level) -> None:
    budget = replace(PLENTY, **changes)  # type: ignore[arg-type]  # the rows name fields of the class
    assert level_of(budget, Budgets(), TODAY) is level
    refused = spent_obstacle(budget, "leonardo", TODAY) is not None
    assert refused == (level in (Level.SPENT, Level.ENDED))
    assert bool(warnings_of(budget, "leonardo", Budgets(), TODAY)) == (not refused and level is not Level.FINE)


def test_the_levels_are_the_site_s() -> None:
    strict = Budgets(low_percent=20, nearly_spent_percent=26, few_core_hours=0)
    assert level_of(PLENTY, strict, TODAY) is Level.LOW


def test_what_people_read() -> None:
    assert left_in_words(PLENTY) == "30,000 of 40,000 core-hours left, until 2027-01-07"
    assert left_in_words(Budget("a", 88, 86.4, NOW)) == "1.6 of 88 core-hours left"
    over = replace(PLENTY, used_core_hours=40_001, end_date=None)
    assert spent_obstacle(over, "leonardo", TODAY) == (
        "The budget of aifac_agri01 on leonardo is used up: 0 of 40,000 core-hours left."
    )
    ended = replace(PLENTY, end_date=date(2026, 1, 31))
    assert spent_obstacle(ended, "leonardo", TODAY) == (
        "Allocation aifac_agri01 on leonardo ended on 2026-01-31; 30,000 of 40,000 core-hours were left."
    )
    both = replace(PLENTY, used_core_hours=39_000, month_used_core_hours=3_400)
    assert warnings_of(both, "leonardo", Budgets(), TODAY) == [
        "Allocation aifac_agri01 on leonardo is nearly spent: 1,000 of 40,000 core-hours left, until 2027-01-07.",
        "The share of this month of aifac_agri01 on leonardo is used up (3,300 core-hours): "
        "its jobs run later until the month ends.",
    ]


@pytest.mark.parametrize(("cost", "minutes"), [(8, 11 * 60), (32, 165), (0, None)])
def test_for_how_long_it_is_enough(cost: float, minutes: int | None) -> None:
    assert enough_minutes(Budget("a", 88, 0, NOW), cost) == minutes


def ada_with(**leonardo: Budget) -> Person:
    """Ada, who asks on the 15th of March, with these budgets on leonardo."""
    return replace(ADA, budgets={"leonardo": leonardo}, asks_epoch=NOW)


def accounts(person: Person, partition: str = "boost_usr_prod") -> set[str]:
    """The allocations of a person's offers in a partition of leonardo."""
    catalogue = with_cluster("leonardo", free_partitions=[FREE])
    return {
        offer.allocation
        for offer in offers(catalogue, person, VIEWS)
        if (offer.cluster, offer.partition) == ("leonardo", partition)
    }


SPENT = replace(PLENTY, used_core_hours=40_000)
ENDED = replace(PLENTY, end_date=date(2026, 3, 14))
MONTH_SPENT = replace(PLENTY, month_used_core_hours=3_300)


@pytest.mark.parametrize(
    ("budget", "offered"),
    [(PLENTY, True), (MONTH_SPENT, True), (SPENT, False), (ENDED, False), (replace(PLENTY, end_date=TODAY), True)],
)
def test_only_what_can_still_be_charged_is_offered(budget: Budget, offered: bool) -> None:
    assert ("aifac_agri01" in accounts(ada_with(aifac_agri01=budget))) == offered
    assert "aifac_clima01" in accounts(ada_with(aifac_agri01=budget))


@pytest.mark.parametrize("budget", [SPENT, ENDED])
def test_a_free_partition_does_not_ask_for_the_budget(budget: Budget) -> None:
    assert "aifac_agri01" in accounts(ada_with(aifac_agri01=budget), FREE)


def test_an_unknown_budget_refuses_nothing() -> None:
    assert accounts(ada_with()) == {"aifac_agri01", "aifac_clima01"}


def test_a_budget_of_another_cluster_refuses_nothing() -> None:
    person = replace(ADA, budgets={"it4lia": {"aifac_agri01": SPENT}}, asks_epoch=NOW)
    assert "aifac_agri01" in accounts(person)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            {"profile": "general/pytorch", "cluster": "leonardo", "allocation": "AIFAC_Agri01"},
            "The budget of aifac_agri01 on leonardo is used up: 0 of 40,000 core-hours left, until 2027-01-07. "
            "Yours: aifac_clima01.",
        ),
        (
            {"profile": "agrifood/remote-sensing", "cluster": "leonardo"},
            "The budget of aifac_agri01 on leonardo is used up: 0 of 40,000 core-hours left, until 2027-01-07. "
            "Other allocations of yours there, for other profiles: aifac_clima01.",
        ),
    ],
)
def test_a_spent_budget_is_refused_with_what_is_possible(choice: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        accept(choice, demo_catalogue(), ada_with(aifac_agri01=SPENT), VIEWS)
    assert str(refusal.value) == sentence


def test_a_place_where_the_budget_is_spent_gives_way_to_the_next() -> None:
    choice = {"profile": "agrifood/remote-sensing"}
    assert accept(choice, demo_catalogue(), ada_with(aifac_agri01=SPENT), VIEWS).offer.cluster == "it4lia"


def test_the_page_says_what_is_left_and_warns() -> None:
    site = with_cluster("leonardo", budget={"source": "slurm"}).site.model_copy(update={"timezone": "Europe/Rome"})
    paid = [("leonardo", "aifac_agri01"), ("leonardo", "aifac_clima01"), ("leonardo", "aifac_agri01")]
    lines, warnings = budget_lines(site, ada_with(aifac_agri01=MONTH_SPENT), paid)
    assert lines == ["aifac_agri01 on leonardo: 30,000 of 40,000 core-hours left, until 2027-01-07 (asked at 13:00)"]
    assert [sentence[:31] for sentence in warnings] == ["The share of this month of aifa"]


def test_the_api_tells_every_allocation_and_says_what_it_knows() -> None:
    entries = told(demo_catalogue().site, ada_with(aifac_agri01=SPENT), VIEWS)
    assert [(entry["cluster"], entry["account"], entry["level"]) for entry in entries] == [
        ("leonardo", "aifac_agri01", "spent"),
        ("leonardo", "aifac_clima01", None),
        ("it4lia", "aifac_agri01", None),
        ("it4lia", "aifac_clima01", None),
    ]
    assert all(tuple(entry) == FIELDS for entry in entries)
    assert (entries[0]["left_core_hours"], entries[0]["end_date"]) == (0, "2027-01-07")


def test_the_api_says_it_in_the_reader_s_language() -> None:
    (entry, *_) = told(demo_catalogue().site, ada_with(aifac_agri01=SPENT), VIEWS, "it")
    assert entry["sentences"] == [
        "Il budget di aifac_agri01 su leonardo è esaurito: restano 0 core-ore su 40.000, fino al 7 gen 2027."
    ]


def test_a_place_says_for_how_long_what_is_left_is_enough() -> None:
    person = ada_with(aifac_agri01=replace(PLENTY, total_core_hours=88, used_core_hours=0))
    groups = [
        group
        for group in offers(demo_catalogue(), person, VIEWS).groups
        if (group.profile.slug, group.run.cluster) == ("agrifood/remote-sensing", "leonardo")
    ]
    (term,) = (term for term in groups[0].terms if (term.size, term.qos) == ("small", "normal"))
    assert (term.core_hours_an_hour, term.max_minutes) == (8, 720)
    (note,) = budget_notes(person, groups)
    assert note.startswith("What is left of aifac_agri01 on leonardo is enough for 660 minutes of size small, ")
    assert list(budget_notes(ada_with(aifac_agri01=PLENTY), groups)) == []
    assert list(budget_notes(ADA, groups)) == []
