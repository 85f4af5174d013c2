"""Files that are broken: whatever is wrong, each problem is one line with file, line, field and what is possible.

Each file of ``data/broken`` takes the place of one in the small site of ``data/small``.  Its first lines name which,
and what is said; ``…`` in a line stands for anything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.problems import FilesWrong
from hpchub.cli import app
from tests.support.thorough import THOROUGH

DATA = Path(__file__).parent / "data"
BROKEN = sorted((DATA / "broken").glob("*.yaml"))
SITE = "site.yaml"
PROFILE = "profiles/agrifood/vineyards.yaml"
LOCK = "profiles/environments/vines/x86_64-cuda12.txt"
FORM = re.compile(r"(?P<file>\S+|'.+'):(?P<line>[1-9]\d*): (?P<field>.+?): (?P<found>.+); possible: (?P<possible>.+)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small site."""
    return Path(shutil.copytree(DATA / "small", tmp_path / "site"))


def problems(folder: Path) -> list[str]:
    """What is said of a site and its catalogue, without the folder in front; every line has the form."""
    try:
        load_catalogue(load_site(folder / SITE))
    except FilesWrong as error:
        lines = str(error).splitlines()
        assert len(lines) == len(error.problems)
        assert [line for line in lines if not FORM.fullmatch(line)] == []
        return [line.replace(f"{folder}/", "") for line in lines]
    return []


def test_the_small_site_is_right(folder: Path) -> None:
    catalogue = load_catalogue(load_site(folder / SITE))
    assert list(catalogue.profiles) == ["agrifood/vineyards"]
    assert catalogue.warnings == ()


def test_there_are_enough_broken_files() -> None:
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("broken", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_is_told_with_line_field_and_remedy(folder: Path, broken: Path) -> None:
    text = broken.read_text()
    (place,) = re.findall(r"^# in place of (.*)$", text, re.MULTILINE)
    expected = re.findall(r"^# says (.*)$", text, re.MULTILINE)
    (folder / place).write_text(text)
    said = problems(folder)
    assert len(said) == len(expected), said
    for line, words in zip(said, expected, strict=True):
        assert re.fullmatch(re.escape(words).replace("…", ".*"), line), line


def test_all_broken_files_of_one_folder_are_told_in_one_reading(folder: Path) -> None:
    of_profiles = [path for path in BROKEN if f"in place of {PROFILE}" in path.read_text()]
    for broken in of_profiles:
        shutil.copy(broken, folder / "profiles" / "agrifood" / broken.name)
    told = {Path(line.partition(":")[0]).stem for line in problems(folder)}
    assert told == {broken.stem for broken in of_profiles}
    assert len(told) >= 40


def replaced(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / path).write_bytes(content)


def renamed(path: str, new: str) -> Callable[[Path], object]:
    def rename(folder: Path) -> None:
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).rename(folder / new)

    return rename


def also(path: str, new: str) -> Callable[[Path], object]:
    return lambda folder: shutil.copy(folder / path, folder / new)


def linked(path: str, target: str) -> Callable[[Path], object]:
    def link(folder: Path) -> None:
        (folder / path).unlink()
        (folder / path).symlink_to(target)

    return link


FILES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no site file", lambda folder: (folder / SITE).unlink(), "site.yaml:1: the file: cannot be read: No such file"),
    ("no sectors", lambda f: (f / "profiles/sectors.yaml").unlink(), "sectors.yaml:1: the file: cannot be read: No su"),
    ("a folder", lambda f: (f / "profiles/agrifood/x.yaml").mkdir(), "x.yaml:1: the file: cannot be read: it is no re"),
    ("a pipe", lambda f: os.mkfifo(f / "profiles/agrifood/x.yaml"), "x.yaml:1: the file: cannot be read: it is no re"),
    ("not UTF-8", replaced(PROFILE, b"a: 1\ntitle: \xff"), "vineyards.yaml:2: title: is not UTF-8 text (byte 12)"),
    ("UTF-16", replaced(PROFILE, "title: x".encode("utf-16")), "vineyards.yaml:1: the file: is not UTF-8 text (byte 0"),
    (
        "control character",
        replaced(PROFILE, b"a: 1\ntitle: \x07"),
        r"vineyards.yaml:2: title: is not YAML as we read it",
    ),
    ("a zero byte", replaced(PROFILE, b"title: \0"), "vineyards.yaml:1: title: is not YAML as we read it: the charac"),
    ("huge", replaced(PROFILE, b"# " + b"x" * 2_000_000), "the file: has more than 1,000,000 bytes; possible: a small"),
    (
        "a huge number",
        replaced(PROFILE, b"title: " + b"9" * 5000),
        "vineyards.yaml:1: title: is not YAML as we read it",
    ),
    ("brackets", replaced(PROFILE, b"[" * 5000), "is not YAML as we read it: more than 30 levels; possible: fewer"),
    (
        "other suffix",
        renamed(PROFILE, "profiles/agrifood/x.yml"),
        "x.yml:1: the file: found this file name; possible: a",
    ),
    (
        "capital letter",
        renamed(PROFILE, "profiles/agrifood/X.yaml"),
        "X.yaml:1: the file: found this file name; possib",
    ),
    ("line end in a name", renamed(PROFILE, "profiles/agrifood/x\n.yaml"), r"x\n.yaml':1: the file: found this file"),
    ("no UTF-8 in a name", renamed(PROFILE, "profiles/agrifood/\udcff.yaml"), r"\udcff.yaml':1: the file: found this"),
    ("same slug twice", also(PROFILE, "profiles/agrifood/vineyards.yml"), "vineyards.yaml is there too, with the same"),
    (
        "a folder too deep",
        renamed(PROFILE, "profiles/agrifood/old/x.yaml"),
        "lies in a folder of its own; possible: agri",
    ),
    (
        "no such sector",
        renamed(PROFILE, "profiles/agrifod/x.yaml"),
        "'agrifod' is no sector; possible: agrifood, general;",
    ),
    (
        "link to a secret",
        linked(PROFILE, "/etc/shadow"),
        "is a link to /etc/shadow, outside of the catalogue; possible:",
    ),
    ("link to itself", linked(PROFILE, "vineyards.yaml"), "vineyards.yaml:1: the file: cannot be read: Too many level"),
    ("link to nothing", linked(LOCK, "nothing.txt"), "x86_64-cuda12.txt:1: the file: cannot be read: No such file"),
    (
        "lock of no target",
        also(LOCK, "profiles/environments/vines/pinned.txt"),
        "'pinned' is no software target; possib",
    ),
    (
        "environment.yml",
        renamed("profiles/environments/vines/environment.yaml", "profiles/environments/vines/environment.yml"),
        "environment.yml:1: the file: found this file name; possible: environment.yaml",
    ),
    (
        "environment with a capital",
        renamed("profiles/environments/vines", "profiles/environments/Vines"),
        "environments/Vines:1: the file: found this folder; possible: a name of a-z, 0-9 and hyphens",
    ),
]


