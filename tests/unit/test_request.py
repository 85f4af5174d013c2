"""A job request holds only what can be written into a job script, and its comment is found again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hpchub.jobs.request import SERVER_NAME_BYTES, JobRequest, job_comment, read_comment
from tests.unit.data.job_request import FIELDS, REQUEST, SESSION_ID, request

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the usual one"),
        pytest.param({"user": "a.b-c_1"}, id="a POSIX name with signs"),
        pytest.param({"user": "0day"}, id="a POSIX name that begins with a digit"),
        pytest.param({"server_name": "my server/2 é&hpchub=2"}, id="a free server name"),
        pytest.param({"server_name": "x" * 255}, id="a long server name"),
        pytest.param({"gpus": 0, "gpu_type": None}, id="no GPU"),
        pytest.param({"minutes": 525_600, "cores": 4096, "memory_mb": 100_000_000}, id="the most"),
        pytest.param({"minutes": 1, "cores": 1, "memory_mb": 1}, id="the least"),
        pytest.param({"environment": "/"}, id="the shortest path"),
        pytest.param({"environment": "/opt/my envs/'é'$x"}, id="a path that needs quoting"),
    ],
)
def test_what_is_accepted_stays_as_it_is(changes: dict[str, Any]) -> None:
    accepted = request(**changes).model_dump()
    assert {name: accepted[name] for name in FIELDS} == {**FIELDS, **changes}


def test_a_stored_request_is_read_back() -> None:
    asked = request(kind="module", modules=("a/1", "b"))
    assert JobRequest.model_validate(json.loads(json.dumps(asked.model_dump()))) == asked


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("session_id", "0123", "match pattern"),
        ("session_id", SESSION_ID.upper(), "match pattern"),
        ("session_id", SESSION_ID + "\n", "match pattern"),
        ("hub_id", "Demo", "match pattern"),
        ("hub_id", "-demo", "match pattern"),
        ("user", "-ada", "match pattern"),
        ("user", "a" * 33, "match pattern"),
        ("user", "ada\n", "match pattern"),
        ("user", "", "match pattern"),
        ("user", "àda", "match pattern"),
        ("server_name", "x" * 256, "at most 255 characters"),
        ("server_name", "€" * 100, f"at most {SERVER_NAME_BYTES} bytes"),
        ("server_name", "\ud800", "valid string"),
        ("cluster", "leonardo it4lia", "match pattern"),
        ("partition", "a,b", "match pattern"),
        ("account", "--uid=0", "match pattern"),
        ("qos", "normal\n#SBATCH --uid=0", "match pattern"),
        ("gpu_type", "a100:2", "match pattern"),
        ("gpus", -1, "greater than or equal to 0"),
        ("gpus", True, "valid integer"),
        ("gpus", "1", "valid integer"),
        ("gpus", 1.0, "valid integer"),
        ("cores", 0, "greater than or equal to 1"),
        ("cores", 4097, "less than or equal to 4096"),
        ("memory_mb", 0, "greater than or equal to 1"),
        ("minutes", 0, "greater than or equal to 1"),
        ("minutes", 525_601, "less than or equal to 525600"),
        ("minutes", None, "valid integer"),
        ("environment", "relative", "an absolute path"),
        ("environment", "/a/../b", "an absolute path"),
        ("environment", "/a//b", "an absolute path"),
        ("environment", "//a", "an absolute path"),
        ("environment", "/a/", "an absolute path"),
        ("environment", "/a/.", "an absolute path"),
        ("environment", "", "an absolute path"),
        ("environment", "/a\nb", "printable"),
        ("environment", "/a\0b", "printable"),
        ("environment", "/a\u2028b", "printable"),
        ("environment", "/\udc80", "valid string"),
        ("environment", "/" + "a" * 1024, "at most 1024 characters"),
    ],
    ids=ascii,
)
def test_what_cannot_be_written_is_refused_by_its_field(field: str, value: object, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        request(**{field: value})
    assert [error["loc"] for error in refusal.value.errors()] == [(field,)]
    assert sentence in refusal.value.errors()[0]["msg"]


@pytest.mark.parametrize("changes", [{"gpus": 0}, {"gpu_type": None}, {"gpus": 0, "gpu_type": "a100"}], ids=str)
def test_gpus_and_their_type_go_together(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="gpu_type is needed for GPUs, and only for GPUs"):
        request(**changes)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        JobRequest(**FIELDS, uid=0)  # type: ignore[call-arg]


def test_a_request_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        REQUEST.user = "bruno"


@settings(derandomize=True, database=None, max_examples=300)
@given(NAMES)
def test_a_comment_is_one_word_and_gives_back_any_server_name(name: str) -> None:
    comment = job_comment("demo", "ada", name, SESSION_ID)
    assert comment.isascii() and comment.isprintable() and not set(comment) & set(" |'\"\\`$#;")
    expected = {"hpchub": "1", "hub": "demo", "user": "ada", "server": name, "session": SESSION_ID}
    assert read_comment(comment) == expected


@pytest.mark.parametrize("name", ["x" * 255, "€" * 77, "&session=" * 20])
def test_the_longest_comment_is_short_enough_for_slurm(name: str) -> None:
    assert len(request(server_name=name, hub_id="h" * 32, user="u" * 32).comment) <= 1024


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "my own job",
        "=",
        "&&&",
        "hpchub",
        "hpchub=1",
        f"hpchub=2&hub=demo&user=ada&server=&session={SESSION_ID}",
        f"hub=demo&user=ada&server=&session={SESSION_ID}",
        "hpchub=1&hub=demo&user=ada&server=",
        f"hpchub=1&hub=demo&user=ada&session={SESSION_ID}",
        f"hpchub=1&hub=demo&user=ada&server=&session={SESSION_ID}&loose",
        "it's mine | 100 % <é>",
        "\0\ud800",
    ],
    ids=ascii,
)
def test_what_is_not_a_comment_of_ours_is_none(comment: str) -> None:
    assert read_comment(comment) is None
