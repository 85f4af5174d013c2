"""Renders the job script from a job request.  Pure, apart from reading the two files beside it once."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import jinja2

from hpchub.jobs import exits
from hpchub.jobs.files import facts
from hpchub.jobs.request import JobRequest
from hpchub.lab import packed
from hpchub.slurm.commands import JOB_NAME
from hpchub.slurm.units import slurm_time

_MARK = "HPCHUB_BOOTSTRAP"


def _in_a_comment(text: str) -> str:
    """Keep free text on its own comment line: everything but letters, digits and ``_ . / -`` becomes ``?``."""
    return re.sub(r"[^A-Za-z0-9_./-]", "?", text)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a shell script; what is not a validated word goes through `quoted`
    )
    environment.filters["quoted"] = shlex.quote
    environment.filters["in_a_comment"] = _in_a_comment
    return environment.get_template("job.sh.j2")


@cache
def _bootstrap() -> str:
    text = Path(__file__).with_name("bootstrap.py").read_text(encoding="utf-8").rstrip("\n")
    if _MARK in text.splitlines():
        raise ValueError(f"bootstrap.py must not contain a line {_MARK}: it ends the here-document")
    return _with_literals(text, BESIDE=packed())


@cache
def _prepare() -> str:
    return Path(__file__).with_name("prepare.py").read_text(encoding="utf-8")


def _with_files(bootstrap: str, request: JobRequest) -> str:
    """Put the program that prepares an event's files into the bootstrap, and what it is to prepare."""
    if request.files is None or request.event is None:
        return bootstrap
    return _with_literals(bootstrap, PREPARE=_prepare(), FACTS=facts(request.files, request.event))


def _with_literals(bootstrap: str, **texts: str) -> str:
    """Give some of the bootstrap's names their texts: as literals of Python in plain ASCII on one line each, which
    nothing in them can end.
    """
    lines = bootstrap.split("\n")
    for name, text in texts.items():
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f'{name} = ""'))
        lines[at] = f"{name} = {text!a}"
    return "\n".join(lines)


def render(request: JobRequest, job_name: str = JOB_NAME, program: str = "") -> str:
    """Write the complete script for ``sbatch``.

    Args:
        request: what to ask for.
        job_name: another name than the sessions', for a job that is none.
        program: what runs in the environment's Python instead of the bootstrap, for the same.
    """
    return _template().render(
        request=request,
        job_name=job_name,
        time=slurm_time(request.minutes),
        exit_no_environment=exits.NO_ENVIRONMENT,
        mark=_MARK,
        bootstrap=program.rstrip("\n") or _with_files(_bootstrap(), request),
    )
