"""Which display suits an output: a live table of all runs at a terminal or in a notebook, plain lines elsewhere."""

from rich.console import Console

from showdown.display.live import LiveTable
from showdown.display.notebook import NotebookTable, in_notebook
from showdown.display.plain import PlainLines


def display_for(console: Console) -> PlainLines:
    """Return the live table at a terminal or in a notebook, plain lines elsewhere."""
    if in_notebook():
        return NotebookTable(console)
    return LiveTable(console) if console.is_terminal else PlainLines(console)
