"""YAML files as data that still knows its lines.

An admin reads these messages at a terminal: each is one line with file, line, field, what was found and what is
possible, and one reading reports all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from hpchub.catalogue.problems import THE_FILE, FilesWrong, Place, Problem, field_name, out_of, shown

PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
MOST_BYTES = 1_000_000
"""No file of a catalogue comes near; a larger one is something else, and would hold up the hub that reads it."""
DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: plain data, and the line of every key and item."""

    path: Path
    data: object
    lines: Mapping[Place, int]

    def problem(self, place: Place, found: str, possible: str) -> Problem:
        """Say where and what; a place that the file does not have gets the line of what it would be in."""
        known = place
        while known not in self.lines:
            known = known[:-1]
        return Problem(self.path, self.lines[known], field_name(place), found, possible)

    def unknown(self, place: Place, asked: str, names: Iterable[str]) -> Problem:
        """Say that a name refers to nothing."""
        return self.problem(place, f"found {shown(asked)}", out_of(names, asked))


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, without aliases: one may contain itself, and no file here needs one."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stub lacks the types
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*name)", problem_mark=mark, note="the value itself")
        self.depth += 1
        if self.depth > DEEPEST:
            problem = f"more than {DEEPEST} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark, note="fewer brackets or less indentation")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


# Numbers are never guessed from text: YAML 1.1 would read 0120 as 80 and 1:30 as 90; and << and = are mere text.
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(r"[-+]?(0|[1-9][0-9]*)$") if tag == "tag:yaml.org,2002:int" else pattern)
        for tag, pattern in resolvers
        if tag not in ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_document(path: Path) -> Document:
    """Read one YAML file.

    Raises :class:`FilesWrong` if it cannot be read, is no YAML, or names a key twice.
    """
    text = read_text(path)
    problems: list[Problem] = []
    lines: dict[Place, int] = {(): 1}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = None if node is None else _plain(loader, node, (), path, lines, problems)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FilesWrong([_not_yaml(path, text, line, str(error.problem), error.note)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character {shown(text[error.position : error.position + 1])}"
        raise FilesWrong([_not_yaml(path, text, line, found, "printable characters and line ends")]) from error
    if problems:
        raise FilesWrong(problems)
    return Document(path, data, lines)


def read_text(path: Path) -> str:
    """Read a text file, with or without a byte order mark.

    Raises :class:`FilesWrong` if it cannot be read, is too large or is not UTF-8.
    """
    try:
        # A pipe would let the reader wait for ever.
        if path.exists() and not path.is_file():
            raise OSError(0, "it is no regular file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise FilesWrong([Problem(path, 1, THE_FILE, found, "a file that this user may read")]) from error
    if len(content) > MOST_BYTES:
        found = f"has more than {MOST_BYTES:,} bytes"
        raise FilesWrong([Problem(path, 1, THE_FILE, found, "a small file for one thing")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        found = f"is not UTF-8 text (byte {error.start})"
        raise FilesWrong([Problem(path, line, _key_near(before, line), found, "the file saved as UTF-8")]) from error


def _not_yaml(path: Path, text: str, line: int, found: str, remedy: str | None) -> Problem:
    if remedy is None:
        tab = "\t" in "".join(text.splitlines()[line - 1 : line])
        remedy = "spaces instead of the tab" if tab else "text with `: # [ ] { } * &` in quotes, and even indentation"
    return Problem(path, line, _key_near(text, line), f"is not YAML as we read it: {' '.join(found.split())}", remedy)


def _key_near(text: str, line: int) -> str:
    """Name the last key that begins at a line or above it: what was being written where the parser gave up."""
    for before in reversed(text.splitlines()[:line]):
        key = re.match(r"[\s-]*([A-Za-z_][\w-]{0,62})\s*:", before)
        if key:
            return key[1]
    return THE_FILE


def _plain(
    loader: _Loader, node: yaml.Node, place: Place, path: Path, lines: dict[Place, int], problems: list[Problem]
) -> object:
    lines.setdefault(place, node.start_mark.line + 1)
    if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag!r}", problem_mark=node.start_mark, note="no tag")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*place, i), path, lines, problems) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(loader, node)
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _scalar(loader, key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            found = shown(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "a list or block"
            problems.append(Problem(path, line, field_name(place), f"found the key {found}", "text, in quotes"))
        elif key in mapping:
            found = f"is there twice, first in line {lines[(*place, key)]}"
            problems.append(Problem(path, line, field_name((*place, key)), found, "each key once"))
        else:
            lines[(*place, key)] = line
            mapping[key] = _plain(loader, value_node, (*place, key), path, lines, problems)
    return mapping


def _scalar(loader: _Loader, node: yaml.Node) -> object:
    try:
        value: object = loader.construct_object(node)
    except yaml.YAMLError:
        raise
    except Exception as error:  # a date with a 13th month, and whatever else PyYAML's constructors stumble over
        problem = " ".join(str(error).split())
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark, note="text, in quotes") from error
    return value
