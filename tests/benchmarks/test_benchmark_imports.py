"""Whatever benchmarks import from the project exists. GPU benchmarks run in no test, so their source is read."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.lib.result import ROOT

FILES = sorted((ROOT / "benchmarks").rglob("*.py"))
PACKAGES = {"showdown": ROOT / "src" / "showdown", "benchmarks": ROOT / "benchmarks"}


def source_of(module: str) -> Path | None:
    """Return the file of a module, or None where there is none."""
    package, *parts = module.split(".")
    path = PACKAGES[package].joinpath(*parts)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


@cache
def names_of(file: Path) -> frozenset[str]:
    """Return the names that a module defines or imports outside functions and classes."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return frozenset(found)


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Give each module of the project that a file imports, with the name that it takes from it, or none."""
    folder = ".".join(file.parent.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            module = f"{folder}.{module}".rstrip(".") if node.level else module
            if module.split(".")[0] in PACKAGES:
                yield from ((module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] in PACKAGES)


def missing(module: str, name: str) -> bool:
    source = source_of(module)
    if source is None:
        return True
    names = names_of(source)
    return bool(name) and name not in names and "__getattr__" not in names and source_of(f"{module}.{name}") is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_what_a_benchmark_imports_exists(file: Path) -> None:
    assert not [(module, name) for module, name in imported(file) if missing(module, name)]


def test_what_does_not_exist_is_found() -> None:
    assert missing("showdown.nowhere", "anything")
    assert missing("showdown.core.files", "write_nothing")
    assert not missing("showdown.core.files", "write_json")
    assert not missing("benchmarks.lib", "recipe")
