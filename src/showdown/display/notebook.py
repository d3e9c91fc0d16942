"""The live table in a notebook: one output of the cell, drawn anew in its place."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from showdown.core.events import Event
from showdown.core.notebook import html_folded, html_table, text_table
from showdown.display.live import LiveTable

_DRAWN_EVERY_SECONDS = 0.5
"""Drawing costs processor time that the run could use."""


def in_notebook() -> bool:
    """Tell whether this code runs in a notebook: IPython then is there, and has a kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


class NotebookTable(LiveTable):
    """All runs as in the table at a terminal. A line takes its place when the comparison ends."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._handle: Any = None
        self._drawn_at = 0.0

    def data(self, notices: Sequence[str]) -> None:
        """Show the notices folded: the first, and the others when they are asked for."""
        if notices:
            _display(html_folded(notices), "\n".join(notices))

    def show(self) -> None:
        """Draw the table, unless it was drawn just now."""
        now = time.monotonic()
        if now - self._drawn_at >= _DRAWN_EVERY_SECONDS:
            self._drawn_at = now
            cells = self.plain_cells
            self._draw(html_table(self.standing, *cells), f"{self.standing}\n{text_table(*cells)}")

    def event(self, event: Event) -> None:
        """Take in what happened."""
        super().event(event)
        self.show()

    def close(self) -> None:
        """Leave a line in the table's place."""
        if self._handle is not None:
            self._draw(f"<p>{self.standing}</p>", self.standing)
            self._handle = None

    def _draw(self, html: str, text: str) -> None:
        if self._handle is None:
            self._handle = _display(html, text)
        else:
            self._handle.update({"text/html": html, "text/plain": text}, raw=True)


def _display(html: str, text: str) -> Any:
    """Show an output of the cell, and return the handle by which it is replaced."""
    shown = {"text/html": html, "text/plain": text}
    return sys.modules["IPython"].display.display(shown, raw=True, display_id=True)
