"""The inventories that are shipped to be copied: the hub takes their site files, with the profiles beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpchub.cli import app
from tests.machine.machine import REPOSITORY

INVENTORIES = sorted(folder for folder in (REPOSITORY / "ansible" / "inventories").iterdir() if folder.is_dir())


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda folder: folder.name)
def test_the_site_file_of_a_shipped_inventory_is_right(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text((inventory / "files" / "site.yaml").read_text())
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    done = CliRunner().invoke(app, ["profiles", "lint", "--site", str(tmp_path / "site.yaml")])
    assert done.exit_code == 0, done.output
