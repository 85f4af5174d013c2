"""Slurm's spellings of time, memory and GPUs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpchub.slurm.units import (
    amounts,
    gpus_from_gres,
    minutes_from_slurm,
    node_names,
    slurm_time,
    tres_value,
    weights,
)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30", 30),
        ("30:59", 30),
        ("04:00:00", 240),
        ("1:30:00", 90),
        ("00:00:30", 0),
        ("1-0", 1440),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("4-00:00:00", 5760),
        (" 30 ", 30),
        ("UNLIMITED", None),
        ("infinite", None),
        ("NONE", None),
        ("N/A", None),
        ("", None),
    ],
)
def test_a_time_of_slurm_in_minutes(text: str, minutes: int | None) -> None:
    assert minutes_from_slurm(text) == minutes


@pytest.mark.parametrize("text", ["soon", "-5", "1-", "1:2:3:4", "1.5", "30m", "1-2-3", "٣٠:"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time in Slurm's form"):
        minutes_from_slurm(text)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(1, "0-00:01:00"), (59, "0-00:59:00"), (60, "0-01:00:00"), (1440, "1-00:00:00"), (525_600, "365-00:00:00")],
)
def test_minutes_as_slurm_writes_them(minutes: int, text: str) -> None:
    assert slurm_time(minutes) == text


@settings(derandomize=True, database=None)
@given(st.integers(0, 10_000_000))
def test_what_is_written_is_read_again(minutes: int) -> None:
    assert minutes_from_slurm(slurm_time(minutes)) == minutes


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("gpu:a100:4", {"a100": 4}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:4(S:0-1),tmpfs:3T", {"a100": 4}),
        ("tmpfs:3T,gpu:a100:4", {"a100": 4}),
        ("gpu:4", {"": 4}),
        ("gpu:0", {"": 0}),
        ("gpu:a100:2(IDX:0,2)", {"a100": 2}),
        ("gpu:a100:2(IDX:0,2),gpu:h100:1(IDX:3)", {"a100": 2, "h100": 1}),
        ("gpu:a100:0(IDX:N/A)", {"a100": 0}),
        ("gpu:a100:2,gpu:a100:2", {"a100": 4}),
        ("gpu:1g.10gb:7(S:0)", {"1g.10gb": 7}),
        ("gpu:rtx_4090-24:1", {"rtx_4090-24": 1}),
        ("vgpu:a100:4", {}),
        ("(null)", {}),
        ("", {}),
    ],
)
def test_gpus_by_type(text: str, gpus: dict[str, int]) -> None:
    assert gpus_from_gres(text) == gpus


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("cpu=4,gres/gpu=8,mem=30800M", "gres/gpu", 8),
        ("gres/gpu:a100=2,gres/gpu=4", "gres/gpu", 4),
        ("gres/gpu:a100=2", "gres/gpu", None),
        ("node=2", "gres/gpu", None),
        ("gres/gpu=", "gres/gpu", None),
        ("", "gres/gpu", None),
    ],
)
def test_one_number_of_a_tres_list(text: str, name: str, value: int | None) -> None:
    assert tres_value(text, name) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ()),
        ("cpu=4", (("cpu", 4),)),
        ("cpu=4,gres/gpu:A100=8,mem=30800M", (("cpu", 4), ("gres/gpu:a100", 8), ("mem", 30_800))),
        ("mem=512G,node=2", (("mem", 524_288), ("node", 2))),
        ("mem=1.50T", (("mem", 1_572_864),)),
        ("mem=2048K", (("mem", 2),)),
    ],
)
def test_amounts_of_resources(text: str, value: object) -> None:
    assert amounts(text) == value


@pytest.mark.parametrize("text", ["cpu", "cpu=", "cpu=four", "=4x", ",", "mem=G"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="float"):
        amounts(text)


def test_weights_are_of_a_whole_unit() -> None:
    assert weights("CPU=1.0,Mem=0.25G,GRES/gpu=8") == (("cpu", 1), ("mem", 0.25 / 1024), ("gres/gpu", 8))
    assert weights("Mem=2") == (("mem", 2),)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ["n1"]),
        ("lrdn[0001-0003,0007],login", ["login", "lrdn0001", "lrdn0002", "lrdn0003", "lrdn0007"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("r[1-2]n[1,3]-ib", ["r1n1-ib", "r1n3-ib", "r2n1-ib", "r2n3-ib"]),
    ],
)
def test_names_of_nodes_are_written_out(text: str, names: list[str]) -> None:
    assert sorted(node_names(text)) == names
