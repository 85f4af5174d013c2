"""Starts come in a few at a time, in order; whatever happens to one, the next comes in."""

from __future__ import annotations

import asyncio

from jupyterhub import apihandlers, handlers

from hpchub.admission import Admission, Admitted, Place
from hpchub.handlers import install

FAR = 3600


async def test_the_next_comes_in_when_one_has_been_handed_over() -> None:
    admission = Admission(at_once=2, seconds=FAR)
    first, _ = await admission.enter(), await admission.enter()
    third = asyncio.ensure_future(admission.enter())
    fourth = asyncio.ensure_future(admission.enter())
    done, _ = await asyncio.wait([third, fourth], timeout=0.05)
    assert not done
    first.leave()
    assert isinstance(await third, Place)
    assert not fourth.done()
    (await third).leave()
    await fourth


async def test_a_place_is_given_back_once() -> None:
    admission = Admission(at_once=1, seconds=FAR)
    place = await admission.enter()
    place.leave()
    place.leave()
    await admission.enter()
    waiting = asyncio.ensure_future(admission.enter())
    assert not (await asyncio.wait([waiting], timeout=0.05))[0]
    waiting.cancel()


async def test_a_start_that_hangs_keeps_nobody_outside_for_long() -> None:
    admission = Admission(at_once=1, seconds=0.01)
    await admission.enter()
    async with asyncio.timeout(20):
        await admission.enter()


def test_both_ways_to_start_a_server_are_admitted() -> None:
    install()
    routes = {path: handler for path, handler, *_ in (*apihandlers.default_handlers, *handlers.default_handlers)}
    for path in (r"/api/users/([^/]+)/server", r"/api/users/([^/]+)/servers/([^/]*)", "/spawn", r"/spawn/([^/]+)"):
        assert issubclass(routes[path], Admitted), path
