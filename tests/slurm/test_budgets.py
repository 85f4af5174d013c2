"""Budgets on the running site, from both sources: nearly spent, spent, and a source that hangs."""

from __future__ import annotations

import html
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.choices import ADA
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

SOURCE = "budget: {source: slurm, refresh_seconds: 30}"
CLIMATE: dict[str, Any] = {
    **{"profile": "climate/weather-data", "cluster": "leonardo", "allocation": "aifac_clima01"},
    **{"size": "small", "minutes": 60},
}
FREE: dict[str, Any] = {
    **{"profile": "general/data-preparation", "allocation": "aifac_agri01", "cluster": "leonardo"},
    **{"size": "small", "minutes": 60},
}
SPENT = "The budget of aifac_agri01 on leonardo is used up: 0 of 40,000 core-hours left, until 2099-12-31."
SALDO = """\
#!/bin/sh
# Prints what CINECA's `saldo -b` prints, once somebody lets it.
id -un >>{folder}/asked
cat {folder}/gate
cat {folder}/lines
"""
LINE = "{account:<20}20260107  {end}     40000        {used}        {used}        60.3       3333       {month}\n"


@pytest.fixture
def quick(site: Site) -> Iterator[Site]:
    """The site asks Slurm for budgets every second."""
    yield from with_source(site, "budget: {source: slurm, refresh_seconds: 1}")


def with_source(site: Site, source: str) -> Iterator[Site]:
    """Let leonardo's budgets come from somewhere else for a while."""
    path = site.folder / "site" / "site.yaml"
    text = path.read_text()
    assert text.count(SOURCE) == 2
    put_into_service(site, path, text.replace(SOURCE, source, 1))
    try:
        yield site
    finally:
        put_into_service(site, path, text)


def put_into_service(site: Site, path: Path, text: str) -> None:
    before = site.api("GET", "/hpchub/catalogue").json["loaded_epoch"]
    path.write_text(text)
    until(lambda: site.api("GET", "/hpchub/catalogue").json["loaded_epoch"] > before, "the site file to be read")


def budget(site: Site, account: str, user: str = "ada") -> dict[str, Any]:
    """Give what the API tells of an account on leonardo."""
    entries = site.api("GET", f"/hpchub/budgets?user={user}").json
    found: dict[str, Any] = next(
        each for each in entries if (each["cluster"], each["account"]) == ("leonardo", account)
    )
    return found


def level(site: Site, account: str) -> str | None:
    found: str | None = budget(site, account)["level"]
    return found


def spawn_page(site: Site) -> str:
    return html.unescape(FormSession(site.url, "ada").fetch("/hub/spawn/ada").source)


def test_a_nearly_spent_budget_is_offered_with_a_warning(site: Site) -> None:
    until(lambda: level(site, "aifac_clima01") == "nearly-spent", "the budgets to be known")
    left = budget(site, "aifac_clima01")["left_core_hours"]
    assert 0 < left <= 88
    page = spawn_page(site)
    assert "Allocation aifac_clima01 on leonardo is nearly spent" in page
    assert "aifac_agri01 on leonardo: " in page
    assert level(site, "aifac_agri01") == "fine"
    assert site.run("ada", CLIMATE)["account"] == "aifac_clima01"


def test_a_budget_that_slurm_calls_spent_is_no_offer(quick: Site) -> None:
    site = quick
    until(lambda: level(site, "aifac_clima01") == "nearly-spent", "the budgets to be known")
    limit = "sacctmgr -i modify account aifac_clima01 where cluster=leonardo set GrpTRESMins=billing={}"
    site.slurm(limit.format(0))
    try:
        until(lambda: level(site, "aifac_clima01") == "spent", "the hub to know")
        answer = site.start("ada", CLIMATE)
        assert (answer.status, answer.message) == (
            400,
            "The budget of aifac_clima01 on leonardo is used up: 0 of 0 core-hours left. "
            "Other allocations of yours there, for other profiles: aifac_agri01.",
        )
        assert not site.live_jobs_of("ada")
        assert "climate/weather-data" in spawn_page(site), "it4lia has a budget of its own"
    finally:
        site.slurm(limit.format(5280))
    until(lambda: level(site, "aifac_clima01") == "nearly-spent", "the hub to know")
    assert site.run("ada", CLIMATE)["account"] == "aifac_clima01"


