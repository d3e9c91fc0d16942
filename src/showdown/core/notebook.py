"""Short displays of results for notebooks and the Python prompt."""

from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
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


def html_table(
    heading: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    bold: Collection[tuple[int, int]] = (),
) -> str:
    """Return an HTML table; headings and cells are escaped. `bold` has row and column of the cells to mark."""

    def shown(row: int, column: int, cell: str) -> str:
        return f"<td><b>{escape(cell)}</b></td>" if (row, column) in bold else f"<td>{escape(cell)}</td>"

    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    body = "".join(
        "<tr>" + "".join(shown(place, column, cell) for column, cell in enumerate(row)) + "</tr>"
        for place, row in enumerate(rows)
    )
    return f"<p>{escape(heading)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_list(heading: str, lines: Iterable[str]) -> str:
    """Return an HTML list; heading and lines are escaped."""
    return f"<p><b>{escape(heading)}</b></p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def html_folded(lines: Sequence[str]) -> str:
    """Return the first line, behind which the others unfold; all are escaped."""
    first, *others = map(escape, lines)
    folded = "".join(f"<li>{line}</li>" for line in others)
    return f"<details><summary>{first}</summary><ul>{folded}</ul></details>" if folded else f"<p>{first}</p>"


def html_picture(svg: str, words: str, caption: str) -> str:
    """Return an SVG with its caption as HTML, drawn apart from the page; `words` are for those who cannot see it."""
    drawn = b64encode(svg.encode()).decode()
    picture = f'<img src="data:image/svg+xml;base64,{drawn}" alt="{escape(words)}">'
    return f"{picture}<p>{escape(caption)}</p>"
