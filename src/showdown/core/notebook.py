"""Short displays of results for notebooks and the Python prompt."""

from collections.abc import Iterable, Sequence
from html import escape


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a plain-text table: the first column aligned to the left, the others to the right."""
    all_rows = [list(headings), *map(list, rows)]
    widths = [max(len(row[column]) for row in all_rows) for column in range(len(headings))]
    lines = []
    for row in all_rows:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(heading: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table; headings and cells are escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<p>{escape(heading)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_list(heading: str, lines: Iterable[str]) -> str:
    """Return an HTML list; heading and lines are escaped."""
    return f"<p><b>{escape(heading)}</b></p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
