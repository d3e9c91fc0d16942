"""The comparison table at a terminal, or as plain lines where the output is none."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table as RichTable

from showdown.core.record import Results
from showdown.report.learning_curve import learning_curve
from showdown.report.table import comparison_table
from showdown.verdict.model import Verdict

_ANY_WIDTH = 10_000


def print_table(results: Results, verdict: Verdict, console: Console) -> None:
    """Print the comparison's table with its notes."""
    table = comparison_table(results, verdict)
    console.print()
    for line in table.above:
        console.print(escape(line), highlight=False, style="bold", soft_wrap=not console.is_terminal)
    print_grid(table.headings, table.rows, console, leaving=table.leaving_order)
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
        console.print(f"\n{curve.title}", style="bold")
        print_grid(curve.headings, curve.rows, console)
        console.print(escape(curve.sentence), highlight=False, soft_wrap=not console.is_terminal)


def print_grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    left: int = 1,
    leaving: Sequence[str] = (),
    elsewhere: str = "see the report",
) -> None:
    """Print a table. At a terminal columns are left out where they do not fit, and named; elsewhere all are there.

    Args:
        headings: one a column.
        rows: cells.
        console: where to.
        left: how many columns, from the first on, are of text.
        leaving: headings of the columns that are left out first.
        elsewhere: where those that were left out can be seen.

    """
    kept = (
        fitting(headings, rows, console, left=left, leaving=leaving)
        if console.is_terminal
        else list(range(len(headings)))
    )
    table = grid([headings[place] for place in kept], [[row[place] for place in kept] for row in rows], left=left)
    if not console.is_terminal:
        table.width = _natural_width(table, console)
    console.print(table, soft_wrap=True)
    gone = [heading for place, heading in enumerate(headings) if place not in kept]
    if gone:
        console.print(f"No room here for {', '.join(gone)}: {elsewhere}, or widen the window.", highlight=False)


def fitting(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    left: int = 1,
    leaving: Sequence[str] = (),
) -> list[int]:
    """Return the places of the columns that fit the terminal whole, its first columns of text and one more at least.

    Columns are left out in the order of ``leaving``, then from the right.
    """
    named = [headings.index(heading) for heading in leaving if heading in headings[left + 1 :]]
    others = [place for place in reversed(range(left + 1, len(headings))) if place not in named]
    kept = list(range(len(headings)))
    for place in [*named, *others]:
        table = grid([headings[at] for at in kept], [[row[at] for at in kept] for row in rows], left=left)
        if _natural_width(table, console) <= console.width:
            break
        kept.remove(place)
    return kept


def _natural_width(table: RichTable, console: Console) -> int:
    """Return how many columns of the screen a table takes where nothing in it is cut or wrapped."""
    return Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).maximum


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> RichTable:
    """Return a table whose first ``left`` columns are text and whose others are numbers."""
    grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        # A heading of several words stands on two lines, so that the table fits eighty columns. Where the last columns
        # do not fit, text is wrapped, and numbers never.
        text = index < left
        grid.add_column("\n".join(heading.rsplit(" ", 1)), justify="left" if text else "right", no_wrap=not text)
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    return grid
