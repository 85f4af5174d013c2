"""What the roles say of their variables: argument_specs.yml, the defaults and the reference page say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyterhub import orm

from tests.unit.data.world import REPOSITORY, demo_site_text

ROLES = REPOSITORY / "ansible" / "roles"
REFERENCE = REPOSITORY / "docs" / "reference" / "deployment.md"
DERIVED = {"hub_site", "hub_state_folder", "launcher_site"}
"""What the site file says; nobody sets them."""
ROLE_NAMES = sorted(folder.name for folder in ROLES.iterdir())

for_each_role = pytest.mark.parametrize("role", ROLE_NAMES)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.is_file() else {}


def options(role: str) -> dict[str, Any]:
    """The variables of a role's own, without those of other roles that it uses."""
    spec = read(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    return {name: facts for name, facts in spec.items() if name.startswith(f"{role}_")}


@for_each_role
def test_every_default_is_that_of_the_specification(role: str) -> None:
    defaults = {name: value for name, value in read(ROLES / role / "defaults" / "main.yml").items()}
    assert defaults.keys() - DERIVED <= options(role).keys(), "a variable that argument_specs.yml does not know"
    specified = {name: facts["default"] for name, facts in options(role).items() if "default" in facts}
    assert {name: defaults[name] for name in specified} == specified


@for_each_role
def test_every_variable_is_a_row_of_the_reference(role: str) -> None:
    page = REFERENCE.read_text()
    _, _, section = page.partition(f"\n## {role}\n")
    table, _, _ = section.partition("\n## ")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    assert [name for name, _ in rows] == [name for name in options(role) if name not in DERIVED]
    for name, default in rows:
        facts = options(role)[name]
        if "default" in facts:
            assert default.strip("`") == shown(facts["default"]), name


def shown(value: object) -> str:
    """A default as the page writes it."""
    return (
        "empty" if value in ("", [], {}) else yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0]
    )


def test_no_template_has_a_default_of_its_own() -> None:
    """A default beside the role's would be a second truth."""
    for template in ROLES.glob("*/templates/*.j2"):
        if not template.name.startswith("hpchub-reserve"):
            assert "default(" not in template.read_text(), template


@for_each_role
def test_every_unit_of_a_role_goes_when_it_is_uninstalled(role: str) -> None:
    tasks = ROLES / role / "tasks"
    said = "".join(path.read_text() for path in (tasks / "uninstall.yml", *tasks.glob("no_*.yml")) if path.is_file())
    units = [template.stem for template in (ROLES / role).glob("templates/*.j2") if is_unit(template.stem)]
    assert [unit for unit in units if unit not in said] == []


def is_unit(name: str) -> bool:
    return name.endswith((".service", ".socket", ".timer"))


def test_new_secrets_make_the_hub_forget_the_tokens_of_services_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "site.yaml").write_text(demo_site_text(str(tmp_path)))
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    database = orm.new_session_factory(f"sqlite:///{tmp_path}/hub/jupyterhub.sqlite")()
    person, service = orm.User(name="ada"), orm.Service(name="hpchub-admin")
    database.add_all([person, service, orm.OAuthClient(identifier="jupyterhub")])
    database.commit()
    database.add_all(
        [
            orm.APIToken(hashed="of the person", client_id="jupyterhub", user_id=person.id),
            orm.APIToken(hashed="of the service", client_id="jupyterhub", service_id=service.id),
        ]
    )
    database.commit()
    program = ROLES / "hub" / "files" / "forget_tokens.py"
    said = subprocess.run([sys.executable, program, tmp_path / "site.yaml"], capture_output=True, text=True, check=True)
    assert said.stdout == "1 tokens of services are forgotten.\n"
    assert [token.hashed for token in database.query(orm.APIToken)] == ["of the person"]
    engine = database.get_bind()
    database.close()
    engine.dispose()
