"""Scores that users write: files, entry points, and every way in which they are wrong, in one line each."""

import hashlib
import math
import os
import re
import sys
from pathlib import Path

import pytest

from showdown.core.errors import UserError
from showdown.tasks.generation.scorers.own import OwnScorer, load_scorer

GOOD = '''
"""A user's scorer."""
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Weights:
    """Dataclasses look their module up by its name."""
    half: float = 0.5

def half(prompt, wanted, written):
    return Weights().half if written in wanted else 0

def points(prompt, wanted, written, *, most=10):
    return len(written)

points.title = "points for length"
points.lowest, points.highest = -5, 10
CLASS_SCORE = type("Score", (), {"__call__": lambda self, prompt, wanted, written: 1})()
'''


def one_line(error: "pytest.ExceptionInfo[UserError]") -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("scorer `")
    return text


def refused(where: str, base: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_scorer(where, base)
    return one_line(caught)


def returning(expression: str, folder: Path, more: str = "") -> OwnScorer:
    path = folder / f"s{abs(hash((expression, more)))}.py"
    path.write_text(f"import numpy as np\ndef score(prompt, wanted, written):\n    return {expression}\n{more}\n")
    return load_scorer(f"{path.name}:score", folder)


def test_a_function_of_a_file_scores(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "mine.py"
    path.write_text(GOOD)
    half = load_scorer("sub/mine.py:half", tmp_path)
    assert half("p", "wanted", "want") == 0.5
    assert half("p", "wanted", "x") == 0.0
    assert (half.title, half.lowest, half.highest, half.package) == ("half", 0.0, 1.0, None)
    assert half.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    points = load_scorer(f"{path}:points", Path("elsewhere"))
    assert (points.title, points.lowest, points.highest) == ("points for length", -5.0, 10.0)
    assert points("p", "w", "seven77") == 7.0
    assert load_scorer("sub/mine.py:CLASS_SCORE", tmp_path)("", "", "") == 1.0


def test_the_example_of_the_documents(tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs" / "scores.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n# scores/mine\.py\n(.*?)```", document, re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    score = load_scorer("mine.py:same_day", tmp_path)
    assert score.title == "right day, shortly"
    assert score("When?", "Friday", "On Friday.") == 1.0
    assert score("When?", "Friday", "On Monday.") == 0.5
    assert score("When?", "Friday", "friday " * 11) == 0.5


def test_prompt_wanted_and_written_come_in_this_order(tmp_path: Path) -> None:
    score = returning("[prompt, wanted, written] == ['P', 'W', 'A']", tmp_path)
    assert score("P", "W", "A") == 1.0


def test_a_link_is_followed_and_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mine.py").write_text(GOOD)
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "mine.py")
    assert load_scorer("link.py:half", tmp_path)("", "a", "a") == 0.5
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.py", "mine.py", "real"]


def test_what_is_loaded_is_what_the_checksum_is_of(tmp_path: Path) -> None:
    """Also where the file has the same size and time as before, by which Python tells whether it must read it again."""
    path = tmp_path / "mine.py"
    found = []
    for value in ("0.25", "0.75"):
        path.write_text(f"def score(prompt, wanted, written):\n    return {value}\n")
        os.utime(path, (1e9, 1e9))
        scorer = load_scorer("mine.py:score", tmp_path)
        assert scorer.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(scorer("", "", ""))
    assert found == [0.25, 0.75]


VALUES = {
    "True": 1.0,
    "False": 0.0,
    "1": 1.0,
    "0.5": 0.5,
    "np.float32(0.25)": 0.25,
    "np.int64(1)": 1.0,
    "np.bool_(True)": 1.0,
    "1 + 1e-12": 1.0,
    "-1e-12": 0.0,
}


@pytest.mark.parametrize("expression", VALUES)
def test_what_counts_as_a_number(expression: str, tmp_path: Path) -> None:
    found = returning(expression, tmp_path)("p", "w", "a")
    assert type(found) is float
    assert found == VALUES[expression]


WRONG_VALUES = {
    "float('nan')": "it returned nan; return a finite number",
    "np.float64('inf')": "it returned inf; return a finite number",
    "10 ** 5000": "it returned inf; return a finite number",
    "None": "it returned None; return a number",
    "'0.5'": "it returned something of type str; return a number",
    "[1.0]": "it returned something of type list; return a number",
    "np.ones(1)": "it returned something of type ndarray; return a number",
    "1j": "it returned something of type complex; return a number",
    "1.5": "it returned 1.5, outside 0 to 1; return a value within",
    "-0.1": "it returned -0.1, outside 0 to 1",
    "1 / 0": r"it raised ZeroDivisionError: division by zero \(line 3\); mend the function",
    "written.missing": r"it raised AttributeError: 'str' object has no attribute 'missing' \(line 3\)",
    "int('a\\nb\\x1b')": r"it raised ValueError: invalid literal .* \(line 3\)",
    "score(prompt, wanted, written)": r"it raised RecursionError: maximum recursion depth exceeded \(line 3\)",
    "exit(3)": r"it raised SystemExit: 3 \(line 3\)",
    "(_ for _ in ()).throw(ValueError('one\\ntwo'))": r"it raised ValueError: one \(line 3\)",
    "(_ for _ in ()).throw(KeyError)": r"it raised KeyError \(line 3\)",
}


@pytest.mark.parametrize("expression", WRONG_VALUES)
def test_a_wrong_value_names_the_row(expression: str, tmp_path: Path) -> None:
    scorer = returning(expression, tmp_path)
    with pytest.raises(UserError, match=WRONG_VALUES[expression]) as caught:
        scorer("p", "w", "a", "data row 12")
    assert one_line(caught).startswith(f"scorer `{scorer.where}`, data row 12: ")


def test_bounds_are_those_of_the_function(tmp_path: Path) -> None:
    unbounded = returning("-7e9", tmp_path, "score.lowest, score.highest = float('-inf'), float('inf')")
    assert unbounded("", "", "") == -7e9
    assert (unbounded.lowest, unbounded.highest) == (-math.inf, math.inf)
    with pytest.raises(UserError, match=r"it returned 11, outside -5 to 10; .*`FUNCTION\.lowest`"):
        returning("11", tmp_path, "score.lowest, score.highest = -5, 10")("", "", "")


WRONG_ATTRIBUTES = {
    "score.lowest = 2": r"`lowest` is 2 and `highest` 1; lowest must be below",
    "score.highest = 0": r"`lowest` is 0 and `highest` 0",
    "score.highest = '9'": r"its `highest` is something of type str; give a number",
    "score.lowest = float('nan')": r"its `lowest` is nan; give a number",
    "score.title = 7": r"its `title` is something of type int; give one line of text",
    "score.title = 'a\\nb'": r"its `title` is something of type str; give one line of text",
    "score.title = ' '": r"its `title` is something of type str; give one line of text",
}


@pytest.mark.parametrize("line", WRONG_ATTRIBUTES)
def test_wrong_attributes(line: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"def score(prompt, wanted, written):\n    return 1\n{line}\n")
    assert re.search(WRONG_ATTRIBUTES[line], refused("mine.py:score", tmp_path))


WRONG_ARGUMENTS = {
    "(wanted, written)": r"its arguments are \(wanted, written\); it is called with three texts: prompt,",
    "()": r"its arguments are \(\); it is called",
    "(a, b, c, d)": r"its arguments are \(a, b, c, d\); it is called",
    "(a, b, *, c)": r"its arguments are \(a, b, \*, c\)",
}


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS)
def test_wrong_arguments(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"def score{arguments}:\n    return 1\n")
    assert re.search(WRONG_ARGUMENTS[arguments], refused("mine.py:score", tmp_path))


WRONG_NAMES = {
    "mien.py:half": r"no file .*mien\.py; did you mean `mine\.py`\?",
    "nowhere/at_all.py:half": r"no file .*at_all\.py; check the path",
    "mine.py:hlaf": r"the file has no function `hlaf`; did you mean `half`\?",
    "mine.py:zzz": r"the file has no function `zzz`; its functions are half, points",
    "mine.py:": r"the file has no function ``",
    "mine.py:annotations": r"`annotations` is a _Feature; name a function",
    "mine.py": r"name the function behind a colon, as in `mine\.py:score`",
    "empty.py:score": r"the file has no function `score`; it has none",
    "folder.py:score": r"folder\.py cannot be read \(Is a directory\); name a file",
    "circle.py:score": r"circle\.py cannot be .*name a file",
    "nul\0.py:score": r"cannot be a path \(.*null.*\); name a file",
    "module:function": r"`module` is no \.py file; a score of your own is `FILE\.py:FUNCTION`",
    "no_such": r"`no_such` unknown; a score of your own is `FILE\.py:FUNCTION`, or a name that a package adds",
    "chrf": r"`chrf` is built in; a score of your own is",
}


@pytest.mark.parametrize("where", WRONG_NAMES)
def test_wrong_names(where: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "circle.py").symlink_to("circle.py")
    assert re.search(WRONG_NAMES[where], refused(where, tmp_path))


WRONG_FILES = {
    "def score(:\n": r"mine\.py cannot be loaded \(SyntaxError: invalid syntax \(mine\.py, line 1\)\); mend the file",
    "\n\nimport no_such_module\n": r"cannot be loaded \(ModuleNotFoundError: .* 'no_such_module' \(line 3\)\)",
    "raise SystemExit(2)\n": r"cannot be loaded \(SystemExit: 2 \(line 1\)\)",
    "x = '\udcff'\n": r"cannot be loaded \(SyntaxError: .*utf-8",
    "x = '\0'\n": r"cannot be loaded \((ValueError|SyntaxError): source code string cannot contain null bytes",
}


@pytest.mark.parametrize("source", WRONG_FILES)
def test_a_file_that_fails(source: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(source.encode("utf-8", "surrogateescape"))
    before = set(sys.modules)
    assert re.search(WRONG_FILES[source], refused("mine.py:score", tmp_path))
    assert not {name for name in set(sys.modules) - before if name.startswith("showdown_scorer")}


def install(folder: Path, package: str, points: str) -> None:
    """What an installer leaves: a module and a folder of facts about it."""
    (folder / f"{package}.py").write_text(
        "def overlap(prompt, wanted, written): return wanted == written\nnumber = 3\n"
    )
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[showdown.scorers]\n{points}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_a_package_adds_a_score(site: Path) -> None:
    install(site, "scores_one", "overlap = scores_one:overlap")
    scorer = load_scorer("overlap", site)
    assert scorer("p", "a", "a") == 1.0
    assert (scorer.sha256, scorer.package, scorer.title) == (None, "scores_one 1.2", "overlap")
    assert "did you mean `overlap`" in refused("overlpa", site)


BROKEN = {
    "number = scores_two:number": r"`number` of the package `scores_two 1\.2` cannot be used: .* is no function",
    "gone = scores_two:gone": r"`gone` of the package `scores_two 1\.2` cannot be loaded \(AttributeError",
    "chrf = scores_two:overlap": r"`chrf`: the package `scores_two 1\.2` adds one of the same name as a built-in one",
}


@pytest.mark.parametrize("point", BROKEN)
def test_a_package_that_cannot_be_used(point: str, site: Path) -> None:
    install(site, "scores_two", point)
    assert re.search(BROKEN[point], refused(point.partition(" ")[0], site))
