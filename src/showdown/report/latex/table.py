"""The comparison table in LaTeX."""

from pathlib import Path

from showdown.core.files import write_text
from showdown.core.record import Results
from showdown.report.latex.escape import latex, latex_prose
from showdown.report.table import Table, comparison_table
from showdown.verdict.model import Verdict

_LONG_TITLE = 30
"""Characters beyond which a title is set on several lines."""


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
    """Return a floating table with its caption and how to read it; one that is too wide is scaled to the line."""
    words = " ".join([latex(f"{caption}."), *map(latex_prose, table.above)])
    notes = " ".join(map(latex_prose, (*table.marks, *table.reading)))
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering\small\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{words}}}\label{{tab:showdown}}\smallskip",
            r"\setbox0=\hbox{%",
            *_tabular(table),
            r"}%",
            r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\box0\fi",
            rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {notes}}}",
            r"\end{table}",
            "",
        ]
    )


def _tabular(table: Table) -> list[str]:
    long = max((len(row[0]) for row in table.rows), default=0) > _LONG_TITLE
    first = r"p{0.3\linewidth}" if long else "l"
    parts = [_two_lines(heading) for heading in table.headings]
    return [
        rf"\begin{{tabular}}{{@{{}}{first}{'r' * (len(table.headings) - 1)}@{{}}}}",
        r"\toprule",
        *(" & ".join(latex(part[line]) for part in parts) + r" \\" for line in (0, 1)),
        r"\midrule",
        *(_row(table, place, ragged=long) for place in range(len(table.rows))),
        r"\bottomrule",
        r"\end{tabular}%",
    ]


def _two_lines(heading: str) -> tuple[str, str]:
    first, _, second = heading.rpartition(" ")
    return (first, second) if first else (second, "")


def _row(table: Table, place: int, *, ragged: bool) -> str:
    title, *cells = table.rows[place]
    start = (r"\raggedright " if ragged else "") + latex(title)
    if not any(cells[1:]):
        return rf"{start} & \multicolumn{{{len(cells)}}}{{l}}{{\emph{{{latex(cells[0])}}}}} \\"
    return (
        " & ".join([start, *(_cell(table, place, column, text) for column, text in enumerate(cells, start=1))]) + r" \\"
    )


def _cell(table: Table, row: int, column: int, text: str) -> str:
    shown = "--" if text == "-" else latex(text)
    if (row, column) in table.best:
        shown = rf"\textbf{{{shown}}}"
    return rf"{shown}\rlap{{$^\dagger$}}" if column == 1 and row in table.near else shown
