"""The comparison table at a terminal, or as plain lines where the output is none."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from showdown.core.record import Results
from showdown.report.learning_curve import learning_curve
from showdown.report.table import comparison_table
from showdown.verdict.model import Verdict


def print_table(results: Results, verdict: Verdict, console: Console) -> None:
    """Print the comparison's table with what stands above and below it."""
    table = comparison_table(results, verdict)
    console.print()
    for line in table.above:
        console.print(escape(line), highlight=False, style="bold", soft_wrap=not console.is_terminal)
    console.print(grid(table.headings, table.rows), soft_wrap=True)
    for line in table.footnotes:
        console.print(escape(line), highlight=False, soft_wrap=not console.is_terminal)
    for line in table.verdict:
        console.print(f"* {escape(line)}", highlight=False, soft_wrap=not console.is_terminal)
    console.print("\nRecommendation", style="bold")
    for line in table.recommendation:
        console.print(f"* {escape(line)}", highlight=False, soft_wrap=not console.is_terminal)
    console.print()
    for line in table.below:
        console.print(escape(line), highlight=False, soft_wrap=not console.is_terminal)
    curve = learning_curve(results, verdict.curve)
    if curve:
        console.print("\nAccuracy % by training rows", style="bold")
        console.print(grid(curve.headings, curve.rows), soft_wrap=True)
        console.print(escape(curve.sentence), highlight=False, soft_wrap=not console.is_terminal)


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> RichTable:
    """Return a table whose first ``left`` columns are text and whose others are numbers."""
    grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        # A heading of several words stands on two lines, so that the table fits eighty columns.
        grid.add_column("\n".join(heading.rsplit(" ", 1)), justify="left" if index < left else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    return grid
