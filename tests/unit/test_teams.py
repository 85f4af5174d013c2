"""Teams of an event: as people write them, who is in which, and what each starts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from hpchub.cli import app
from hpchub.console.capacity.plan import Plan as CapacityPlan
from hpchub.console.plans import Plan
from hpchub.console.teams import Team, as_lines, read_teams, team_of
from tests.unit.data.console import MINUTE, NINE, Console, plan
from tests.unit.test_console_pages import FORM

BLU = {"name": "Blu", "members": ["ada"]}
ROSSO = {"name": "Rosso", "members": ["bruno"], "size": "medium", "profile": "general/llm-inference"}


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path)


@pytest.mark.parametrize(
    ("line", "team"),
    [
        ("Blu: ada, bruno", {"name": "Blu", "members": ["ada", "bruno"], "size": None, "profile": None}),
        (
            "  Blu :ada;bruno dario",
            {"name": "Blu", "members": ["ada", "bruno", "dario"], "size": None, "profile": None},
        ),
        ("I gatti", {"name": "I gatti", "members": [], "size": None, "profile": None}),
        ("Blu (large): ada", {"name": "Blu", "members": ["ada"], "size": "large", "profile": None}),
        ("Blu (general/llm, large):", {"name": "Blu", "members": [], "size": "large", "profile": "general/llm"}),
    ],
)
def test_a_team_is_a_line(line: str, team: dict[str, Any]) -> None:
    assert read_teams(["", line, "  "]) == [team]
    assert read_teams([as_lines([Team.model_validate(team)])]) == [team]


@pytest.mark.parametrize(
    "line", ["(large): ada", ": ada", "Blu (large, small): ada", "Blu (a/b, c/d)", "Blu (large: ada"]
)
def test_another_line_is_none(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_teams([line])


def test_the_command_line_says_which_team_is_none() -> None:
    event = ["--title", "x", "--starts", "2099-03-01", "--ends", "2099-03-01", "--seats", "2", "--cluster", "leonardo"]
    rest = ["--allocation", "tra26_hack", "--profile", "general/pytorch", "--url", "http://127.0.0.1:9"]
    done = CliRunner().invoke(app, ["events", "create", *event, *rest, "--team", "(large)"], env={"COLUMNS": "200"})
    assert done.exit_code == 2 and "'(large)' is no team; possible: 'Blu: ada, bruno'" in done.output


@pytest.mark.parametrize(
    ("teams", "wrong"),
    [
        ([BLU, BLU], "too much like"),
        ([BLU, {"name": "BLU!"}], "too much like"),
        ([BLU, {"name": "Rosso", "members": ["ada"]}], "ada is in Blu too"),
        ([{"name": "a:b"}], "name"),
        ([{"name": ""}], "name"),
        ([{"name": " Blu"}], "name"),
        ([{"name": "x" * 41}], "name"),
        ([{"name": "Blu", "size": "--size"}], "size"),
    ],
)
def test_teams_differ_and_share_nobody(teams: list[dict[str, Any]], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Plan.model_validate(plan(teams=teams))


def test_members_of_teams_are_invited() -> None:
    made = Plan.model_validate(plan(teams=[BLU, ROSSO], people=["dario", "ada"], by_code=False))
    assert made.people == ("dario", "ada", "bruno")
    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_who_may_choose_needs_teams() -> None:
    with pytest.raises(ValidationError, match="choose_team"):
        Plan.model_validate(plan(choose_team=True))


@pytest.mark.parametrize(
    ("person", "moved", "team"),
    [("ada", None, "Blu"), ("ada", "Rosso", "Rosso"), ("ada", "", ""), ("dario", None, ""), ("ada", "Gone", "")],
)
def test_a_move_comes_before_the_plan(person: str, moved: str | None, team: str) -> None:
    assert team_of([Team.model_validate(BLU), Team.model_validate(ROSSO)], person, moved) == team


async def test_a_trainer_moves_people_and_the_hub_knows_it(console: Console) -> None:
    event = await console.create(teams=[BLU, ROSSO], seats=3)
    path = f"/events/{event['slug']}/teams"
    told = (await console.ask("carla", "PUT", f"{path}/ada", {"team": "Rosso"})).json()
    assert [(each["name"], each["by"], each["team"]) for each in told["participants"]] == [("ada", "list", "Rosso")]
    (known,) = console.hub.events
    assert [(team["folder"], team["members"], team["size"]) for team in known["teams"]] == [
        ("blu", [], None),
        ("rosso", ["ada"], "medium"),
    ]
    assert known["trainers"] == ["carla"]
    assert known["profiles"] == ["general/pytorch", "general/llm-inference"]
    record = (await console.ask("carla", "GET", f"/events/{event['slug']}/record")).json()
    assert (record[-1]["verb"], record[-1]["detail"]) == ("team", "ada: Rosso")

    assert (await console.ask("carla", "PUT", f"{path}/ada", {"team": "Verde"})).json()["message"] == (
        "There is no team Verde. Possible: Blu, Rosso."
    )
    assert (await console.ask("carla", "PUT", f"{path}/dario", {"team": "Blu"})).status_code == 404
    assert (await console.ask("ada", "PUT", f"{path}/ada", {"team": "Blu"})).status_code == 404
    assert (await console.ask("teresa", "PUT", f"{path}/ada", {"team": "Blu"})).status_code == 404


async def test_people_choose_where_the_plan_lets_them(console: Console) -> None:
    event = await console.create(teams=[BLU, ROSSO], choose_team=True, seats=3)
    console.now_epoch = NINE - 10 * MINUTE
    joined = (await console.ask("ada", "POST", "/join", {"code": event["code"], "team": "Rosso"})).json()
    assert (joined["team"], joined["teams"]) == ("Rosso", ["Blu", "Rosso"])
    moved = await console.ask("ada", "PUT", f"/mine/{event['slug']}/team", {"team": ""})
    assert moved.json()["team"] == ""
    before = console.verbs.store.record(event["slug"])
    await console.ask("ada", "PUT", f"/mine/{event['slug']}/team", {"team": ""})
    assert console.verbs.store.record(event["slug"]) == before, "nothing was changed"
    assert (await console.ask("bruno", "PUT", f"/mine/{event['slug']}/team", {"team": "Blu"})).status_code == 404


async def test_the_form_takes_teams_material_and_folders(console: Console) -> None:
    form = {
        **FORM,
        "teams": "Blu: ada\nRosso (medium): bruno",
        "choose_team": "yes",
        "repository": "/leonardo_work/tra26_hack/course.git",
        "branch": "main",
        "opens": "day1.ipynb",
        "folders": "yes",
    }
    made = await console.visit("carla", "new", form)
    assert made.status_code == 303, made.text
    event = (await console.ask("carla", "GET", f"/events/{made.headers['Location'].rpartition('/')[2]}")).json()
    assert [team["name"] for team in event["plan"]["teams"]] == ["Blu", "Rosso"]
    assert event["plan"]["material"] == {
        "repository": "/leonardo_work/tra26_hack/course.git",
        "branch": "main",
        "opens": "day1.ipynb",
    }
    assert event["plan"]["folders"] and event["plan"]["choose_team"]
    page = (await console.visit("carla", f"event/{event['slug']}")).text
    assert "~/events/" in page and "course.git (main)" in page and "not here yet: ada" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("teams", "Blu: ada\nblu: bruno"),
        ("teams", "(Blu)"),
        ("repository", "https://carla:secret@git.example.org/course"),
        ("branch", "--upload-pack=x"),
        ("opens", "../x"),
    ],
)
async def test_the_form_says_which_field_is_wrong(console: Console, field: str, value: str) -> None:
    page = await console.visit("carla", "new", {**FORM, "repository": "/work/course.git", field: value})
    assert page.status_code == 400
    assert re.findall(r'id="event-(\w+)-wrong"', page.text) == [field]


async def test_a_person_moves_by_a_form(console: Console) -> None:
    event = await console.create(teams=[BLU, ROSSO], choose_team=True, seats=3)
    path = f"event/{event['slug']}"
    moved = await console.visit("carla", f"{path}/teams", {"person": "ada", "team": "Rosso"})
    assert moved.status_code == 303
    console.now_epoch = NINE
    assert "Your team: Rosso" in (await console.visit("ada", path)).text
    joined = await console.visit("dario", "join", {"code": event["code"], "team": "Blu"})
    assert joined.status_code == 303
    assert "Your team: Blu" in (await console.visit("dario", path)).text
    assert (await console.visit("dario", f"{path}/team", {"team": ""})).status_code == 303
    assert "You are in no team yet" in (await console.visit("dario", path)).text
    assert (await console.visit("dario", f"{path}/teams", {"person": "ada", "team": "Blu"})).status_code == 404


async def test_people_do_not_choose_where_it_does_not(console: Console) -> None:
    event = await console.create(teams=[BLU, ROSSO])
    console.now_epoch = NINE
    assert (await console.ask("ada", "POST", "/join", {"event": event["slug"]})).json()["teams"] == []
    answer = await console.ask("ada", "PUT", f"/mine/{event['slug']}/team", {"team": "Rosso"})
    assert answer.status_code == 403 and answer.json()["message"].startswith("In this event the trainer")


async def test_each_starts_what_their_team_starts(console: Console) -> None:
    event = await console.create(teams=[BLU, ROSSO], size="small")
    console.now_epoch = NINE
    for name in ("ada", "bruno"):
        await console.ask(name, "POST", "/join", {"event": event["slug"]})
        assert (await console.ask(name, "POST", f"/mine/{event['slug']}/start")).status_code == 202
    choices = [console.hub.choice(name, event["slug"]) for name in ("ada", "bruno")]
    assert [(choice["profile"], choice["size"]) for choice in choices] == [
        ("general/pytorch", "small"),
        ("general/llm-inference", "medium"),
    ]


async def test_a_team_needs_a_profile_and_a_size_that_there_are(console: Console) -> None:
    lost = [{"name": "Blu", "size": "enormous"}, {"name": "Rosso", "profile": "general/nothing"}]
    answer = await console.ask("carla", "POST", "/events", plan(teams=lost))
    assert answer.status_code == 400
    assert "Profile general/pytorch has no size enormous." in answer.json()["message"]
    assert "There is no profile general/nothing on leonardo." in answer.json()["message"]


async def test_folders_need_a_place_for_them(console: Console) -> None:
    assert (await console.create(folders=True))["plan"]["folders"]
    site = console.catalogue.site
    clusters = {name: each.model_copy(update={"work_folder": None}) for name, each in site.clusters.items()}
    console.catalogue = replace(console.catalogue, site=site.model_copy(update={"clusters": clusters}))
    answer = await console.ask("carla", "POST", "/events", plan(folders=True))
    assert answer.json()["message"] == "On leonardo there is no place for folders that an event shares."


async def test_the_check_of_slurm_s_room_is_asked_about_what_teams_start(console: Console) -> None:
    await console.create(teams=[BLU, ROSSO, {"name": "Verde", "size": "large"}])
    await console.ask("carla", "GET", "/events/gpu-school/capacity")
    asked = console.hub.asked["plan"]
    assert asked["starts"] == ["general/llm-inference:medium", "general/pytorch:large"]
    planned = CapacityPlan.model_validate(asked).planned(None)
    assert planned.starts == (("general/llm-inference", "medium"), ("general/pytorch", "large"))
    assert CapacityPlan.model_validate({**asked, "starts": ["general/x"]}).planned(None).starts == (
        ("general/x", None),
    )
