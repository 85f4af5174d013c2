"""What holds of the code as a whole: who imports whom, how long a module is, that everything public is explained."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets import HasTraits

REPOSITORY = Path(__file__).parents[2]
LONGEST_MODULE = 450
MODULES = sorted(path for package in ("hpchub", "spawners") for path in (REPOSITORY / package).rglob("*.py"))
NAMES = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
PURE = ("commands", "model", "parse", "reasons", "states", "units")
"""The modules of hpchub/slurm that are pure and need the standard library alone."""
INSIDE = Path("hpchub/config.py")
"""The one exception: it names the spawner class for JupyterHub, inside a function, because somebody has to."""


def imports(tree: ast.AST) -> Iterator[str]:
    """Name every module that is imported anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def forbidden(source: str, path: Path) -> list[str]:
    """Name the imports of ``spawners`` in a module of ``hpchub``."""
    tree = ast.parse(source)
    found = [name for name in imports(tree) if name.split(".")[0] == "spawners"]
    if path == INSIDE:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for name in imports(node):
                    if name in found:
                        found.remove(name)
    return found


def unexplained(source: str) -> list[str]:
    """Name what is public and has no docstring: the module, its classes and its functions.

    A method needs none where its name says it all; one that overrides or is private neither.
    """
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_") and not ast.get_docstring(node):
                missing.append(node.name)
    return missing


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_library_never_imports_the_spawners(path: Path) -> None:
    relative = path.relative_to(REPOSITORY)
    if relative.parts[0] == "hpchub":
        assert forbidden(path.read_text(), relative) == []


@pytest.mark.parametrize(
    ("source", "path", "found"),
    [
        ("import spawners", "hpchub/a.py", ["spawners"]),
        ("from spawners.site import SiteSpawner", "hpchub/a.py", ["spawners.site"]),
        ("def f():\n    from spawners.site import SiteSpawner", "hpchub/a.py", ["spawners.site"]),
        ("def f():\n    from spawners.site import SiteSpawner", "hpchub/config.py", []),
        ("from spawners.site import SiteSpawner", "hpchub/config.py", ["spawners.site"]),
        ("if True:\n    import spawners.form", "hpchub/config.py", ["spawners.form"]),
        ("import spawners_of_others", "hpchub/a.py", []),
    ],
)
def test_a_forbidden_import_is_found(source: str, path: str, found: list[str]) -> None:
    assert forbidden(source, Path(path)) == found


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_needs_neither_files_nor_processes(name: str) -> None:
    source = (REPOSITORY / "hpchub" / "slurm" / f"{name}.py").read_text()
    impure = {"os", "subprocess", "asyncio", "pathlib", "socket", "time", "jupyterhub", "pydantic"}
    assert not impure & {each.split(".")[0] for each in imports(ast.parse(source))}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_is_short_enough_to_be_held_in_mind(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_ours_says_what_it_means(name: str) -> None:
    module = importlib.import_module(name)
    ours = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == name]
    for each in ours:
        if issubclass(each, HasTraits):
            for trait_name, trait in each.class_own_traits(config=True).items():
                assert str(trait.help).strip(), f"{each.__name__}.{trait_name} has no help"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_everything_public_is_explained(path: Path) -> None:
    source = path.read_text()
    if source.strip():
        assert unexplained(source) == []


def test_something_unexplained_is_found() -> None:
    assert unexplained("class A: ...\ndef f(): ...\ndef _g(): ...") == ["the module", "A", "f"]
    assert unexplained('"""A module."""\nclass A:\n    """A class."""\n    def method(self): ...') == []
