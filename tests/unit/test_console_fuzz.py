"""Whatever is sent to the events' API and pages, nothing of it is an error of the server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from httpx import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from hpchub.console.api import router
from hpchub.console.database import opened
from hpchub.console.store import Store
from tests.support.thorough import THOROUGH
from tests.unit.data.console import NINE, Console, plan

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
PLANS = st.builds(
    lambda changes: plan(**changes),
    st.dictionaries(st.sampled_from([*plan(), "people", "groups", "trainers", "size", "minutes", "by_code"]), JSON),
)
NAMES = st.sampled_from(["gpu-school", "nothing", "-", "a" * 70]) | st.text(min_size=1, max_size=20)
WHO = st.sampled_from(["carla", "teresa", "admin", "ada", "script", "mallory", ""])
EXPECTED = {200, 201, 202, 204, 303, 307, 400, 403, 404, 405, 409, 413, 429}
REQUESTS = [
    (method, route.path)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]


class School:
    """A console with one open event, which every question finds as it was at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(folder)
        self.runner = asyncio.Runner()
        self.runner.run(self.console.create(seats=1))
        self.console.now_epoch = NINE
        self.console.verbs.store.dispose()

    def status(self, asking: Coroutine[Any, Any, Response]) -> int:
        """Ask something of the event as it was at first."""
        fresh = self.folder / "fresh.sqlite"
        for old in self.folder.glob("fresh.sqlite*"):
            old.unlink()
        shutil.copyfile(self.folder / "console.sqlite", fresh)
        verbs = self.console.verbs
        verbs.store = Store(opened(f"sqlite:///{fresh}"))

        async def settled() -> int:
            answer = await asking
            await self.console.rooms.settled()
            return answer.status_code

        try:
            return self.runner.run(settled())
        finally:
            verbs.store.dispose()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    found = School(tmp_path_factory.mktemp("school"))
    yield found
    found.runner.close()


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_no_request_is_an_error_of_the_server(school: School, method: str, path: str) -> None:
    @settings(max_examples=300 if THOROUGH else 8, deadline=None)
    @given(who=WHO, body=JSON | PLANS, name=NAMES)
    def judge(who: str, body: Any, name: str) -> None:
        address = path.replace("{slug}", quote(name, safe="")).replace("{name}", quote(name, safe=""))
        assert school.status(school.console.ask(who, method, address, body)) in EXPECTED

    judge()


def test_no_form_is_an_error_of_the_server(school: School) -> None:
    @settings(max_examples=1000 if THOROUGH else 25, deadline=None)
    @given(
        who=WHO,
        path=st.sampled_from(["new", "join", "event/gpu-school/close", "event/gpu-school/room/start"]) | NAMES,
        form=st.dictionaries(st.sampled_from([*plan(), "code", "name"]) | st.text(max_size=8), st.text(max_size=30)),
    )
    def judge(who: str, path: str, form: dict[str, str]) -> None:
        assert school.status(school.console.visit(who, quote(path), form)) in EXPECTED

    judge()
