"""What is generated from the models: the schemas for editors and the field reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from hpchub.catalogue.files import read_document
from hpchub.catalogue.schema import FILES, MARK, SECTIONS, reference, schema
from hpchub.cli import app
from tests.unit.test_broken_files import BROKEN, DATA

PROFILES = Path(__file__).parents[2] / "profiles"
HOW = "`hpchub profiles schema` writes it again"


def kind_of(path: Path) -> str:
    return path.stem if path.stem in FILES else "profile"


def files(root: Path) -> list[Path]:
    """The files that have a schema; what tools keep beside them has none."""
    return [path for path in sorted(root.rglob("*.yaml")) if path.parent.name != "environments"]


def errors(kind: str, path: Path) -> list[str]:
    # a date is text to JSON
    data = json.loads(json.dumps(read_document(path).data, default=str))
    found = jsonschema.Draft202012Validator(schema(FILES[kind])).iter_errors(data)
    return [error.message for error in found]


@pytest.mark.parametrize("kind", FILES)
def test_the_schema_that_is_checked_in_is_that_of_the_models(kind: str) -> None:
    assert json.loads((PROFILES / f"{kind}.schema.json").read_text()) == schema(FILES[kind]), HOW


@pytest.mark.parametrize("kind", FILES)
def test_the_schema_is_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(FILES[kind]))


@pytest.mark.parametrize("path", files(PROFILES), ids=lambda path: str(path.relative_to(PROFILES)))
def test_a_shipped_file_names_its_schema_and_keeps_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named, f"the first line of {path} names no schema"
    assert (path.parent / named[1]).resolve() == PROFILES / f"{kind_of(path)}.schema.json"
    assert errors(kind_of(path), path) == []


SEEN_BY_THE_SCHEMA = [
    "typo-in-a-key",
    "typo-in-a-key-inside",
    "typo-in-a-key-of-the-site",
    "key-is-missing",
    "text-for-a-number",
    "yes-for-a-number",
    "negative-number",
    "english-is-missing",
    "language-is-no-code",
    "no-qos",
    "shell-in-a-partition",
    "state",
    "python-is-a-number",
    "sector-with-a-capital",
]


@pytest.mark.parametrize("name", SEEN_BY_THE_SCHEMA)
def test_an_editor_sees_mistakes_too(name: str) -> None:
    (path,) = (path for path in BROKEN if path.stem == name)
    place = re.findall(r"^# in place of (.*)$", path.read_text(), re.MULTILINE)[0]
    assert errors(kind_of(Path(place)), DATA / "small" / place) == []
    assert errors(kind_of(Path(place)), path) != []


def test_the_field_reference_is_that_of_the_models() -> None:
    assert (PROFILES / "README.md").read_text() == reference(), HOW


def rows(heading: str) -> dict[str, list[str]]:
    section = re.split(rf"^## {re.escape(heading)}$", reference(), maxsplit=1, flags=re.MULTILINE)[1]
    table = re.findall(r"^\| `(\w+)` \|(.*)\|$", section.partition("\n## ")[0], re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in table}


@pytest.mark.parametrize(("model", "heading"), SECTIONS.items(), ids=lambda value: getattr(value, "__name__", None))
def test_every_field_is_in_the_reference_with_its_default_and_meaning(model: type[BaseModel], heading: str) -> None:
    described = rows(heading)
    assert list(described) == [field.alias or name for name, field in model.model_fields.items()]
    for name, field in model.model_fields.items():
        kind, default, meaning = described[field.alias or name]
        assert kind and len(meaning) > len(".."), name
        assert (default == "compulsory") == field.is_required(), name
        if isinstance(field.default, int | str):
            assert default == str(field.default), name


@pytest.mark.parametrize("model", FILES.values(), ids=lambda model: model.__name__)
def test_every_field_of_a_file_says_what_it_means(model: type[BaseModel]) -> None:
    own = schema(model)
    silent = [
        f"{name}.{field}"
        for name, described in {model.__name__: own, **own.get("$defs", {})}.items()
        for field, node in described["properties"].items()
        if not node.get("description")
    ]
    assert silent == []


def test_a_readme_that_somebody_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Our profiles\n")
    result = CliRunner().invoke(app, ["profiles", "schema", str(tmp_path)])
    assert (result.exit_code, len(result.output.splitlines())) == (0, len(FILES))
    assert (tmp_path / "README.md").read_text() == "# Our profiles\n"


def test_an_old_reference_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"{MARK}\nold\n")
    result = CliRunner().invoke(app, ["profiles", "schema", str(tmp_path)])
    assert str(tmp_path / "README.md") in result.output
    assert (tmp_path / "README.md").read_text() == reference()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["profiles", "schema", str(tmp_path / "nowhere")])
    assert (result.exit_code, result.output) == (1, f"{tmp_path / 'nowhere'}: No such file or directory\n")