class Saldo:
    """A `saldo` of the tests: what it prints, who asked, and a gate that can be shut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "saldo"
        self._lines = folder / "lines"
        self._asked = folder / "asked"
        self._gate = folder / "gate"
        self._asked.touch()
        self._asked.chmod(0o666)
        self._gate.touch()
        self.says(used=1000)
        self.program.write_text(SALDO.format(folder=folder))
        self.program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().split()

    def says(self, used: int, end: str = "20991231", month: int = 100) -> None:
        self._lines.write_text(LINE.format(account="AIFAC_Agri01", used=used, end=end, month=month) + "garbage\n")

    def shut(self) -> None:
        """Let everybody who asks from now on wait."""
        self._gate.unlink()
        os.mkfifo(self._gate, 0o644)

    def let_go(self) -> None:
        """Let those who wait go on, and nobody wait any more."""
        descriptor = os.open(self._gate, os.O_RDWR)
        gate = self._gate.with_name("old-gate")
        self._gate.rename(gate)
        self._gate.touch()
        os.close(descriptor)
        gate.unlink()

    def is_shut(self) -> bool:
        return stat.S_ISFIFO(self._gate.stat().st_mode)


@pytest.fixture
def saldo(site: Site) -> Iterator[Saldo]:
    """Leonardo's budgets come from a command that the launcher runs as the person."""
    folder = site.folder / "saldo"
    folder.mkdir(mode=0o755, exist_ok=True)
    command = Saldo(folder)
    policy = site.folder / "libexec" / "hpchub-launch.json"
    text = policy.read_text()
    policy.write_text(json.dumps({**json.loads(text), "budget": {"leonardo": [str(command.program), "-b"]}}))
    source = with_source(site, "budget: {source: command, refresh_seconds: 1}")
    next(source)
    yield command
    if command.is_shut():
        command.let_go()
    next(source, None)
    policy.write_text(text)


@pytest.mark.own_notebooks
def test_saldo_is_asked_as_the_person_and_believed(site: Site, saldo: Saldo) -> None:
    until(lambda: level(site, "aifac_agri01") == "fine", "the budget to be known")
    told = budget(site, "aifac_agri01")
    assert (told["total_core_hours"], told["left_core_hours"], told["end_date"]) == (40_000, 39_000, "2099-12-31")
    assert level(site, "aifac_clima01") is None, "saldo does not name it"
    assert "ada" in saldo.asked
    assert "seat40" not in saldo.asked, "nobody is asked about who is not there"


@pytest.mark.own_notebooks
def test_what_saldo_says_decides_what_is_offered(site: Site, saldo: Saldo) -> None:
    saldo.says(used=1000, month=4000)
    until(lambda: level(site, "aifac_agri01") == "month-spent", "the month to be spent")
    assert "its jobs run later until the month ends" in spawn_page(site)
    site.run("ada", ADA)
    site.stop_servers()

    saldo.says(used=40_000)
    until(lambda: level(site, "aifac_agri01") == "spent", "the budget to be spent")
    refused = site.start("ada", ADA)
    assert (refused.status, refused.message) == (
        400,
        f"{SPENT} Other allocations of yours there, for other profiles: aifac_clima01.",
    )
    assert site.start("ada", {**ADA, "profile": "general/pytorch"}).message == f"{SPENT} Yours: aifac_clima01."

    saldo.says(used=1000, end="20260131")
    until(lambda: level(site, "aifac_agri01") == "ended", "the allocation to be over")
    assert "ended on 2026-01-31" in site.start("ada", ADA).message
    # Free of budget, also after the end.
    assert site.run("ada", FREE)["account"] == "aifac_agri01"


@pytest.mark.own_notebooks
def test_a_saldo_that_hangs_delays_no_page_and_leaves_the_last_answer(site: Site, saldo: Saldo) -> None:
    until(lambda: level(site, "aifac_agri01") == "fine", "the budget to be known")
    before = budget(site, "aifac_agri01")
    saldo.shut()
    asked = len(saldo.asked)
    until(lambda: len(saldo.asked) > asked, "somebody to hang")
    told = budget(site, "aifac_agri01")
    assert told["left_core_hours"] == 39_000 and told["taken_epoch"] >= before["taken_epoch"]
    assert "aifac_agri01 on leonardo: 39,000 of 40,000 core-hours left" in spawn_page(site)
    assert site.run("ada", ADA)["phase"] == "ready"
    # All of that was answered while the command hung: nobody has opened the gate.
    assert saldo.is_shut()

    saldo.says(used=2000)
    saldo.let_go()
    until(lambda: budget(site, "aifac_agri01")["left_core_hours"] == 38_000, "the new answer")


@pytest.mark.own_notebooks
def test_budgets_are_told_to_oneself_and_to_who_may_read_one_s_servers(site: Site) -> None:
    token = site.token_of("ada")
    own = site.api("GET", "/hpchub/budgets", token=token)
    assert {each["account"] for each in own.json} == {"aifac_agri01", "aifac_clima01"}
    assert site.api("GET", "/hpchub/budgets?user=bruno", token=token).status == 404
    assert site.api("GET", "/hpchub/budgets", token="").status == 403
    assert {each["account"] for each in site.api("GET", "/hpchub/budgets?user=bruno").json} == {"aifac_cyber01"}
    assert site.api("GET", "/hpchub/budgets?user=nobody-there").status == 404
    assert site.api("GET", "/hpchub/budgets").status == 404, "the administrator's token is nobody's"
