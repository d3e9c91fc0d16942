"""The list of slow tests names tests that are there, and what makes a test slow."""

import ast
from pathlib import Path

import pytest

import slow

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("entry", slow.LIST.read_text(encoding="utf-8").split())
def test_every_slow_test_is_there(entry: str) -> None:
    file, _, test = entry.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert not test or test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_slow_fixture_makes_its_file_slow() -> None:
    durations = """
    0.60s call     tests/a/test_one.py::test_long[with, a value]
    0.40s call     tests/a/test_one.py::test_short
    3.00s setup    tests/a/test_two.py::test_first
    0.90s call     tests/a/test_two.py::test_second
    """
    assert slow.slow_tests(durations) == ["tests/a/test_one.py::test_long", "tests/a/test_two.py"]
