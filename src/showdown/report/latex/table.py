"""The comparison table in LaTeX."""

from pathlib import Path

from showdown.core.files import write_text
from showdown.core.record import Results
from showdown.report.latex.escape import latex, latex_prose
from showdown.report.table import Table, comparison_table
from showdown.verdict.model import Verdict

_LONG_TITLE = 30
"""Characters beyond which a title is set on several lines."""
_MOST_HEADINGS = 12
"""Of a table whose columns all stand beside each other."""


def write_table(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `table.tex` into the comparison's folder and return its path."""
    path = folder / "table.tex"
    needs = (
        r"% In the preamble: \usepackage[T1]{fontenc} \usepackage{booktabs,graphicx}"
        "\n"
        r"% In the text: \input{table}, and \ref{tab:showdown}"
        "\n"
    )
    write_text(path, needs + latex_table(comparison_table(results, verdict), caption=results.name))
    return path


def latex_table(table: Table, *, caption: str) -> str:
    """Return a floating table with its caption and how to read it.

    One of many columns is set in two halves, one below the other; one that is too wide is scaled to the line.
    """
    words = " ".join([latex(f"{caption}."), *map(latex_prose, table.above)])
    notes = " ".join(map(latex_prose, (*table.marks, *table.reading)))
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering\small\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{words}}}\label{{tab:showdown}}\smallskip",
            *(line for columns in _halves(len(table.headings)) for line in _fitted(_tabular(table, columns))),
            rf"\parbox{{\linewidth}}{{\footnotesize {notes}}}",
            r"\end{table}",
            "",
        ]
    )


def _halves(headings: int) -> list[range]:
    """Return which columns behind the titles stand beside each other."""
    if headings <= _MOST_HEADINGS:
        return [range(1, headings)]
    middle = 1 + headings // 2
    return [range(1, middle), range(middle, headings)]


def _fitted(tabular: list[str]) -> list[str]:
    return [
        r"\setbox0=\hbox{%",
        *tabular,
        r"}%",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\box0\fi\par\smallskip",
    ]


def _tabular(table: Table, columns: range) -> list[str]:
    """Return the titles with some columns; the second half is without rows that have no scores."""
    long = max((len(row[0]) for row in table.rows), default=0) > _LONG_TITLE
    first = r"p{0.3\linewidth}" if long else "l"
    parts = [_two_lines(table.headings[place]) for place in (0, *columns)]
    rows = [place for place, row in enumerate(table.rows) if 1 in columns or any(row[2:])]
    return [
        rf"\begin{{tabular}}{{@{{}}{first}{'r' * len(columns)}@{{}}}}",
        r"\toprule",
        *(" & ".join(latex(part[line]) for part in parts) + r" \\" for line in (0, 1)),
        r"\midrule",
        *(_row(table, place, columns, ragged=long) for place in rows),
        r"\bottomrule",
        r"\end{tabular}%",
    ]


def _two_lines(heading: str) -> tuple[str, str]:
    first, _, second = heading.rpartition(" ")
    return (first, second) if first else (second, "")


def _row(table: Table, place: int, columns: range, *, ragged: bool) -> str:
    row = table.rows[place]
    start = (r"\raggedright " if ragged else "") + latex(row[0])
    if not any(row[2:]):
        return rf"{start} & \multicolumn{{{len(columns)}}}{{l}}{{\emph{{{latex(row[1])}}}}} \\"
    return " & ".join([start, *(_cell(table, place, column, row[column]) for column in columns)]) + r" \\"


def _cell(table: Table, row: int, column: int, text: str) -> str:
    shown = "--" if text == "-" else latex(text)
    if (row, column) in table.best:
        shown = rf"\textbf{{{shown}}}"
    return rf"{shown}\rlap{{$^\dagger$}}" if column == 1 and row in table.near else shown
