"""Text, tables and lists in Markdown."""

import re
from collections.abc import Sequence

from showdown.core.terminal import escape_controls

_SPECIAL = str.maketrans({character: f"\\{character}" for character in r"\`*_{}[]<>#|!&"})
_HANDLER = re.compile(r"(\bon\w+\s*)=", re.IGNORECASE)
"""`onerror=` and its like: for a reader that lets raw HTML through."""


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line; control characters of a terminal are escaped."""
    return _HANDLER.sub(r"\1\\=", escape_controls(" ".join(text.split())).translate(_SPECIAL))


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table; all columns but the first ``left`` are set to the right."""
    shown = [[escaped(cell) for cell in row] for row in rows]
    return joined([escaped(heading) for heading in headings], shown, left=left)


def joined(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table of cells that are Markdown already; all columns but the first ``left`` are set to the right."""
    lines = [
        "| " + " | ".join(headings) + " |",
        "|" + " --- |" * left + " ---: |" * (len(headings) - left),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def spaced(parts: Sequence[str]) -> str:
    """Join parts with empty lines between them, but for the items of a list."""
    text = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        both_items = part.startswith("- ") and following.startswith("- ")
        text += part + ("\n" if both_items else "\n\n")
    return text.rstrip() + "\n"
