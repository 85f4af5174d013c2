"""What of a log is shown: its words, and nothing that controls a screen or opens a door."""

from __future__ import annotations

import time

import pytest

from hpchub.jobs.logs import LONGEST_TAIL, killed_for_memory, readable, tail

TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nè così\n", "plain\ttext\nè così\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink"),
        ("10 %\r50 %\r\ndone", "10 %\n50 %\ndone"),
        ("a\x00b\x08c\x7fd\x9be", "abcde"),
        ("right \u202eleft\u2066 \u200f.", "right left ."),
        ("half \ud800", "half "),
        (f"token {TOKEN}, and {TOKEN.upper()}", "token …, and …"),
        ("http://n1:8888/lab?token=4f3c2b1a0987&x=1", "http://n1:8888/lab?token=…&x=1"),
        ('{"token": "secret-of-mine"}', '{"token": "…"}'),
        ("JUPYTERHUB_API_TOKEN=secret-of-mine", "JUPYTERHUB_API_TOKEN=…"),
        ("invalid token provided", "invalid token provided"),
        ("commit " + TOKEN + "01234567", "commit " + TOKEN + "01234567"),
    ],
    ids=ascii,
)
def test_a_log_is_made_readable(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_a_tail_begins_with_a_whole_line_and_is_bounded() -> None:
    text = "\n".join(f"line {number}" for number in range(10_000)) + "\n\n"
    end = tail(text)
    assert end.endswith("line 9999") and end.startswith("line ")
    assert LONGEST_TAIL - 10 <= len(end) <= LONGEST_TAIL
    assert tail("x" * 100_000) == "x" * LONGEST_TAIL
    assert tail("\n\nshort\n") == "short"


@pytest.mark.parametrize(
    "hostile", ["token" + " " * 65_000, "token=" * 11_000, "\x1b[" + "0" * 65_000, "\x1b]" * 32_000, "a" * 65_536]
)
def test_no_log_costs_much_time(hostile: str) -> None:
    began = time.process_time()
    readable(hostile)
    assert time.process_time() - began < 2


def test_slurm_s_own_words_about_memory_are_known_and_a_program_s_are_not() -> None:
    # slurmstepd of 22.05, captured
    said = "slurmstepd-serial0001: error: StepId=1.batch exceeded memory limit (638955520 > 209715200), being killed\n"
    assert killed_for_memory("hello\n" + said)
    assert killed_for_memory(said.replace("-serial0001", ""))
    # of 26.05, captured
    later = (
        "[2026-11-22T00:56:18.534] error: StepId=4.batch exceeded memory limit (429330432 > 52428800), being killed\n"
    )
    assert killed_for_memory("hello\n" + later)
    assert not killed_for_memory("my program exceeded memory limit (1 > 0)\n")