@pytest.mark.parametrize(("spoil", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_a_file_that_cannot_be_used_is_told(folder: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(folder)
    assert expected in "\n".join(problems(folder))


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    text = (folder / PROFILE).read_bytes()
    (folder / PROFILE).write_bytes(b"\xef\xbb\xbf" + text)
    assert problems(folder) == []


def test_what_an_editor_hides_while_somebody_writes_is_left_alone(folder: Path) -> None:
    (folder / "profiles/agrifood/.#vineyards.yaml").symlink_to("ada@laptop.1234")
    (folder / "profiles/agrifood/.vineyards.yaml.swp").write_bytes(b"\0\xff")
    assert problems(folder) == []


def test_a_broken_environment_is_not_told_again_by_those_who_name_it(folder: Path) -> None:
    (folder / "profiles/environments/vines/environment.yaml").write_text("title: {en: x}")
    assert {line.partition(":")[0] for line in problems(folder)} == {"profiles/environments/vines/environment.yaml"}


def test_a_larger_size_is_right_where_another_cluster_holds_it(folder: Path) -> None:
    site = (folder / SITE).read_text()
    second = re.findall(r"^  leonardo:\n(?:    .*\n)+", site, re.MULTILINE)[0].replace("leonardo", "second")
    (folder / SITE).write_text(site.replace("clusters:\n", "clusters:\n" + second.replace("cores: 32", "cores: 64")))
    place = "  - {cluster: leonardo, partition: boost_usr_prod, gpu_type: a100, qos: [normal, boost_qos_dbg]}\n"
    text = (folder / PROFILE).read_text().replace("cores: 32", "cores: 64")
    (folder / PROFILE).write_text(text.replace(place, place + place.replace("leonardo", "second")))
    assert problems(folder) == []


# What a person does to a file by accident, as text: some characters go, come, or change places.
SNIPPETS = st.sampled_from(
    ["\t", "  ", "\n", ":", ": ", "- ", "[", "]", "{", "}", '"', "'", "#", "&a ", "*a", "!!int "]
)
PIECES = st.one_of(
    SNIPPETS, st.sampled_from(["yes", "null", "~", "0", "1e9", ".inf", "<<: ", "? ", "|", ">", "%", "@"])
)
CUTS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(PIECES, st.text(max_size=3))), max_size=4)
SHIPPED = ["site.yaml", "profiles/sectors.yaml", PROFILE, "profiles/environments/vines/environment.yaml"]
# Values of another kind, put in the place of one that is right.
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def lint(folder: Path) -> None:
    """Lint never ends with a traceback, and what it says has the form."""
    result = CliRunner().invoke(app, ["profiles", "lint", "--json", "--site", str(folder / SITE)])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code == (1 if json.loads(result.stdout)["problems"] else 0)
    assert (problems(folder) != []) == (result.exit_code == 1)


MANY = settings(max_examples=150 if THOROUGH else 40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(file=st.sampled_from(SHIPPED), cuts=CUTS)
def test_no_change_of_the_text_gives_a_traceback(folder: Path, file: str, cuts: list[tuple[float, int, str]]) -> None:
    before = text = (DATA / "small" / file).read_text()
    for where, length, new in cuts:
        at = int(where * len(text))
        text = text[:at] + new + text[at + length :]
    try:
        (folder / file).write_bytes(text.encode("utf-8", "surrogatepass"))
        lint(folder)
    finally:
        (folder / file).write_text(before)


@MANY
@given(file=st.sampled_from(SHIPPED), where=st.floats(0, 1), new=VALUES, key=st.text(max_size=8) | st.none())
def test_no_change_of_the_structure_gives_a_traceback(
    folder: Path, file: str, where: float, new: object, key: str | None
) -> None:
    before = (DATA / "small" / file).read_text()
    document = yaml.safe_load(before)
    every = list(places(document))
    container, old = every[int(where * (len(every) - 1))]
    if key is not None and isinstance(container, dict):
        container[key] = container.pop(old)
    else:
        container[old] = new
    try:
        (folder / file).write_bytes(yaml.safe_dump(document, allow_unicode=False).encode())
        lint(folder)
    finally:
        (folder / file).write_text(before)
