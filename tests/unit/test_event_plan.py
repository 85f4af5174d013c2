"""A plan of an event as people write it: in a file, as options, or both."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.problems import FilesWrong
from hpchub.cli import app
from hpchub.cli.event_check import show
from hpchub.console.capacity import findings
from hpchub.console.capacity.plan import Plan, read_plan
from hpchub.jobs import hpchub_reserve
from hpchub.slurm.model import Association
from tests.unit.data.world import BOOST_NODE, LEONARDO, demo_catalogue

ROME = ZoneInfo("Europe/Rome")
PLAN = """\
name: gpu-school
cluster: leonardo
allocation: TRA26_hack
opens: 2027-03-01T09:00:00+01:00
closes: 2027-03-02
seats: 25
profiles: [general/*]
people: [seat01, seat02]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "school.yaml"
    path.write_text(PLAN)
    return path


def test_a_plan_of_a_file(file: Path) -> None:
    planned = read_plan(file, {}).planned(ROME)
    assert (planned.slug, planned.allocation, planned.seats) == ("gpu-school", "tra26_hack", 25)
    # the second of March belongs to it to its end, in Rome
    assert planned.closes_epoch - planned.opens_epoch == (24 + 15) * 3600
    assert planned.members == ("seat01", "seat02")
    assert planned.session_minutes == planned.window_minutes == (24 + 15) * 60


def test_an_option_wins(file: Path) -> None:
    planned = read_plan(file, {"seats": 4, "teams": 2, "setup_minutes": 30}).planned(ROME)
    assert (planned.seats, planned.sessions) == (4, 2)
    assert planned.opens_epoch - planned.begins_epoch == 1800


def test_a_plan_of_options_alone() -> None:
    options: dict[str, Any] = {
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "opens": "2027-03-01",
        "closes": "2027-03-01",
        "seats": 1,
        "profiles": ["general/pytorch"],
    }
    planned = read_plan(None, options).planned(ROME)
    assert planned.slug == "event" and planned.window_minutes == 24 * 60


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PLAN.replace("seats: 25", "seats: 0"), "school.yaml:6: seats: found 0; possible: a whole number, at least 1"),
        (PLAN.replace("seats", "seat"), "school.yaml:6: seat: is not a field; possible: "),
        (PLAN.replace("T09:00:00+01:00", "T09:00:00"), "school.yaml:4: opens: "),
        ("- a list\n", "school.yaml:1: the file: "),
        (PLAN.replace("[seat01, seat02]", "[root;id]"), "school.yaml:8: people.0: "),
    ],
)
def test_mistakes_name_their_line(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    with pytest.raises(FilesWrong) as wrong:
        read_plan(file, {})
    assert sentence in str(wrong.value)


def test_what_options_lack_is_named() -> None:
    with pytest.raises(FilesWrong, match="closes: is missing"):
        read_plan(None, {"cluster": "leonardo"})


def test_every_field_is_an_option_and_explained() -> None:
    (events,) = (group.typer_instance for group in app.registered_groups if group.name == "events")
    assert events is not None
    (check,) = (
        command.callback
        for command in events.registered_commands
        if command.callback and command.callback.__name__ == "check"
    )
    options = {{"profile": "profiles", "person": "people"}.get(name, name) for name in check.__annotations__}
    assert set(Plan.model_fields) <= options
    assert all(field.description for field in Plan.model_fields.values())


GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "plan-an-event.md"


def blocks(language: str) -> list[str]:
    """The guide's blocks of code of a language, as they are when they are pasted."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return [dedent(text) for _, text in found]


def test_the_plan_of_the_guide_can_be_read_and_its_table_has_every_field(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(blocks("text")[0])
    assert read_plan(tmp_path / "plan.yaml", {}).planned(ROME).seats == 24
    table = GUIDE.read_text().split("| field | meaning |")[1].split("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert named == [name for name in Plan.model_fields]


def test_the_policy_of_the_guide_is_complete() -> None:
    policy = json.loads(blocks("json")[0])
    used = set(re.findall(r'policy(?:\.get\(|\[)"(\w+)"', Path(str(hpchub_reserve.__file__)).read_text()))
    assert set(policy) == used - {"peer"}, "where a door is a socket"


def test_the_answer_of_the_guide_is_what_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text(blocks("text")[0])
    people = ("seat01", "seat02")
    both = frozenset({"normal", "boost_qos_dbg"})
    view = replace(
        LEONARDO,
        nodes=tuple(replace(BOOST_NODE, name=f"lrdn{number:04}") for number in range(1, 11)),
        associations={name: (Association(name, "tra26_hack", both, "normal"),) for name in people},
    )
    catalogue = demo_catalogue()
    in_utc = replace(catalogue, site=catalogue.site.model_copy(update={"timezone": "UTC"}))
    budgets = {"tra26_hack": Budget("tra26_hack", 80_000, 0, 0)}
    planned = read_plan(tmp_path / "plan.yaml", {}).planned(ZoneInfo("UTC"))
    show(findings(planned, view, in_utc, 0, budgets))
    said = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert blocks("console")[0] == f"# hpchub events check gpu-school.yaml\n{said}\n"
