"""`hpchub events` without a console: which one is asked, and what is said where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
    site.write_text(re.sub(r"(?ms)^console:$.*?^$", "", site.read_text()))
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


def test_a_change_that_names_nothing_says_what_it_needs(site: Path) -> None:
    done = CliRunner().invoke(app, ["events", "change", "gpu-school", "--site", str(site)])
    assert done.exit_code == 2 and "--seats 25" in done.output


class Told:
    """Stands for the console: keeps what it was asked, and answers in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers = list(answers)
        monkeypatch.setattr("hpchub.console.client.ask", self)
        monkeypatch.setattr("hpchub.cli.event_plan.LOOK_SECONDS", 0)

    def __call__(self, url: str, token: str, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path, body))
        return self.answers.pop(0)

    def run(self, site: Path, *arguments: str) -> Any:
        options = ["--site", str(site), "--json"]
        return CliRunner().invoke(app, ["events", *arguments, *options], env={"HPCHUB_TOKEN": "f" * 32})


def test_a_change_sends_what_is_named_and_nothing_else(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Told(monkeypatch, {})
    words = ["--seats", "25", "--reservation", "", "--person", "ada", "--person", "bruno", "--group", "", "--no-code"]
    assert console.run(site, "change", "gpu-school", *words, "--ends", "2030-03-18").exit_code == 0
    ((method, path, body),) = console.asked
    assert (method, path) == ("PATCH", "/events/gpu-school")
    ends_epoch = body.pop("ends_epoch")
    assert ends_epoch % 3600 == 0, "the end of that day"
    assert body == {"seats": 25, "reservation": None, "people": ["ada", "bruno"], "groups": [], "by_code": False}


@pytest.mark.parametrize(("ready", "status"), [(True, 0), (False, 1)])
def test_a_rehearsal_waits_and_its_exit_status_says_whether_it_worked(
    site: Path, monkeypatch: pytest.MonkeyPatch, ready: bool, status: int
) -> None:
    steps: list[Any] = [{"rehearsal": {"step": step, "ready": ready}} for step in ("asked", "started", "done")]
    console = Told(monkeypatch, *steps)
    assert console.run(site, "rehearse", "gpu-school").exit_code == status
    assert [method for method, _, _ in console.asked] == ["POST", "GET", "GET"]


def test_an_approval_names_the_plan_that_was_shown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Told(monkeypatch, {}, {})
    assert console.run(site, "approve", "gpu-school", "--plan-digest", "ab12").exit_code == 0
    assert console.run(site, "approve", "gpu-school").exit_code == 0
    assert [body for _, _, body in console.asked] == [{"plan_digest": "ab12"}, {"plan_digest": None}]
