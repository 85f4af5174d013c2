"""What `hpchub doctor` says of the homes of temporary seats, from the launcher's policy alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpchub.checks.doctor.files import _seat_problems

SQUEUE = "/bin/true"
"""Some program: it is not run."""
POLICY = {"seats": ["seat01", "seat02"], "commands": {"squeue": SQUEUE}}


def problems(policy: object, program: Path, **console: Any) -> list[str]:
    """What is wrong at a site with two seats, whose homes are emptied."""
    settings = SimpleNamespace(**{"seats": ("seat[01-02]",), "seats_after": "wipe", **console})
    deployment: Any = SimpleNamespace(site=SimpleNamespace(console=settings))
    return list(_seat_problems(deployment, policy, program))


@pytest.mark.parametrize(
    ("policy", "console"),
    [(POLICY, {}), ({}, {"seats": ()}), ({}, {"seats_after": "by-hand"}), ([], {})],
    ids=["all there", "no pool", "by hand", "no object, which another finding says"],
)
def test_there_is_nothing_to_say(policy: object, console: dict[str, Any]) -> None:
    assert problems(policy, Path(SQUEUE).resolve(), **console) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seats": ["seat01"]}, "its seats lack 1 of the site's pool, seat02 for one"),
        ({"seats": []}, "its seats lack 2 of the site's pool, seat01 for one"),
        ({"commands": {}}, "commands.squeue None is no program of this machine"),
    ],
)
def test_a_policy_that_would_empty_no_home_is_a_fault(changes: dict[str, Any], says: str) -> None:
    (found,) = problems({**POLICY, **changes}, Path(SQUEUE).resolve())
    assert found.startswith(says)


def test_a_program_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    (found,) = problems(POLICY, tmp_path / "hpchub-wipe")
    assert found.startswith(f"{tmp_path}/hpchub-wipe is not there, or others than root can write it")


def test_a_program_that_others_can_write_is_a_fault(tmp_path: Path) -> None:
    program = tmp_path / "hpchub-wipe"
    program.touch()
    program.chmod(0o777)
    (found,) = problems(POLICY, program)
    assert "others than root can write it" in found
