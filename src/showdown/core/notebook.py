"""How results show in a notebook and at a Python prompt: short, and whole numbers of a table at a glance."""

from collections.abc import Iterable, Sequence
from html import escape


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines whose columns are aligned, the first to the left and the others to the right."""
    every = [list(headings), *map(list, rows)]
    widths = [max(len(row[place]) for row in every) for place in range(len(headings))]
    lines = []
    for row in every:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(heading: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as HTML, everything in it escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<p>{escape(heading)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_list(heading: str, lines: Iterable[str]) -> str:
    """Return lines as an HTML list, everything in it escaped."""
    return f"<p><b>{escape(heading)}</b></p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
