"""Slurm's reason codes: each has a sentence in every language, and a kind that decides what happens to a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hpchub.slurm.reasons import ReasonKind, competes, is_budget, is_qos_limit, kind_of, messages, why_it_waits
from hpchub.text import LANGUAGES, translated

WAIT, LIMIT, NEVER, SUPPORT = ReasonKind
DATA = Path(__file__).parent / "data" / "slurm"
CODES = sorted({code for path in DATA.glob("*/reasons.txt") for code in path.read_text().split()})


def test_the_codes_are_those_of_three_versions() -> None:
    assert sorted(path.parent.name for path in DATA.glob("*/reasons.txt")) == ["22.05", "24.11", "26.05"]
    assert len(CODES) > 200


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_code_is_a_sentence(code: str, language: str) -> None:
    sentence = why_it_waits(code, partial(translated, language=language))
    assert code not in sentence
    assert sentence[0].isupper() and sentence.endswith(".") and "{" not in sentence
    assert len(sentence) <= 200


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
@pytest.mark.parametrize("message", sorted(set(messages()) - {"burst buffer"}))
def test_every_sentence_is_translated(message: str, language: str) -> None:
    assert translated(message, language) != message


@pytest.mark.parametrize("code", [code for code in CODES if kind_of(code) is NEVER])
def test_what_never_starts_says_what_to_do(code: str) -> None:
    assert any(verb in why_it_waits(code) for verb in ("Choose", "Make another choice", "Start again"))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("", WAIT),
        ("None", WAIT),
        ("Priority", WAIT),
        ("Resources", WAIT),
        ("QOSGrpGRES", WAIT),
        ("ReqNodeNotAvail, UnavailableNodes:lrdn0004", WAIT),
        # nodes that are down, too: it may start when they are back
        ("PartitionNodeLimit", WAIT),
        ("AssocGrpGRES", LIMIT),
        ("AssocGrpCPURunMinutesLimit", LIMIT),
        ("QOSMaxJobsPerUserLimit", LIMIT),
        ("QOSMaxGRESPerUser", LIMIT),
        ("MaxGRESPerAccount", LIMIT),
        ("PartitionTimeLimit", NEVER),
        ("BadConstraints", NEVER),
        ("AssocGrpBillingMinutes", NEVER),
        ("QOSMaxWallDurationPerJobLimit", NEVER),
        ("QOSMaxGRESPerJob", NEVER),
        ("QOSMinGRES", NEVER),
        ("InvalidAccount", NEVER),
        ("JobHeldAdmin", SUPPORT),
        ("SomethingNew", SUPPORT),
    ],
)
def test_what_can_end_the_waiting(code: str, kind: ReasonKind) -> None:
    assert kind_of(code) is kind


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("AssocGrp") and "RunMin" not in code])
def test_an_allocation_s_minutes_are_its_budget(code: str) -> None:
    assert is_budget(code) == ("Minutes" in code or code == "AssocGrpWallLimit")


@pytest.mark.parametrize("code", [code for code in CODES if "PerJob" in code or "PerNode" in code])
def test_what_a_single_job_may_never_have_is_a_limit_of_the_qos(code: str) -> None:
    assert is_qos_limit(code) and not is_budget(code)


@pytest.mark.parametrize("code", CODES)
def test_a_limit_or_a_budget_that_can_never_be_met_is_of_the_kind_never(code: str) -> None:
    assert kind_of(code) is NEVER or not (is_budget(code) or is_qos_limit(code))


@pytest.mark.parametrize("code", ["", "Priority", "Resources", "ReqNodeNotAvail, May be reserved for other job"])
def test_who_waits_for_a_place_is_in_line(code: str) -> None:
    assert competes(code)


@pytest.mark.parametrize(
    "code",
    ["JobHeldUser", "Dependency", "BeginTime", "Reservation", "QOSGrpGRES", "AssocGrpGRES", "BadConstraints", "New"],
)
def test_who_waits_for_something_else_holds_up_nobody(code: str) -> None:
    assert not competes(code)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ReqNodeNotAvail, UnavailableNodes:lrdn0004", why_it_waits("ReqNodeNotAvail")),
        ("ReqNodeNotAvail,_May_be_reserved_for_other_job", why_it_waits("ReqNodeNotAvail")),
        (
            "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
            why_it_waits("ReqNodeNotAvail"),
        ),
        ("Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved", why_it_waits("ReqNodeNotAvail")),
        ("RaisedSignal:9(Killed)", why_it_waits("RaisedSignal")),
        ("launch failed requeued held", why_it_waits("JobLaunchFailure")),
        ("job_requeued_in_held_state", why_it_waits("JobHeldAdmin")),
        ("SomethingNew", "The scheduler says: SomethingNew."),
        ("Something {odd}", "The scheduler says: Something {odd}."),
    ],
)
def test_longer_texts_of_slurm_are_understood(text: str, sentence: str) -> None:
    assert why_it_waits(text) == sentence


def test_a_maintenance_says_that_less_time_may_help() -> None:
    assert "maintenance" in why_it_waits("ReqNodeNotAvail, Reserved for maintenance")


def test_a_limit_names_the_resource_in_the_reader_s_language() -> None:
    assert why_it_waits("AssocGrpGRES") == "Your allocation uses as much as it may at a time (GPUs)."
    italian = partial(translated, language="it")
    assert why_it_waits("QOSMaxMemoryPerUser", italian).endswith("per persona (memoria).")
