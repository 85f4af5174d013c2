"""The words around the code: links lead somewhere, tables are complete, and examples are what the program takes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from demo import __main__ as demo
from devcluster.__main__ import build_parser
from hpchub.catalogue import appearance, console, doors, fields, model, sign_in, site
from hpchub.catalogue.choice import Choice, accept
from hpchub.catalogue.event import Event
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.offers import Person
from hpchub.catalogue.schema import SECTIONS
from hpchub.cli import app
from hpchub.errors import ChoiceRefused
from hpchub.handlers.budgets import FIELDS as BUDGET_FIELDS
from hpchub.handlers.sessions import public
from hpchub.jobs.endings import Ending
from hpchub.jobs.request import JobRequest
from hpchub.jobs.session import Phase, Report, Session
from tests.unit.data.world import VIEWS, demo_catalogue

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
FOLDERS = (REPOSITORY, REPOSITORY / "changelog.d", REPOSITORY / "profiles")
PAGES = sorted([*DOCS.rglob("*.md"), *(page for folder in FOLDERS for page in folder.glob("*.md"))])
SITE_FILE, API = (DOCS / "reference" / f"{name}.md" for name in ("site-file", "api"))
COMMANDS = DOCS / "reference" / "commands.md"
TROUBLES = DOCS / "howto" / "find-out-why-it-failed.md"
USE_THE_API = DOCS / "howto" / "use-the-api.md"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


def without_code(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def code(page: Path, language: str) -> list[str]:
    """The blocks of code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link can point to: GitHub's form of each heading."""
    headings = re.findall(r"^#+ (.*)$", without_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: Path, heading: str, nth: int = 0) -> list[list[str]]:
    """The cells of a table below a heading, without its head; quotes of code are taken off."""
    section = re.split(rf"^## {re.escape(heading)}$", page.read_text(), maxsplit=1, flags=re.MULTILINE)[1]
    tables = re.findall(r"(?:^\|.*\n)+", re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0], re.MULTILINE)
    rows = tables[nth].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def first_words(rows: list[list[str]]) -> list[str]:
    return [row[0].split()[0] for row in rows]


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", without_code(page)):
        path, _, anchor = link.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        target = page.parent / path if path else page
        assert target.exists(), f"{link}: there is no {path}"
        assert not anchor or anchor in anchors(target), f"{link}: possible are {sorted(anchors(target))}"


def test_every_page_can_be_found_from_the_first_one() -> None:
    found, new = set[Path](), {REPOSITORY / "README.md"}
    while new:
        found |= new
        links = {
            (page.parent / link).resolve()
            for page in new
            for link in re.findall(r"\]\(([^)#]+\.md)[^)]*\)", without_code(page))
        }
        new = links - found
    assert {page for page in PAGES if DOCS in page.parents} <= found


@each_page
def test_verbs_of_run_exist(page: Path) -> None:
    verbs = set(re.findall(r"\./run ([a-z][a-z-]*)", page.read_text()))
    assert verbs <= set(run_verbs()), "the page names a verb that ./run does not have"


def run_verbs() -> list[str]:
    defined = re.findall(r"^verb_([a-z_]+)\(\) \{ #:", (REPOSITORY / "run").read_text(), flags=re.MULTILINE)
    return [verb.replace("_", "-") for verb in defined]


@each_page
def test_no_page_knows_one_machine(page: Path) -> None:
    assert not re.findall(r"(?<![\w.$])/(?:work|root|Users|tmp|home/\w+)\b[^\s`]*", page.read_text())


def test_commands_are_all_described() -> None:
    assert first_words(table(COMMANDS, "`./run`")) == run_verbs()
    assert set(first_words(table(COMMANDS, "`python3 -m demo`"))) == {*demo.VERBS, "uv"}
    usage = build_parser().format_help()
    verbs = re.findall(r"^    ([a-z-]+)", usage, re.MULTILINE)
    assert first_words(table(COMMANDS, "`python3 -m devcluster`")) == verbs
    described = [re.match(r"hpchub ([a-z -]*[a-z])", row[0]) for row in table(COMMANDS, "`hpchub`")]
    assert [verb.group(1) for verb in described if verb] == list(hpchub_commands())


def hpchub_commands() -> Iterator[str]:
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            yield f"{group.name} {command.name or command.callback.__name__}"
    for command in app.registered_commands:
        assert command.callback is not None
        yield command.name or command.callback.__name__


def test_folders_of_the_readme_are_the_folders() -> None:
    ignored = {line.strip("/") for line in (REPOSITORY / ".gitignore").read_text().splitlines()}
    there = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name[0] != "."} - ignored
    named = re.findall(r"\[`([\w.-]+)/`\]", " ".join(row[0] for row in table(REPOSITORY / "README.md", "Folders")))
    assert sorted(named) == sorted(name for name in there if not name.startswith("__"))


def test_every_ending_says_what_to_do() -> None:
    assert first_words(table(TROUBLES, "It ended")) == list(Ending)


