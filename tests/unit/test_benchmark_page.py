"""The benchmark's page: put together from sections that were measured at different times, some of them not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine import sections, tables, targets
from benchmarks.engine.idle import Answers, Cost, Rest
from benchmarks.engine.large import with_nodes
from benchmarks.engine.pages import Pages, Views
from benchmarks.engine.results import page
from benchmarks.engine.rush import Rush
from benchmarks.engine.sections import Ring, Section
from tests.support.sdiag import Asked

FACTS = {"Date": "2026-11-22 02:26 UTC", "Machine": "2 cores", "Slurm": "22.05.8"}
RUSH = Rush(200, 12.5, 13.0, 30.0, 180.0, 240.0, 0, 0)


def rest(requests: int, *, queued: int = 100) -> Rest:
    """A hub that asked so often in a minute, at both of its sizes."""
    asked = Asked(60.0, {"REQUEST_JOB_INFO": requests})
    costs = [Cost(10, 10, asked, 0.01), Cost(1000, queued, asked, 0.03)]
    return Rest(costs, [Answers(10.0, 20.0, 30.0, 12.0, 0)])


def test_a_section_is_read_as_it_was_written(tmp_path: Path) -> None:
    found: dict[str, Section[Any]] = {
        "rush": Section(facts=FACTS, found=RUSH),
        "idle": Section(facts=FACTS, found=rest(20)),
    }
    for name, section in found.items():
        sections.write(tmp_path, name, section)
    assert {name: (each.facts, each.found) for name, each in sections.read(tmp_path).items()} == {
        name: (each.facts, each.found) for name, each in found.items()
    }


def test_what_was_not_measured_has_no_table_and_no_target() -> None:
    measured = {"rush": Section(facts=FACTS, found=RUSH)}
    assert [table.title for table in tables.of_sections(measured)] == ["A room that presses Start at once"]
    assert [target.what for target in targets.of_sections(measured)] == [
        "200 servers at once, all submitted",
        "API p99 meanwhile",
        "servers of them that were not ready",
    ]


def test_a_peer_stands_beside_ours_and_is_compared() -> None:
    measured = {
        "idle": Section(facts=FACTS, found=rest(20)),
        "idle-batchspawner": Section(facts=FACTS, found=rest(14_000)),
    }
    assert {row[1] for row in tables.of_sections(measured)[0].rows} == {"ours", "batchspawner"}
    compared = targets.of_sections(measured)[-1]
    assert compared.met and compared.found == pytest.approx(700)


def test_a_missed_target_is_seen() -> None:
    late = Section(facts=FACTS, found=Rush(200, 18.5, 20.0, 72.0, 3833.0, 4000.0, 0, 1))
    table = targets.table(targets.of_sections({"rush": late}))
    assert [row[-1] for row in table.rows] == ["**no**", "**no**", "**no**"]


def test_the_page_says_once_what_is_common_and_by_section_what_is_not() -> None:
    measured: dict[str, Section[Any]] = {
        "rush": Section(facts=FACTS, found=RUSH),
        "ring-slurm": Section(facts={**FACTS, "Slurm": "24.11.5"}, found=Ring(passed=9, failed=0, skipped=1)),
    }
    text = page("soak", measured, tables.of_rings({"slurm": measured["ring-slurm"]}))
    assert text.count("| Machine | 2 cores |") == 1
    assert "| rush | 22.05.8 |" in text and "| ring-slurm | 24.11.5 |" in text
    assert "| slurm | 9 | 0 | 1 |" in text


def views(median: float, requests: int, failures: int = 0) -> Views:
    """A page that was opened 700 times."""
    asked = Asked(10.0, {"REQUEST_NODE_INFO": requests, "MESSAGE_NODE_REGISTRATION_STATUS": 5000})
    return Views(median, 20.0, 400.0, 500.0, 100.0, 700, asked, failures)


def test_a_page_must_be_quick_must_ask_slurm_for_nothing_and_must_not_fail() -> None:
    good, bad = {"ours": views(12, 7)}, {"ours": views(16, 1400, 1)}
    judged = {
        name: targets.of_sections({"pages": Section(facts=FACTS, found=Pages(5000, 200, each))})
        for name, each in {"good": good, "bad": bad}.items()
    }
    assert [target.met for target in judged["good"]] == [True, True, True]
    assert [target.met for target in judged["bad"]] == [False, False, False]


def test_moss_s_page_stands_beside_ours_and_has_no_target() -> None:
    found = {"pages": Section(facts=FACTS, found=Pages(5000, 200, {"ours": views(12, 7), "moss": views(48, 1400)}))}
    rows = tables.of_sections(found)[0].rows
    assert [(row[0], row[1], row[-2]) for row in rows] == [
        ("our start page", "12 ms", "0.01"),
        ("MOSS's page", "48 ms", "2.00"),
    ]
    assert len(targets.of_sections(found)) == 3


def test_nodes_are_added_to_the_partition_that_offers_gpus() -> None:
    partitions = "PartitionName=serial Nodes=a\nPartitionName=boost_usr_prod Nodes=lrdn[0001-0001] X\n"
    conf = f"NodeName=lrdn[0001-0001]\n\n{partitions}"
    made = with_nodes(conf, 5000)
    assert "PartitionName=boost_usr_prod Nodes=lrdn[0001-0001],far[0001-5000] X\n" in made
    assert made.index("NodeName=far[0001-5000]") < made.index("PartitionName=")
    with pytest.raises(RuntimeError, match="no partition"):
        with_nodes("PartitionName=serial Nodes=a\n", 5000)
