"""YAML files as data that still knows its lines.

An admin reads these messages at a terminal: each is one line with file, line, field, what was found and what is
possible, and one reading reports all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpchub.errors import CatalogueError

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: plain data, and the line of every key and item."""

    path: Path
    data: object
    lines: Mapping[Place, int]

    def problem(self, place: Place, text: str) -> str:
        """Say where and what: ``file:line: field: text``."""
        known = place
        while known not in self.lines:
            known = known[:-1]
        field = ".".join(map(str, place))
        return f"{self.path}:{self.lines[known]}: {field + ': ' if field else ''}{text}"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, without aliases: one may contain itself, and no file here needs one."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # its stub lacks the types
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not supported here", event.start_mark)
        return super().compose_node(parent, index)


def read_document(path: Path) -> Document:
    """Read one YAML file.

    Raises :class:`CatalogueError` if it cannot be read, is no YAML, or names a key twice.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        lines: dict[Place, int] = {(): 1}
        problems: list[str] = []
        data = None if node is None else _plain(loader, node, (), lines, problems)
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogueError(f"{path}:{line}: is not YAML as we read it: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise CatalogueError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise CatalogueError(f"{path}: is nested too deeply") from error
    if problems:
        raise CatalogueError("\n".join(f"{path}:{problem}" for problem in problems))
    return Document(path, data, lines)


def _plain(loader: _Loader, node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[str]) -> object:
    lines.setdefault(place, node.start_mark.line + 1)
    if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag!r} is not supported here", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*place, i), lines, problems) for i, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        value: object = loader.construct_object(node)
        return value
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            problems.append(f"{line}: a key must be text; found {key_node.value!r}, possible: the same in quotes")
        elif key in mapping:
            problems.append(f"{line}: {key}: is there twice, first in line {lines[(*place, key)]}")
        else:
            lines[(*place, key)] = line
            mapping[key] = _plain(loader, value_node, (*place, key), lines, problems)
    return mapping


def checked(document: Document, model: type[M], problems: list[str]) -> M | None:
    """Make a model of a document; what is wrong goes to ``problems``, and then the answer is None."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems.extend(_sentences(document, model, error))
        return None


def _sentences(document: Document, model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    seen: set[str] = set()
    for details in error.errors(include_url=False):
        place = tuple(part for part in details["loc"] if part != "[key]")
        # An optional field reports one error for each alternative, under a place that the file does not have.
        while place and place not in document.lines and details["type"] != "missing":
            place = place[:-1]
        sentence = document.problem(place, _describe(details, model))
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def _describe(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, message, place = details["type"], details["msg"], details["loc"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return f"is not a field; possible: {', '.join(_fields_at(model, place[:-1]))}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind in ("model_type", "dict_type", "mapping_type"):
        possible = "a block of `name: value`"
    else:
        possible = message.partition(" should ")[2].removeprefix("be ") or message
    found = "a value that is not shown" if "password" in place else _shown(details["input"])
    return f"found {found}; possible: {possible}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _fields_at(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """Name the fields of the model that lies at a place inside another."""
    here: object = model
    for part in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(part)].annotation
        else:
            here = get_args(here)[0] if isinstance(part, int) else get_args(here)[-1]
        while get_origin(here) in (Annotated, Union, UnionType):
            here = get_args(here)[0]
    return tuple(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else ()
