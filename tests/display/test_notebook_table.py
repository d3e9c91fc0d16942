"""What a notebook shows while a comparison goes: one output that is drawn anew, and a line at the end."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from report.written_comparison import write_comparison
from showdown.core.events import Step, WorkerStarted
from showdown.core.terminal import open_console
from showdown.display import notebook
from showdown.display.display import PlannedRun
from showdown.display.live import LiveTable
from showdown.display.notebook import NotebookTable
from showdown.display.terminal import display_for

HOSTILE = "<img src=x onerror=alert(1)>"


class Cell:
    """Where the outputs of a cell of a notebook go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, kernel: bool = True) -> None:
        self.outputs: list[dict[str, str]] = []
        shell = SimpleNamespace(kernel=object()) if kernel else SimpleNamespace()
        library = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=self.display))
        monkeypatch.setitem(sys.modules, "IPython", library)

    def display(self, shown: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw and display_id
        place = len(self.outputs)
        self.outputs.append(shown)
        return SimpleNamespace(update=lambda newer, raw: self.outputs.__setitem__(place, newer))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    return Cell(monkeypatch)


def planned() -> list[PlannedRun]:
    return [
        PlannedRun(run_id=name, number=place, total=2, name=name, seed=0) for place, name in ((1, "tfidf"), (2, "lora"))
    ]


def test_a_notebook_has_a_table_of_its_own_and_ipython_at_a_terminal_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    Cell(monkeypatch, kernel=False)
    assert not isinstance(display_for(terminal), NotebookTable)
    assert isinstance(display_for(terminal), LiveTable)
    Cell(monkeypatch)
    assert isinstance(display_for(open_console()), NotebookTable)


def test_all_is_drawn_in_one_output_and_a_line_is_left(
    cell: Cell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(notebook, "_DRAWN_EVERY_SECONDS", 0.0)
    records = {run.name: run for run in write_comparison(tmp_path / "out").runs}
    table = NotebookTable(Console(file=io.StringIO()))
    runs = planned()
    table.plan(runs, [records["tfidf"], None])
    table.start(runs[1])
    table.event(WorkerStarted("lora", "train", 1, None))
    table.event(Step("lora", 10, 40, 1, 0.25, 5.0))
    (shown,) = cell.outputs
    assert "<p>1 of 2 runs done, 0:00 elapsed</p>" in shown["text/html"]
    assert "<td>training, epoch 1</td><td>10/40</td><td>0.250</td>" in shown["text/html"]
    assert "10/40" in shown["text/plain"]
    table.finish("lora", records["lora"])
    assert [one["text/html"] for one in cell.outputs] == ["<p>2 of 2 runs done, 0:00 elapsed</p>"]
    table.close()
    assert len(cell.outputs) == 1


def test_drawing_is_rationed(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(notebook.time, "monotonic", lambda: clock[0])
    table = NotebookTable(Console(file=io.StringIO()))
    runs = planned()
    table.plan(runs, [None, None])
    table.start(runs[1])
    table.event(WorkerStarted("lora", "train", 1, None))
    table.event(Step("lora", 10, 40, 1, 0.25, 5.0))
    assert "10/40" not in cell.outputs[0]["text/html"]
    clock[0] += 1.0
    table.event(Step("lora", 20, 40, 1, 0.25, 5.0))
    assert "20/40" in cell.outputs[0]["text/html"]


def test_notices_of_the_data_are_folded_and_escaped(cell: Cell) -> None:
    table = NotebookTable(Console(file=io.StringIO()))
    table.data(["100 rows", HOSTILE])
    table.data([])
    table.data(["one split"])
    folded, single = (one["text/html"] for one in cell.outputs)
    assert folded.startswith("<details><summary>100 rows</summary>")
    assert HOSTILE not in folded
    assert single == "<p>one split</p>"
