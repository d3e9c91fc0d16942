"""The notebooks: what they call is there, one cell is to be changed, and their pages are of these notebooks."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import showdown
from notebook_cells import NOTEBOOKS, cells
from pretrained import Pretrained
from report.traced_comparison import write_traced
from showdown.core.record import RunRecord
from showdown.planning.planned import Planned

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "notebooks"
DEFAULT = "all-minilm-l6-v2"
MOST_PICTURE_BYTES = 100_000
of_each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.stem))


def code(path: Path) -> list[str]:
    return [cell.source for cell in cells(path) if not cell.is_text]


def calls_of(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a method of that name."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
    ]


@of_each
def test_a_notebook_is_short_and_has_one_cell_to_change(path: Path) -> None:
    assert 5 <= len(code(path)) <= 10
    first, second, *others = code(path)
    assert first.splitlines()[-1] == f'MODEL = "{DEFAULT}"'
    assert first == code(NOTEBOOKS[0])[0]
    assert second == code(NOTEBOOKS[0])[1], "all five have the same rows and protocol"
    assert DEFAULT not in "".join([second, *others])
    assert "MODEL =" not in "".join([second, *others])


@of_each
def test_a_notebook_calls_what_is_there(path: Path, figures: set[str]) -> None:
    tree = ast.parse("\n".join(code(path)))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["from showdown import Comparison"]
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    known = {"comparison": showdown.Comparison, "plan": Planned}
    for node in attributes:
        if isinstance(node.value, ast.Name) and node.value.id in known:
            assert not node.attr.startswith("_")
            assert hasattr(known[node.value.id], node.attr) or node.attr in Planned.model_fields
    assert {ast.literal_eval(call.args[0]) for call in calls_of(tree, "plot")} <= figures
    columns = [
        one
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "comparison.frame()"
        for one in ast.literal_eval(node.slice)
    ]
    assert not [
        one
        for one in columns
        if not any(f"{one}_".startswith(f"{key.removesuffix('_gb')}_") for key in RunRecord.model_fields)
    ]


def test_the_comparison_of_the_notebooks_can_be_made() -> None:
    names: dict[str, Any] = {}
    for source in code(NOTEBOOKS[-1])[:2]:
        exec(source, names)
    (methods,) = re.findall(r"METHODS = (.*)", "\n".join(code(NOTEBOOKS[-1])))
    made = showdown.Comparison("resumes", methods=ast.literal_eval(methods), **names["SETTING"])
    assert made.definition.model.id == DEFAULT
    assert list(made.definition.methods) == ast.literal_eval(methods)
    assert made.output == Path("showdown-out/notebooks")


@of_each
def test_a_page_is_of_its_notebook(path: Path) -> None:
    page = (PAGES / f"{path.stem}.md").read_text(encoding="utf-8")
    place = 0
    for cell in cells(path):
        shown = cell.source if cell.is_text else f"```python\n{cell.source}\n```"
        place = page.find(shown, place)
        assert place >= 0, f"run `make notebooks`: {shown[:60]}"
    assert "Error" not in page


def test_pictures_are_those_of_the_pages_and_small() -> None:
    linked = {
        found
        for path in PAGES.glob("*.md")
        for found in re.findall(r"\]\(images/([^)]+)\)", path.read_text(encoding="utf-8"))
    }
    assert linked == {file.name for file in (PAGES / "images").iterdir()}
    assert all(file.stat().st_size < MOST_PICTURE_BYTES for file in (PAGES / "images").iterdir())


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the figures of a finished comparison with all that figures are made of."""
    folder = tmp_path_factory.mktemp("traced") / "out"
    write_traced(folder)
    return set(showdown.Comparison("resumes", output=folder).figures())


def executed(path: Path, model: Path, folder: Path) -> str:
    found = subprocess.run(
        [sys.executable, ROOT / "tests" / "notebook_cells.py", path, model],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return found.stdout


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_all_notebooks_run_on_a_model_of_another_family(pretrained: Pretrained, tmp_path: Path) -> None:
    """A tiny network of Mistral's kind: one cell is changed. `make notebooks` runs them on the default model."""
    for path in NOTEBOOKS:
        assert executed(path, pretrained("mistral"), tmp_path)
    assert (tmp_path / "winner").is_dir()
    assert (tmp_path / "showdown-out" / "notebooks" / "report.html").is_file()
