"""Several comparisons beside each other at a terminal."""

from rich.console import Console
from rich.markup import escape

from showdown.report.across.beside import Beside
from showdown.report.terminal import print_grid


def print_beside(beside: Beside, console: Console) -> None:
    """Print the table and what differs."""
    wrap = not console.is_terminal
    for line in beside.above:
        console.print(escape(line), highlight=False, style="bold", soft_wrap=wrap)
    print_grid(beside.headings, beside.rows, console, left=2, leaving=beside.leaving_order)
    for line in beside.verdict:
        console.print(f"* {escape(line)}", highlight=False, soft_wrap=wrap)
    labels = beside.differing_headings[2:]
    for key, kind, *values in beside.differing:
        each = "; ".join(f"{value} ({label})" for value, label in zip(values, labels, strict=True))
        console.print(escape(f"Comparisons differ in {key} ({kind}): {each}."), highlight=False, soft_wrap=wrap)
    for line in beside.below:
        console.print(escape(line), highlight=False, soft_wrap=wrap)
