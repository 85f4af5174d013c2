"""The job script says what the request says, and nothing else, whatever a browser or the REST API sent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hpchub.jobs import bootstrap, exits, script
from hpchub.jobs.request import JobRequest, read_comment
from hpchub.lab import packed
from tests.unit.data.job_request import REQUEST, request, words_of

GOLDEN = Path(__file__).parent / "data" / "job.sh"
BOOTSTRAP = re.sub(
    '^BESIDE = "".*$', f"BESIDE = '{packed()}'", Path(bootstrap.__file__).read_text().rstrip("\n"), flags=re.MULTILINE
)
COMMANDS = GOLDEN.read_text().split("\n", 16)[16].replace("<bootstrap.py>", BOOTSTRAP).split("\n")
"""All lines after the one line of commands that the request decides."""
MARK = "HPCHUB_BOOTSTRAP"

HOSTILE = (
    "",
    "x\n#SBATCH --uid=0",
    "ada\n",
    "#SBATCH --account=root",
    "$(touch /hacked)",
    "`touch /hacked`",
    "'; touch /hacked; '",
    '"$HOME"',
    f"\n{MARK}\ntouch /hacked",
    MARK,
    "%j%u%%",
    "a\0b",
    "\ud800",
    "\u2028#SBATCH --wrap=x",
    "\r#SBATCH",
    "../../etc",
    "-hyphen",
    "è una prova €",
    "{{ 7 * 7 }}",
    "\\",
    "a b",
    "a,b=c",
    "!history",
    "~root",
    "*",
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(("ada", " ", "-", "/", *HOSTILE)), max_size=4).map("".join),
    st.text(st.characters(categories=None), max_size=30),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", fullmatch=True),
)
PATHS = st.one_of(TEXTS, TEXTS.map("/opt/environments/{}".format))
NUMBERS = st.one_of(st.integers(-2, 600_000), st.sampled_from((True, 1.5, "8", None, 10**30)))
FIELDS = {
    "session_id": TEXTS,
    "hub_id": TEXTS,
    "user": TEXTS,
    "server_name": TEXTS,
    "profile": TEXTS,
    "cluster": TEXTS,
    "partition": TEXTS,
    "account": TEXTS,
    "qos": TEXTS,
    "gpus": NUMBERS,
    "gpu_type": st.one_of(TEXTS, st.none()),
    "cores": NUMBERS,
    "memory_mb": NUMBERS,
    "minutes": NUMBERS,
    "environment": PATHS,
}


def changed(names: list[str]) -> st.SearchStrategy[dict[str, object]]:
    """Values for some fields; the others keep their good ones, so that one bad field does not hide the rest."""
    return st.fixed_dictionaries({name: FIELDS[name] for name in names})


CHOICES = st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3, unique=True).flatmap(changed)
FREE_TEXTS = st.fixed_dictionaries({"server_name": TEXTS, "profile": TEXTS, "environment": PATHS})
"""The three fields that may hold more than one plain word; these are what reaches a script in numbers."""


def directives(text: str) -> list[str]:
    """Read what sbatch reads: the lines that begin with #SBATCH, up to the first that is neither comment nor empty."""
    found = []
    for line in text.split("\n"):
        if line.startswith("#SBATCH"):
            found.append(line.removeprefix("#SBATCH "))
        elif line.strip() and not line.startswith("#"):
            break
    return found


def expected_directives(asked: JobRequest) -> list[str]:
    """Say from the request alone what the directives must be."""
    days, hours, minutes = asked.minutes // 1440, asked.minutes // 60 % 24, asked.minutes % 60
    gres = [f"--gres=gpu:{asked.gpu_type}:{asked.gpus}"] if asked.gpus else []
    return [
        "--job-name=hpchub",
        f"--comment={asked.comment}",
        f"--account={asked.account}",
        f"--partition={asked.partition}",
        f"--qos={asked.qos}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={asked.cores}",
        f"--mem={asked.memory_mb}M",
        *gres,
        f"--time={days}-{hours:02d}:{minutes:02d}:00",
        "--no-requeue",
    ]


def check(text: str, asked: JobRequest) -> None:
    """Compare a script with its request, line by line, with nothing left over."""
    assert directives(text) == expected_directives(asked)
    assert not any(ord(letter) < 32 and letter != "\n" for letter in text.replace(BOOTSTRAP, ""))
    lines = text.split("\n")
    body = len(expected_directives(asked)) + 1
    assert lines[0] == "#!/bin/bash"
    assert sum(line.startswith("#SBATCH") for line in lines) == body - 1
    comment, empty, assignment, *rest = lines[body:]
    assert comment.startswith("# Profile ") and comment.endswith(f", session {asked.session_id}.")
    assert set(comment) <= words_of("_./-?#,. ")
    assert (empty, assignment) == ("", f"environment={quoted(asked.environment)}")
    assert rest == COMMANDS