TABLES: list[tuple[Path, str, type[BaseModel]]] = [
    (SITE_FILE, "The file", site.SiteFile),
    (SITE_FILE, "`branding`", appearance.Branding),
    (SITE_FILE, "`colours`", appearance.Colours),
    (SITE_FILE, "A link", appearance.Link),
    (SITE_FILE, "An announcement", appearance.Announcement),
    (SITE_FILE, "`own_environments`", site.OwnEnvironments),
    (SITE_FILE, "`hub`", site.HubSettings),
    (SITE_FILE, "`launcher`", doors.LauncherSettings),
    (SITE_FILE, "`reservations`", doors.ReserverSettings),
    (SITE_FILE, "`sign_in`", site.SignIn),
    (SITE_FILE, "`oidc`", sign_in.OpenIdConnect),
    (SITE_FILE, "`account`", sign_in.Accounts),
    (SITE_FILE, "`checks`", site.Checks),
    (SITE_FILE, "`console`", console.ConsoleSettings),
    (SITE_FILE, "A cluster", site.Cluster),
    (SITE_FILE, "`ssh`", site.Ssh),
    (SITE_FILE, "How often a cluster is asked", site.Watching),
    (SITE_FILE, "`builds`", site.Builds),
    (SITE_FILE, "`budget`", site.Budgets),
    (SITE_FILE, "An entry of `nodes`", site.NodeShape),
]


@pytest.mark.parametrize(("page", "heading", "described"), TABLES, ids=lambda value: getattr(value, "__name__", None))
def test_fields_and_defaults_are_those_of_the_model(page: Path, heading: str, described: type[BaseModel]) -> None:
    rows = {row[0]: row[1] for row in table(page, heading)}
    assert list(rows) == list(described.model_fields)
    for name, field in described.model_fields.items():
        assert (rows[name] == "compulsory") == field.is_required(), name
        if isinstance(field.default, int):
            assert rows[name] == str(field.default), name


def test_all_models_of_the_files_are_in_the_reference() -> None:
    # what is loaded has fields that no file has
    loaded = {fields.Model, model.Profile, model.Environment, site.Site}
    named = [*vars(model).values(), *vars(site).values(), *vars(appearance).values(), *vars(sign_in).values()]
    models = {each for each in named if isinstance(each, type) and issubclass(each, fields.Model)}
    # test_schema looks at the fields of those in profiles/README.md
    assert models - loaded == {described for _, _, described in TABLES} | set(SECTIONS)


def test_the_api_page_has_every_field() -> None:
    assert first_words(table(API, "A choice")) == list(Choice.model_fields)
    assert first_words(table(API, "`POST /hub/api/hpchub/sessions/ID`")) == list(Report.model_fields)
    assert first_words(table(API, "A session")) == list(public(a_session()))


def test_the_api_page_has_every_field_of_budgets_and_events() -> None:
    assert first_words(table(API, "`GET /hub/api/hpchub/budgets`")) == list(BUDGET_FIELDS)
    assert first_words(table(API, "`GET` and `PUT /hub/api/hpchub/events`")) == list(Event.model_fields)


def test_the_api_page_has_every_field_of_a_waiting_session() -> None:
    session = a_session()
    session.phase = Phase.QUEUED
    assert first_words(table(API, "A session", nth=1)) == list(public(session)["waiting"])


def a_session() -> Session:
    request = JobRequest(
        session_id="0" * 32,
        hub_id="demo",
        user="ada",
        server_name="",
        profile="agrifood/remote-sensing",
        cluster="leonardo",
        partition="boost_usr_prod",
        account="aifac_agri01",
        qos="normal",
        gpus=1,
        gpu_type="a100",
        cores=8,
        memory_mb=120000,
        minutes=120,
        environment="/opt/base",
    )
    return Session(request, token_id=1, begun_epoch=0)


def test_the_session_of_the_api_guide_has_every_field() -> None:
    (example,) = map(json.loads, code(USE_THE_API, "json"))
    assert list(example) == list(public(a_session()))


@pytest.mark.parametrize(("body", "message"), table(USE_THE_API, "Refusals"))
def test_refusals_of_the_api_guide_are_what_is_said(body: str, message: str) -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        accept(json.loads(body), demo_catalogue(), Person("ada"), VIEWS)
    assert str(refusal.value) == message


WITH_YAML = [page for page in PAGES if code(page, "yaml")]


@pytest.mark.parametrize("page", WITH_YAML, ids=lambda page: page.name)
def test_yaml_in_a_page_is_a_valid_file(page: Path, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "profiles", tmp_path / "profiles")
    names = []
    for text in code(page, "yaml"):
        named = re.match(r"# (\S+\.yaml)\n", text)
        assert named, f"say in the first line which file this is: {text[:60]}"
        names.append(named[1])
        path = tmp_path / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    site = load_site(tmp_path / ("site.yaml" if "site.yaml" in names else "profiles/site.yaml"))
    if "site.yaml" not in names:
        catalogue = load_catalogue(site)
        loaded = {f"profiles/{slug}.yaml" for slug in catalogue.profiles}
        loaded |= {f"profiles/environments/{name}/environment.yaml" for name in catalogue.environments}
        assert set(names) <= loaded


def test_every_fragment_has_a_type_that_the_changelog_knows() -> None:
    types = re.findall(r'\{ directory = "(\w+)"', (REPOSITORY / "pyproject.toml").read_text())
    for path in (REPOSITORY / "changelog.d").glob("*.md"):
        assert path.name == "README.md" or re.fullmatch(rf"(\d+|\+[\w-]+)\.({'|'.join(types)})\.md", path.name)
