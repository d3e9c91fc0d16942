"""Which display suits an output: a live table of all runs at a terminal, plain lines elsewhere."""

from rich.console import Console

from showdown.display.live import LiveTable
from showdown.display.plain import PlainLines


def display_for(console: Console) -> PlainLines:
    """Return the live table at a terminal, plain lines elsewhere."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)
