"""The circuit breaker: how often a silent daemon is asked."""

from __future__ import annotations

import asyncio

import pytest

from hpchub.errors import SlurmError, SlurmSilent
from hpchub.slurm.breaker import Breaker


class Daemon:
    """Counts the queries that reach it, and how many at once."""

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0
        self.now = 0
        self.most_at_once = 0

    async def query(self) -> str:
        self.asked += 1
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        if not self.answers:
            raise SlurmSilent("no answer")
        return "answer"


async def opened(daemon: Daemon, first_pause_seconds: float = 0.001) -> Breaker:
    """A breaker whose daemon has just fallen silent."""
    breaker = Breaker(first_pause_seconds=first_pause_seconds, longest_pause_seconds=0.004)
    daemon.answers = False
    with pytest.raises(SlurmSilent):
        await breaker.ask(daemon.query)
    return breaker


async def test_queries_go_through_side_by_side_while_the_daemon_answers() -> None:
    daemon, breaker = Daemon(), Breaker()
    assert await asyncio.gather(*(breaker.ask(daemon.query) for _ in range(4))) == ["answer"] * 4
    assert daemon.most_at_once == 4


async def test_a_silent_daemon_is_asked_one_query_at_a_time() -> None:
    daemon = Daemon()
    breaker = await opened(daemon)
    told = await asyncio.gather(*(breaker.ask(daemon.query) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in told] == [SlurmSilent] * 5
    assert (daemon.asked, daemon.most_at_once) == (6, 1)


async def test_the_first_silence_is_the_one_that_is_told() -> None:
    daemon = Daemon()
    breaker = await opened(daemon)
    since = breaker.open_since_epoch
    with pytest.raises(SlurmSilent):
        await breaker.ask(daemon.query)
    assert since is not None
    assert breaker.open_since_epoch == since


async def test_the_first_answer_closes_it_and_lets_the_waiting_go_on() -> None:
    daemon = Daemon()
    breaker = await opened(daemon)
    daemon.answers = True
    assert await asyncio.gather(*(breaker.ask(daemon.query) for _ in range(3))) == ["answer"] * 3
    assert breaker.open_since_epoch is None


async def test_an_error_that_is_no_silence_leaves_it_closed() -> None:
    async def refuses() -> str:
        raise SlurmError("unknown option")

    breaker = Breaker()
    with pytest.raises(SlurmError):
        await breaker.ask(refuses)
    assert breaker.open_since_epoch is None


async def test_a_query_that_is_cancelled_while_it_waits_gives_its_turn_away() -> None:
    daemon = Daemon()
    breaker = await opened(daemon, first_pause_seconds=3600)
    waiting = asyncio.create_task(breaker.ask(daemon.query))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert daemon.asked == 1
    assert not breaker._turn.locked()
