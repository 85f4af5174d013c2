"""Budgets are asked for in the background: who is asked about, how often, and what a source that hangs does not do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from hpchub import budgets
from hpchub.budgets import BudgetKeeper
from hpchub.catalogue.site import Site
from hpchub.errors import LauncherError, SlurmSilent
from hpchub.slurm.model import GroupLimit
from tests.unit.data.world import demo_catalogue

LINE = "{account} 20260107 20270107 2000000 {used} {used} 60.3 164383 99394\n"


def site_with(**sources: Mapping[str, Any]) -> Site:
    """The demo's site with these budget sources, and none elsewhere."""
    site = demo_catalogue().site
    clusters = {
        name: cluster.model_validate({**dict(cluster), "budget": sources.get(name, {"source": "none"})})
        for name, cluster in site.clusters.items()
    }
    return site.model_copy(update={"clusters": clusters})


class Source:
    """Stands for the clusters' clients and for the door: answers when it is let, and counts who was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.at_once = self.most_at_once = 0
        self.used = 1000
        self.error: Exception | None = None

    async def _answer(self, whose: str) -> str:
        self.asked.append(whose)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.error:
            raise self.error
        return LINE.format(account="AIFAC_" + whose.replace(" ", "_"), used=self.used)

    async def budgets(self) -> Mapping[str, tuple[GroupLimit, ...]]:
        await self._answer("slurm")
        return {"aifac_agri01": (GroupLimit("billing", 6000, 600),)}

    async def command(self, argv: list[str]) -> str:
        return await self._answer(" ".join(argv))

    async def budget(self, user: str, cluster: str) -> str:
        return await self._answer(user)


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event of ours
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def keeping(source: Source, site: Site, *with_sessions: str) -> AsyncIterator[BudgetKeeper]:
    keeper = BudgetKeeper(lambda: site, lambda cluster: source, source, lambda: with_sessions)
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(budgets, "RETRY_SECONDS", 0.01)


AS_THE_PERSON = {"source": "command"}
AS_THE_HUB = {"source": "command", "command": ["saldo", "-b", "{user}"]}
FOR_EVERYBODY = {"source": "command", "command": ["all-budgets"]}


async def test_slurm_is_asked_once_for_everybody() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo={"source": "slurm"})) as keeper:
        await until(lambda: keeper.of("ada"))
        (budget,) = keeper.of("ada")["leonardo"].values()
        assert (budget.account, budget.total_core_hours, budget.used_core_hours) == ("aifac_agri01", 100, 10)
        assert keeper.of("bruno") == keeper.of("ada")
    assert source.asked == ["slurm"]


async def test_a_person_is_asked_about_when_they_come() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo=AS_THE_PERSON)) as keeper:
        assert keeper.of("ada") == {}
        await until(lambda: keeper.of("ada"))
        assert list(keeper.of("ada")["leonardo"]) == ["aifac_ada"]
    assert set(source.asked) == {"ada"}


async def test_what_ran_as_one_person_counts_for_nobody_else() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo=AS_THE_PERSON)) as keeper:
        keeper.of("ada"), keeper.of("bruno")
        await until(lambda: keeper.of("ada") and keeper.of("bruno"))
        assert list(keeper.of("bruno")["leonardo"]) == ["aifac_bruno"]


async def test_who_has_a_session_is_asked_about_without_a_page() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo=AS_THE_PERSON), "carla"):
        await until(lambda: source.asked)
    assert set(source.asked) == {"carla"}


async def test_a_name_that_is_no_user_of_a_cluster_reaches_no_command() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo=AS_THE_HUB), "--help", "a b", "../x") as keeper:
        keeper.of("-rf")
        keeper.of("ada")
        await until(lambda: keeper.of("ada"))
    assert source.asked == ["saldo -b ada"]


async def test_one_answer_of_a_command_is_for_everybody_unless_it_names_the_person() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo=FOR_EVERYBODY)) as keeper:
        await until(lambda: keeper.of("ada"))
        assert keeper.of("bruno") == keeper.of("ada")
    assert source.asked == ["all-budgets"]


async def test_a_source_that_hangs_keeps_nobody_waiting_and_is_no_crowd() -> None:
    source = Source()
    source.open.clear()
    people = [f"seat{number:02d}" for number in range(40)]
    async with keeping(source, site_with(leonardo=AS_THE_PERSON)) as keeper:
        assert all(keeper.of(person) == {} for person in people)
        await until(lambda: source.at_once == budgets.AT_ONCE)
        assert keeper.of("seat00") == {}
        source.open.set()
        await until(lambda: all(keeper.of(person) for person in people))
    assert source.most_at_once == budgets.AT_ONCE


async def test_a_source_that_hangs_does_not_keep_another_cluster_waiting() -> None:
    source, other = Source(), Source()
    source.open.clear()
    site = site_with(leonardo={"source": "slurm"}, it4lia={"source": "slurm"})
    keeper = BudgetKeeper(lambda: site, {"leonardo": source, "it4lia": other}.__getitem__, source)
    task = asyncio.create_task(keeper.run())
    await until(lambda: keeper.of("ada"))
    assert list(keeper.of("ada")) == ["it4lia"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("error", [SlurmSilent("no answer"), LauncherError("refused")])
async def test_a_failure_keeps_the_last_answer_and_its_age_and_is_told_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    caplog.set_level("INFO")
    async with keeping(source, site_with(leonardo={**AS_THE_PERSON, "refresh_seconds": 1})) as keeper:
        keeper.of("ada")
        await until(lambda: keeper.of("ada"))
        before = keeper.of("ada")
        source.error = error
        failed_from = len(source.asked)
        await until(lambda: len(source.asked) >= failed_from + 4)
        assert keeper.of("ada") == before
        source.error, source.used = None, 2000
        await until(lambda: keeper.of("ada")["leonardo"]["aifac_ada"].used_core_hours == 2000)
        after = keeper.of("ada")["leonardo"]["aifac_ada"]
        assert after.taken_epoch > before["leonardo"]["aifac_ada"].taken_epoch
    failures = [record for record in caplog.messages if "the last one stays" in record]
    assert len(failures) == 1 and str(error) in failures[0]
    assert "the budgets of ada on leonardo are told again" in caplog.messages


async def test_an_answer_is_not_asked_for_again_before_its_time() -> None:
    source = Source()
    async with keeping(source, site_with(leonardo={**AS_THE_PERSON, "refresh_seconds": 3600})) as keeper:
        keeper.of("ada")
        await until(lambda: keeper.of("ada"))
        keeper.of("bruno")
        await until(lambda: keeper.of("bruno"))
    assert sorted(source.asked) == ["ada", "bruno"]


async def test_lines_that_cannot_be_read_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class Garbage(Source):
        async def budget(self, user: str, cluster: str) -> str:
            return await super().budget(user, cluster) + "\x1b[31mgarbage\n"

    source = Garbage()
    async with keeping(source, site_with(leonardo={**AS_THE_PERSON, "refresh_seconds": 1})) as keeper:
        keeper.of("ada")
        await until(lambda: len(source.asked) >= 2)
        await until(lambda: keeper.of("ada"))
    told = [record for record in caplog.messages if "cannot be read" in record]
    assert told == ["the budgets of ada on leonardo: 1 lines cannot be read, such as '\\x1b[31mgarbage'"]
