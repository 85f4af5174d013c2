"""How often one identity may sign in, whoever else does from the same address."""

from __future__ import annotations

from hpchub.signin import tries as module
from hpchub.signin.tries import Tries


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_room_behind_one_address_waits_for_nobody() -> None:
    tries = Tries(most=30, minutes=5, clock=Clock())
    assert {tries.take(f"seat{seat:02}") for _ in range(5) for seat in range(40)} == {0}


def test_who_signs_in_again_and_again_is_told_when_to_come_back() -> None:
    clock = Clock()
    tries = Tries(most=30, minutes=5, clock=clock)
    assert [tries.take("ada") for _ in range(32)] == [0] * 30 + [10, 10]
    clock.now += 9.5
    assert tries.take("ada") == 1
    clock.now += 0.5
    assert tries.take("ada") == 0
    assert tries.take("ada") == 10
    assert tries.take("bruno") == 0


def test_a_measure_is_full_again_after_its_minutes_and_no_fuller() -> None:
    clock = Clock()
    tries = Tries(most=3, minutes=1, clock=clock)
    assert [tries.take("ada") for _ in range(4)] == [0, 0, 0, 20]
    clock.now += 3600
    assert [tries.take("ada") for _ in range(4)] == [0, 0, 0, 20]


def test_what_is_remembered_has_an_end() -> None:
    tries = Tries(most=1, minutes=5, clock=Clock())
    for number in range(module.MOST_IDENTITIES + 500):
        tries.take(str(number))
    assert len(tries) == module.MOST_IDENTITIES
    assert tries.take(str(module.MOST_IDENTITIES + 499)) > 0, "the latest are remembered"
    assert tries.take("0") == 0, "the oldest are not"
