"""`hpchub events` without a console: which one is asked, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpchub.cli import app
from tests.unit.data.world import REPOSITORY, demo_site_text

ELSEWHERE = "http://127.0.0.1:9"
"""Where nothing listens (the port of the service `discard`)."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(demo_site_text(str(tmp_path)))
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    return path


def said(*arguments: str, **environment: str) -> str:
    """What the command says when it fails."""
    done = CliRunner().invoke(app, ["events", *arguments], env={"HPCHUB_TOKEN": "f" * 32, **environment})
    assert done.exit_code == 1
    return done.output


def test_a_trainer_elsewhere_needs_no_site_file(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nothing.yaml")
    assert f"does not answer at {ELSEWHERE}" in said("list", "--site", nowhere, "--url", ELSEWHERE)
    assert "A token of the hub's API is needed" in said("list", "--site", nowhere, "--url", ELSEWHERE, HPCHUB_TOKEN="")
    assert "No such file" in said("list", "--site", nowhere)


def test_a_console_that_is_away_is_named(site: Path) -> None:
    site.write_text(site.read_text().replace("http://127.0.0.1:8083", ELSEWHERE))
    assert f"does not answer at {ELSEWHERE}" in said("show", "gpu-school", "--site", str(site))


def test_a_site_without_a_console_says_so(site: Path) -> None:
    site.write_text(site.read_text().replace("console: {url:", "# {url:"))
    assert "has no block `console`" in said("list", "--site", str(site))
    done = CliRunner().invoke(app, ["console", "serve", "--site", str(site)])
    assert done.exit_code == 1 and "so there is nothing to serve" in done.output


def test_times_without_a_zone_are_refused(site: Path) -> None:
    window = ["--starts", "2027-03-01T09:00", "--ends", "2027-03-02"]
    rest = [
        "--title",
        "x",
        "--seats",
        "2",
        "--cluster",
        "leonardo",
        "--allocation",
        "a",
        "--profile",
        "general/pytorch",
    ]
    done = CliRunner().invoke(app, ["events", "create", *window, *rest, "--site", str(site)])
    assert done.exit_code == 2 and "2026-03-01T09:00:00+01:00" in done.output