def quoted(path: str) -> str:
    """Write a path as one word of the shell, by rules of our own: plain if nothing in it means anything."""
    if set(path) <= words_of("@%+=:,./-_"):
        return path
    return "'" + path.replace("'", "'\"'\"'") + "'"


def rendered(values: dict[str, object]) -> tuple[str, JobRequest] | None:
    """Render a choice's script, or return None where it is refused, which must be with a sentence that names fields."""
    try:
        asked = request(**values)
    except ValidationError as refusal:
        told = {str(error["loc"][0]) for error in refusal.errors() if error["loc"]}
        assert told <= values.keys() and all(error["msg"] for error in refusal.errors())
        return None
    return script.render(asked), asked


# 10,500 examples in all; the same ones in each run, so that a failure is never a matter of luck.
@settings(max_examples=7000, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(CHOICES)
def test_a_hostile_choice_is_refused_or_becomes_exactly_its_script(values: dict[str, object]) -> None:
    outcome = rendered(values)
    if outcome:
        check(*outcome)


@settings(max_examples=3500, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(FREE_TEXTS)
def test_hostile_free_text_is_refused_or_stays_text(values: dict[str, object]) -> None:
    outcome = rendered(values)
    if outcome:
        check(*outcome)
        identity = read_comment(outcome[1].comment)
        assert identity is not None and identity["server"] == values["server_name"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_every_hostile_text_in_every_field_is_refused_or_written_exactly(text: str) -> None:
    for field in FIELDS:
        for value in (text, f"/{text}", f"/opt/{text}/env"):
            outcome = rendered({field: value})
            if outcome:
                check(*outcome)


@pytest.mark.parametrize(
    "field", sorted(FIELDS.keys() - {"server_name", "profile", "environment", "gpus", "cores", "memory_mb", "minutes"})
)
def test_a_line_break_is_never_part_of_a_word(field: str) -> None:
    good = str(getattr(REQUEST, field))
    for text in (f"{good}\n", f"{good}\n#SBATCH --uid=0", f"{good} --uid=0", f"-{good}", f"{good}\r"):
        with pytest.raises(ValidationError, match=field):
            request(**{field: text})


ALLOWED_PATHS = [
    "/envs/a b",
    "/envs/$(touch hacked)",
    "/envs/`touch hacked`",
    "/envs/'; touch hacked; '",
    '/envs/"$HOME"',
    "/envs/%j%u%%",
    "/envs/è una prova €",
    "/envs/\\",
    "/envs/!history #SBATCH --uid=0",
    "/envs/*",
    f"/envs/{MARK}",
]


@pytest.mark.parametrize("path", ALLOWED_PATHS, ids=ascii)
def test_bash_takes_a_path_as_it_is(path: str, tmp_path: Path) -> None:
    text = script.render(request(environment=path))
    syntax = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (syntax.returncode, syntax.stderr) == (0, "")
    ran = subprocess.run(["bash"], input=text, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == exits.NO_ENVIRONMENT
    assert ran.stderr.startswith(f"hpchub: there is no environment at {path} on ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [path.removeprefix("/envs/") for path in ALLOWED_PATHS], ids=ascii)
def test_bash_hands_the_bootstrap_to_the_python_of_that_environment(name: str, tmp_path: Path) -> None:
    environment = tmp_path / "envs" / name
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    # Stands for the environment's Python: says how it was called and what it was given.
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$*" "$VIRTUAL_ENV" "${PATH%%:/usr*}"\ncat\n')
    python.chmod(0o755)
    asked = request(environment=str(environment))
    work = tmp_path / "work"
    work.mkdir()
    ran = subprocess.run(
        ["bash"],
        input=script.render(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=work,
        env={"PATH": "/usr/bin:/bin"},
    )
    called = [str(python), "-I -", str(environment), str(environment / "bin")]
    assert ran.stdout.split("\n") == [*called, *BOOTSTRAP.split("\n"), ""]
    assert (ran.stderr, list(work.iterdir())) == ("", [])


def test_the_script_of_a_choice_is_the_golden_one() -> None:
    assert script.render(REQUEST).replace(BOOTSTRAP, "<bootstrap.py>") == GOLDEN.read_text()


def test_a_job_without_gpus_asks_for_none() -> None:
    assert not any("gres" in line for line in directives(script.render(request(gpus=0, gpu_type=None))))


def test_the_bootstrap_has_the_exit_statuses_of_the_hub() -> None:
    assert bootstrap.SERVER_EXITED == exits.SERVER_EXITED
    assert bootstrap.HUB_UNREACHABLE == exits.HUB_UNREACHABLE
    assert bootstrap.NOT_WANTED == exits.NOT_WANTED
    assert bootstrap.NO_PLACE == exits.NO_PLACE


def test_the_bootstrap_cannot_end_its_own_here_document() -> None:
    assert MARK not in BOOTSTRAP.split("\n")
