"""The final table at a terminal: no digit is cut at any width, columns go first, and lines break between words."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from written_comparison import METHODS, write_comparison

from showdown.core.record import Results
from showdown.display.plain import PlainLines
from showdown.report.table import comparison_table
from showdown.report.terminal import fitting, print_table
from showdown.verdict.summary import judge


def slow(results: Results) -> Results:
    """Give every number of the table many digits."""
    runs = [
        run.model_copy(
            update={
                "train_seconds": 31_471.0,
                "total_seconds": 131_471.0,
                "latency_p50_ms": 12_345.0,
                "model_size_mb": 14_221.6,
            }
        )
        for run in results.runs
    ]
    return results.model_copy(update={"runs": runs})


def printed(
    folder: Path, width: int, *, terminal: bool = True, long: bool = False
) -> tuple[list[str], list[list[str]]]:
    methods = {f"{name}-with-a-long-name": row for name, row in METHODS.items()} if long else METHODS
    results = slow(write_comparison(folder / f"out{width}{terminal}{long}", methods=methods))
    verdict = judge(results, folder / f"out{width}{terminal}{long}")
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, no_color=True, color_system=None)
    print_table(results, verdict, console)
    return console.file.getvalue().splitlines(), comparison_table(results, verdict).rows


def table_lines(lines: list[str]) -> list[str]:
    """Lines from the table's rule to its end."""
    rule = next(place for place, line in enumerate(lines) if set(line.strip()) == {"\u2500"})
    return lines[
        rule + 1 : rule + 1 + next(i for i, line in enumerate(lines[rule + 1 :]) if not line.strip() or line[0] == "*")
    ]


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_number_is_cut_at_any_width(tmp_path: Path, width: int, long: bool) -> None:
    lines, rows = printed(tmp_path, width, long=long)
    assert not any("\u2026" in line for line in lines)
    assert all(len(line) <= width for line in table_lines(lines))
    whole = {cell for row in rows for cell in row[1:]}
    text = "\n".join(table_lines(lines))
    assert {row[1] for row in rows} <= set(text.split())
    numbers = {word for word in text.split() if word[0].isdigit()}
    assert numbers <= {part for cell in whole for part in cell.split()}


def test_what_a_narrow_terminal_leaves_out_is_named(tmp_path: Path) -> None:
    narrow, rows = printed(tmp_path, 80)
    assert any(line.startswith("No room here for Total s, Trained params") for line in narrow)
    assert "31471" in "\n".join(narrow)
    wide, _ = printed(tmp_path, 200)
    assert not any("No room here" in line for line in wide)
    assert all(cell in " ".join(table_lines(wide)) for row in rows for cell in row)


def test_a_narrower_terminal_loses_the_scores_behind_macro_f1_before_the_interval(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    table = comparison_table(results, judge(results, tmp_path))
    consoles = [Console(file=io.StringIO(), force_terminal=True, width=width) for width in range(120, 20, -1)]
    kept = [
        [table.headings[place] for place in fitting(table.headings, table.rows, console, leaving=table.leaving_order)]
        for console in consoles
    ]
    lost = list(dict.fromkeys(heading for some in kept for heading in table.headings if heading not in some))
    assert kept[0] == table.headings
    assert lost[-3:] == ["MCC", "95 % interval", "Macro F1"]
    assert kept[120 - 80][1:5] == ["Accuracy %", "95 % interval", "Macro F1", "MCC"]


def test_a_pipe_gets_every_column(tmp_path: Path) -> None:
    lines, rows = printed(tmp_path, 60, terminal=False, long=True)
    assert not any("\u2026" in line for line in lines)
    assert all(cell in " ".join(table_lines(lines)) for row in rows for cell in row)


def test_lines_of_the_audit_break_between_words() -> None:
    said = "In a split that ignores copies, 1,234 of 56,789 test rows (2 %) would have been copies of training rows"
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=40)
        PlainLines(console).data([said])
        lines = console.file.getvalue().splitlines()
        assert " ".join(line.strip() for line in lines) == said
        assert (max(map(len, lines)) <= 40) == terminal
