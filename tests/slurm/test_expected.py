"""When a choice would start, before anything is submitted: what an engine knows of the real Slurm."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.engine import Engine
from hpchub.jobs.expected import Expected, expected
from hpchub.pages.expected import in_words
from hpchub.text import Speech
from tests.support.choices import LOOKED_AT
from tests.support.site import Site

TAKEN_MINUTES = 40
DEADLINE_SECONDS = 120


@pytest.fixture
async def engine(site: Site) -> AsyncIterator[Engine]:
    """An engine of its own, beside the hub's, that watches the same clusters."""
    engine = Engine(load_catalogue(load_site(site.folder / "site" / "site.yaml")))
    watcher = engine.watcher_of("leonardo")
    await watcher.first_view(DEADLINE_SECONDS)
    yield engine
    for task in tuple(engine._tasks):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def take_all(site: Site) -> Iterator[Callable[[], None]]:
    """Take all GPU nodes of Leonardo for a while, when called."""

    def take() -> None:
        options = f"-A aifac_manif01 -p boost_usr_prod -N 10 --exclusive -t {TAKEN_MINUTES} -o /dev/null"
        site.slurm(f"sbatch -M leonardo {options} --wrap='sleep 3600'", as_user="dario")

    yield take
    site.slurm("scancel -M leonardo --me", as_user="dario")


async def looked_at(engine: Engine, awaited: str) -> Expected:
    """Look at the choice again and again, as an open page does, until it is expected as awaited."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        engine.wonder(LOOKED_AT)
        found = expected(LOOKED_AT, engine.views["leonardo"], engine.estimates, time.time())
        if found.kind == awaited:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(1)


async def test_a_choice_is_expected_when_slurm_says(site: Site, engine: Engine, take_all: Callable[[], None]) -> None:
    found = await looked_at(engine, "now")
    assert in_words(found, Speech("en"), str, time.time()) == "starts now"

    before = time.time()
    take_all()
    found = await looked_at(engine, "at")
    assert found.start_epoch is not None and found.told_epoch is not None
    assert before + (TAKEN_MINUTES - 1) * 60 <= found.start_epoch <= time.time() + (TAKEN_MINUTES + 2) * 60
    assert before <= found.told_epoch <= time.time()
    assert not site.live_jobs_of("ada")

    site.slurm("scancel -M leonardo --me", as_user="dario")
    assert await looked_at(engine, "now")
