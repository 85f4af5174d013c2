"""What ``sbatch`` says when it refuses a job, in words."""

from __future__ import annotations

import pytest

from hpchub.jobs.endings import Ending
from hpchub.jobs.refusals import LONGEST_DETAIL, TEXTS, Refusal, read_refusal

FAILED = "sbatch: error: Batch job submission failed: "
POLICY = f"{FAILED}Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.mark.parametrize("text", TEXTS)
def test_each_text_of_slurm_is_another_sentence(text: str) -> None:
    assert read_refusal(FAILED + text) == Refusal(Ending.REFUSED, TEXTS[text])
    assert TEXTS[text].endswith(".")


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("QOSMaxMemoryPerJob", Refusal(Ending.QOS_LIMIT, reason="QOSMaxMemoryPerJob")),
        ("QOSMaxCpuPerJobLimit", Refusal(Ending.QOS_LIMIT, reason="QOSMaxCpuPerJobLimit")),
        ("AssocGrpBillingMinutes", Refusal(Ending.BUDGET_SPENT, reason="AssocGrpBillingMinutes")),
        (
            "AssocMaxSubmitJobLimit",
            Refusal(Ending.REFUSED, "You have as many jobs as your allocation allows; one must end."),
        ),
        ("NoSuchCode", Refusal(Ending.REFUSED, TEXTS[POLICY.removeprefix(FAILED)])),
    ],
)
def test_the_code_of_a_limit_in_a_line_of_its_own_says_more(code: str, refusal: Refusal) -> None:
    assert read_refusal(f"sbatch: error: {code}\n{POLICY}\n") == refusal


def test_what_a_submission_plugin_says_is_shown_in_one_line_as_it_is() -> None:
    words = (
        "sbatch: error: Use -A;\n\tsee http://help\x07\nsbatch: error: Batch job submission failed: Unspecified error\n"
    )
    assert read_refusal(words) == Refusal(Ending.REFUSED, "Use -A; see http://help Unspecified error")
    assert len(read_refusal("x" * 5000).detail) == LONGEST_DETAIL
