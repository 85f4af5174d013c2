"""The material of an event: what may be named, and what reaches a job of it."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hpchub.catalogue.event import Event, Team
from hpchub.catalogue.material import Material
from hpchub.jobs import bootstrap, prepare, script
from hpchub.jobs.files import EventFiles, facts, files_of
from hpchub.jobs.session import Report, Session
from hpchub.jobs.troubles import SENTENCES, Trouble, sentences, visible
from hpchub.text import translated
from tests.unit.data.job_request import request
from tests.unit.data.world import demo_catalogue

COURSE = "https://git.example.org/it4lia/gpu-course.git"
FILES = EventFiles(
    material=Material(repository=COURSE, branch="2027", opens="day1/start here.ipynb"),
    work="/leonardo_work/tra26_hack",
    team="blu",
    trainers=("carla",),
)


@pytest.mark.parametrize(
    ("repository", "folder"),
    [
        (COURSE, "gpu-course"),
        ("https://git.example.org:8443/gpu-course", "gpu-course"),
        ("file:///leonardo_work/tra26_hack/gpu-course.git", "gpu-course"),
        ("/leonardo_work/tra26_hack/GPU_2027", "GPU_2027"),
    ],
)
def test_a_repository_becomes_a_folder(repository: str, folder: str) -> None:
    assert Material(repository=repository).folder == folder


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "gpu-course",
        "../gpu-course",
        "--upload-pack=touch",
        "-c core.sshCommand=touch",
        "ssh://git.example.org/course",
        "git@git.example.org:course.git",
        "http://git.example.org/course",
        "https://carla:secret@git.example.org/course",
        "https://token@git.example.org/course",
        "https://git.example.org/course?token=secret",
        "https://git.example.org",
        "https://git.example.org/",
        "https://-o/course",
        "ext::sh -c touch% /hacked",
        "/work/../etc",
        "/work//course",
        "/work/course\n--help",
        "/work/.git",
        "/work/$(touch)",
        "/work/shared",
        "/work/Team.git",
        "file://server/course",
        "/" + "x" * 600,
    ],
)
def test_anything_else_is_no_repository(repository: str) -> None:
    with pytest.raises(ValidationError):
        Material(repository=repository)


@pytest.mark.parametrize(
    "branch", ["", "-b", "--upload-pack=x", "a..b", "a//b", "a/", "a.lock", "a b", "a~1", "@{-1}", "a\n", "/a", "a/.b"]
)
def test_a_branch_is_a_branch(branch: str) -> None:
    with pytest.raises(ValidationError):
        Material(repository=COURSE, branch=branch)


@pytest.mark.parametrize("opens", ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\nb", "\ud800", "x" * 300])
def test_what_opens_lies_in_the_repository(opens: str) -> None:
    with pytest.raises(ValidationError):
        Material(repository=COURSE, opens=opens)


# Into the job


def embedded(text: str, name: str) -> str:
    """The literal of the bootstrap in a script, as Python reads it there."""
    (line,) = (line for line in text.split("\n") if line.startswith(f"{name} = "))
    value = ast.literal_eval(line.removeprefix(f"{name} = "))
    assert isinstance(value, str)
    return value


def test_the_program_and_its_facts_are_two_lines_of_the_script() -> None:
    plain = script.render(request(event="gpu-school"))
    with_files = script.render(request(event="gpu-school", files=FILES))
    changed = [(a, b) for a, b in zip(plain.split("\n"), with_files.split("\n"), strict=True) if a != b]
    assert [a.split("  #")[0] for a, _ in changed] == ['PREPARE = ""', 'FACTS = ""']
    assert all(b.isascii() for _, b in changed)
    assert embedded(with_files, "PREPARE") == Path(prepare.__file__).read_text()
    told = json.loads(embedded(with_files, "FACTS"))
    assert told.pop("notes").keys() == {each.value for each in Trouble}
    assert told == {
        "event": "gpu-school",
        "repository": COURSE,
        "branch": "2027",
        "folder": "gpu-course",
        "opens": "day1/start here.ipynb",
        "work": "/leonardo_work/tra26_hack",
        "team": "blu",
        "trainers": ["carla"],
        "seconds": bootstrap.PREPARE_SECONDS,
    }


@pytest.mark.parametrize(
    "opens", ["HPCHUB_BOOTSTRAP", "'\"\\ $(touch hacked) `touch hacked`", "è €.ipynb", "{{ 7 * 7 }}", "'''"]
)
def test_hostile_names_stay_names(opens: str, tmp_path: Path) -> None:
    files = FILES.model_copy(update={"material": Material(repository=COURSE, opens=opens)})
    text = script.render(request(event="gpu-school", files=files))
    assert json.loads(embedded(text, "FACTS"))["opens"] == opens
    assert text.split("\n").count("HPCHUB_BOOTSTRAP") == 1
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_session_without_an_event_has_nothing_to_prepare() -> None:
    assert embedded(script.render(request()), "PREPARE") == ""


def event(**changes: Any) -> Event:
    return Event.model_validate(
        {
            "slug": "gpu-school",
            "title": "GPU school",
            "opens_epoch": 0,
            "closes_epoch": 10,
            "cluster": "leonardo",
            "allocation": "TRA26_hack",
            "profiles": ["general/*"],
            "members": ["carla", "ada", "bruno", "Somebody Else"],
            "trainers": ["carla", "Somebody Else"],
            "teams": (Team(folder="blu", members=("ada",), size="large"), Team(folder="rosso", members=("bruno",))),
            **changes,
        }
    )


def test_each_person_gets_the_files_of_their_team() -> None:
    cluster = demo_catalogue().site.clusters["leonardo"].model_copy(update={"work_folder": "/work/{allocation}/x"})
    here = event(folders=True)
    found = [files_of(here, name, cluster) for name in ("ada", "bruno", "carla")]
    assert [each and each.team for each in found] == ["blu", "rosso", None]
    assert found[0] == EventFiles(work="/work/tra26_hack/x", team="blu", trainers=("carla",))
    assert files_of(event(), "ada", cluster) is None
    elsewhere = cluster.model_copy(update={"work_folder": None})
    assert files_of(here, "ada", elsewhere) is None


def test_a_team_may_have_its_own_size() -> None:
    assert [event(size="small").for_person(name).size for name in ("ada", "bruno", "carla")] == [
        "large",
        "small",
        "small",
    ]


# Out of the job


READY = r'{"phase": "ready", "port": 4000, "troubles": {"material": "a\nb\u001b[1m"}}'


def test_a_job_tells_what_is_missing_with_its_port() -> None:
    session = Session(request(event="gpu-school", files=FILES), token_id=1, begun_epoch=0)
    session.accept(Report.model_validate_json(READY))
    assert sentences(session.troubles) == ["The material of the event could not be fetched: a b [1m"]
    again = Session.from_dict(json.loads(json.dumps(session.as_dict())))
    assert (again.troubles, again.request.files) == (session.troubles, FILES)


@pytest.mark.parametrize(
    "report",
    [
        {"phase": "starting", "troubles": {"material": "x"}},
        {"phase": "ready", "port": 4000, "troubles": {"weather": "x"}},
        {"phase": "ready", "port": 4000, "troubles": {"material": "x" * 301}},
        {"phase": "ready", "port": 4000, "troubles": "all"},
    ],
)
def test_anything_else_is_no_report(report: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate_json(json.dumps(report))


def test_every_trouble_has_its_sentence_in_every_language() -> None:
    assert set(SENTENCES) == set(Trouble)
    for sentence in SENTENCES.values():
        assert translated(sentence, "it") != sentence
    notes = json.loads(facts(FILES, "gpu-school"))["notes"]
    assert notes["branch"].count("{detail}") == 2
    assert visible("a" * 400) == "a" * 300


def test_the_job_repeats_the_words_of_the_hub() -> None:
    tree = ast.parse(Path(prepare.__file__).read_text())
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {each.value for each in Trouble} <= said
    assert bootstrap.DETAIL_CHARACTERS == len(visible("a" * 1000))
