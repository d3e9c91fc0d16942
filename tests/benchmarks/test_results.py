"""Benchmarks: each result can be made again, and documents name only what exists. Nothing is measured here."""

import ast
import re
import runpy
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.lib.result import (
    RESULTS,
    ROOT,
    BenchmarkResult,
    argument_parser,
    module_of,
    read_result,
    recorded_command,
    result_name,
    write_result,
)

BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted(
    path
    for folder in ("cpu", "gpu", "statistics")
    for path in (BENCHMARKS / folder).glob("*.py")
    if path.stem != "__init__"
)
FILES = sorted(path for path in RESULTS.rglob("*") if path.is_file())
WRITES_A_PAGE = BENCHMARKS / "statistics" / "study_leak.py"
"""Measures nothing: it writes a page from results folders."""
LISTS = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
ROWS = {
    cells[1].strip(" `"): [cell.strip() for cell in cells[2:5]]
    for line in LISTS.splitlines()
    if line.startswith("| `benchmarks.") and (cells := line.split("|"))
}
"""Of each script in the README: what it measures, its results, and the documents that cite it."""
TEXTS = sorted(
    path
    for path in (
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("src/**/*.py"),
        *ROOT.glob("comparisons/*.yaml"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *(path for path in BENCHMARKS.rglob("*") if path.suffix in (".py", ".md")),
    )
    if "benchmarks" in path.read_text(encoding="utf-8")
)
"""Documents and sources that name a benchmark."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(script: Path) -> Iterator[tuple[str, list[str]]]:
    """Give the name of each function that a script calls, with those of its arguments that are texts or names."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield (
                name,
                [
                    str(argument.value) if isinstance(argument, ast.Constant) else getattr(argument, "id", "")
                    for argument in node.args
                ],
            )


