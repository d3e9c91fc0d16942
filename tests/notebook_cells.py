"""Notebooks as they are kept, read and executed without Jupyter.

    python tests/notebook_cells.py notebooks/01_setup_and_baseline.py MODEL

executes one on another model, as a notebook would: what the last line of a cell gives is shown.
"""

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
_CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A cell of text or of code."""

    is_text: bool
    source: str
    """Of a text without the signs that make it a comment."""


def cells(path: Path) -> list[Cell]:
    """Return the cells of a notebook in jupytext's percent format, without its header."""
    _, *parts = _CELL.split(path.read_text(encoding="utf-8"))
    found = []
    for kind, body in zip(parts[::2], parts[1::2], strict=True):
        lines = body.strip().splitlines()
        assert not kind or all(line.startswith("#") for line in lines), f"{path.name}: a text has a line of code"
        found.append(Cell(bool(kind), "\n".join(re.sub("^# ?", "", line) if kind else line for line in lines)))
    return found


def execute(path: Path, model: str) -> None:
    """Execute the cells of a notebook on another model, which takes the place of what its first cell of code names."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = [cell.source for cell in cells(path) if not cell.is_text]
    for source in [f"MODEL = {model!r}", *code[1:]]:
        *before, last = ast.parse(source).body
        shows = isinstance(last, ast.Expr)
        exec(compile(ast.Module([*before] if shows else [*before, last], []), path.name, "exec"), names)
        if shows:
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
            shown = getattr(value, "_repr_html_", value.__repr__)()
            print(shown[:200])


if __name__ == "__main__":
    execute(Path(sys.argv[1]), sys.argv[2])
