"""Files that change under a running hub: taken up when they are right, reported when they are not."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hpchub.catalogue import reload
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.reload import CatalogueKeeper
from tests.unit.data.world import REPOSITORY, demo_site_text

PROFILE = "profiles/agrifood/remote-sensing.yaml"
SMALL = Path(__file__).parent / "data" / "small"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo's site and profiles, looked at more often than a hub does."""
    monkeypatch.setattr(reload, "LOOK_SECONDS", 0.01)
    shutil.copytree(REPOSITORY / "profiles", tmp_path / "profiles")
    (tmp_path / "site.yaml").write_text(demo_site_text())
    return tmp_path


@contextlib.asynccontextmanager
async def keeping(
    folder: Path, changed: Callable[[Catalogue], None] = lambda _: None
) -> AsyncIterator[CatalogueKeeper]:
    """Look at the files as long as this lasts."""
    keeper = CatalogueKeeper(load_catalogue(load_site(folder / "site.yaml")), changed)
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - any condition, not only an event
            await asyncio.sleep(0.005)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_a_changed_profile_is_taken_up(folder: Path) -> None:
    async with keeping(folder) as keeper:
        edit(folder / PROFILE, "Remote sensing", "Fields from above")
        await until(lambda: keeper.catalogue.profiles["agrifood/remote-sensing"].title["en"] == "Fields from above")


async def test_a_new_profile_appears_and_a_removed_one_goes(folder: Path) -> None:
    async with keeping(folder) as keeper:
        # not one that the site's default_profiles name: that would be a mistake
        (folder / "profiles/agrifood/crop-models.yaml").rename(folder / "profiles/agrifood/vineyards.yaml")
        await until(lambda: "agrifood/vineyards" in keeper.catalogue.profiles)
        assert "agrifood/crop-models" not in keeper.catalogue.profiles


async def test_whoever_listens_gets_each_new_catalogue_once(folder: Path) -> None:
    told: list[Catalogue] = []
    async with keeping(folder, told.append) as keeper:
        edit(folder / "site.yaml", "session_limit: 3", "session_limit: 5")
        await until(lambda: keeper.catalogue.site.session_limit == 5)
    assert [catalogue.site.session_limit for catalogue in told] == [5]


async def test_a_broken_file_leaves_the_last_good_catalogue_and_says_where_it_is_wrong(folder: Path) -> None:
    async with keeping(folder) as keeper:
        before = keeper.catalogue
        edit(folder / PROFILE, "default_size: small", "default_size: tiny")
        await until(lambda: keeper.problems)
        assert keeper.catalogue is before
        assert f"{folder / PROFILE}:" in keeper.problems[0]
        assert "default_size: 'tiny' is not one of the sizes" in keeper.problems[0]


async def test_a_mended_file_is_taken_up_and_the_problem_is_gone(folder: Path) -> None:
    async with keeping(folder) as keeper:
        edit(folder / PROFILE, "default_size: small", "default_size: tiny")
        await until(lambda: keeper.problems)
        edit(folder / PROFILE, "default_size: tiny", "default_size: medium")
        await until(lambda: not keeper.problems)
        assert keeper.catalogue.profiles["agrifood/remote-sensing"].default_size == "medium"


async def test_a_folder_that_vanishes_leaves_the_last_good_catalogue(folder: Path) -> None:
    async with keeping(folder) as keeper:
        (folder / "profiles").rename(folder / "away")
        await until(lambda: keeper.problems)
        assert "agrifood/remote-sensing" in keeper.catalogue.profiles


async def test_what_only_a_restart_changes_stays_and_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with keeping(folder) as keeper:
        edit(folder / "site.yaml", "hub_id: demo", "hub_id: other")
        await until(lambda: "hub_id: in service after a restart" in caplog.text)
        assert keeper.catalogue.site.hub_id == "demo"


async def test_a_hundred_changes_leave_one_catalogue_in_memory(folder: Path) -> None:
    shutil.copytree(SMALL, folder / "small")
    site = folder / "small" / "site.yaml"
    text = site.read_text()
    assert "session_limit: 3" in text
    seen: list[weakref.ref[object]] = []
    async with keeping(site.parent, lambda new: seen.append(weakref.ref(new.profiles["agrifood/vineyards"]))) as keeper:
        for limit in range(10, 110):
            site.write_text(text.replace("session_limit: 3", f"session_limit: {limit}"))
            await until(lambda limit=limit: keeper.catalogue.site.session_limit == limit)  # type: ignore[misc]  # a default
        gc.collect()
        assert len(seen) == 100
        assert sum(each() is not None for each in seen) == 1