def options_of(script: Path) -> set[str]:
    own = {
        arguments[0] for name, arguments in calls(script) if name == "add_argument" and arguments[0].startswith("--")
    }
    shared = {flag for action in argument_parser(str(script), None)._actions for flag in action.option_strings}
    return own | shared


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Give the module and the rest of each command of a text: to the end of its line, or of its backticks."""
    for found in re.finditer(r"(?m)(^[ ]*|`)python -m (benchmarks\.[a-z0-9_.]+)", text):
        rest = text[found.end() :]
        end = re.search(r"`", rest) if found[1] == "`" else re.search(r"(?<!\\)\n", rest)
        yield found[2], rest[: end.start() if end else None]


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_a_result_can_be_made_again(file: Path) -> None:
    result = read_result(file)
    script = ROOT / result.script
    assert script in SCRIPTS
    words = shlex.split(result.command)
    assert words[:3] == ["python", "-m", module_of(result.script)]
    assert words[-2:] == ["--out", "benchmarks/results"]
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options_of(script)
    variant = file.stem.removeprefix(script.stem).removeprefix("-") or None
    assert file.relative_to(RESULTS) == result_name(result.script, variant)
    assert variant is None or variant in words, "the command does not give the file this name"
    assert result.results


@pytest.mark.parametrize("script", SCRIPTS, ids=relative)
def test_a_script_takes_the_shared_arguments_and_writes_the_shared_form(script: Path) -> None:
    called = list(calls(script))
    assert ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    if script == WRITES_A_PAGE:
        assert "ArgumentParser" in dict(called)
        return
    assert ("argument_parser", ["__file__", "__doc__"]) in called
    names = {name for name, _ in called}
    assert "write_result" in names
    assert not names & {"ArgumentParser", "write_json"}, "arguments and results go through benchmarks/lib/result.py"


def test_the_readme_lists_every_script_and_every_result() -> None:
    assert set(ROWS) == {module_of(relative(script)) for script in SCRIPTS}
    listed = {
        f"{module.split('.')[1]}/{name}"
        for module, (_, results, _) in ROWS.items()
        for name in re.findall(r"`(.*?)`", results)
    }
    assert listed == {file.relative_to(RESULTS).as_posix() for file in FILES}


def test_the_readme_knows_the_documents_that_cite_a_script() -> None:
    for script in SCRIPTS:
        folder, name = script.parent.name, script.stem
        mention = re.compile(rf"benchmarks[./]{folder}[./]{name}\b|benchmarks/results/{folder}/{name}[.-]")
        citing = [
            relative(path) for path in ROOT.glob("docs/**/*.md") if mention.search(path.read_text(encoding="utf-8"))
        ]
        listed = re.findall(r"`(.*?)`", ROWS[module_of(relative(script))][2])
        assert sorted(citing) == sorted(listed), script.stem


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_a_path_of_a_benchmark_that_is_named_exists(path: Path) -> None:
    named = re.findall(r"(?<!tests/)benchmarks/[\w./*-]*\w", path.read_text(encoding="utf-8"))
    assert not [name for name in named if not any(ROOT.glob(name))]


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_a_command_of_a_benchmark_that_is_named_is_one(path: Path) -> None:
    for module, rest in commands(path.read_text(encoding="utf-8")):
        script = ROOT / (module.replace(".", "/") + ".py")
        assert script.exists(), module
        passes_on = any(name == "parse_known_args" for name, _ in calls(script))
        if script in SCRIPTS and not passes_on:
            assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)) <= options_of(script), f"{module}{rest}"


def test_help_is_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["audit_speed.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks.cpu.audit_speed", run_name="__main__")
    assert ended.value.code == 0
    assert "usage: python -m benchmarks.cpu.audit_speed" in capsys.readouterr().out


def options(tmp_path: Path, *words: str) -> Namespace:
    parser = argument_parser(str(BENCHMARKS / "cpu" / "rounding.py"), "Measure.")
    return parser.parse_args(["--out", str(tmp_path), *words])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = {"pair": (1, 2.5), "rows": np.int64(3), "right": np.bool_(True), "loss": float("nan"), "none": None}
    path = write_result(options(tmp_path, "--variant", "small"), found, arguments=["--variant", "small"])
    assert path == tmp_path / "cpu" / "rounding-small.json"
    result = read_result(path)
    assert result.results == {"pair": [1, 2.5], "rows": 3, "right": True, "loss": None, "none": None}
    assert result.script == "benchmarks/cpu/rounding.py"
    assert result.command == "python -m benchmarks.cpu.rounding --variant small --out benchmarks/results"
    assert result.versions is not None
    assert result.versions["numpy"] == np.__version__
    assert result.device


def test_nothing_is_written_without_a_folder() -> None:
    parser = argument_parser(str(BENCHMARKS / "cpu" / "rounding.py"), "Measure.")
    assert write_result(parser.parse_args([]), {"loss": 1.0}) is None


@pytest.mark.parametrize("words", [["--out", "/somewhere"], ["--out=/somewhere"], ["--commit", "abc"], []])
def test_a_recorded_command_says_nothing_of_the_machine(words: list[str]) -> None:
    command = recorded_command("benchmarks/gpu/study.py", ["--data", "a b.csv", *words, "--tiny"])
    assert command == "python -m benchmarks.gpu.study --data 'a b.csv' --tiny --out benchmarks/results"


def test_what_is_not_known_needs_a_note() -> None:
    known = {
        "script": "benchmarks/cpu/rounding.py",
        "command": "python -m benchmarks.cpu.rounding",
        "commit": "abc",
        "versions": {"python": "3.12"},
        "device": "a CPU",
        "date": date(2026, 1, 1),
        "results": {"loss": 1.0},
    }
    BenchmarkResult.model_validate(known)
    BenchmarkResult.model_validate(known | {"device": None, "note": "The machine was not recorded."})
    with pytest.raises(ValidationError, match="a note must say why there is no device"):
        BenchmarkResult.model_validate(known | {"device": None})
    with pytest.raises(ValidationError, match="command"):
        BenchmarkResult.model_validate(known | {"command": "python benchmarks/cpu/rounding.py"})
