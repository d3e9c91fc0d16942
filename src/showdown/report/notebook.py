"""A comparison as a notebook shows it: what to take and why, the table, its first figure."""

from showdown.core.notebook import html_list, html_table
from showdown.core.record import Results
from showdown.report.figures.figure import Figure
from showdown.report.table import comparison_table
from showdown.verdict.model import Verdict

_NEAR = " †"


def notebook_html(results: Results, verdict: Verdict, figure: Figure | None) -> str:
    """Return the recommendation, the table with its marks, the sentences of the verdict, and a figure.

    Args:
        results: the comparison.
        verdict: what can be said of it.
        figure: to stand below; None for none.

    """
    table = comparison_table(results, verdict)
    rows = [[*cells] for cells in table.rows]
    for row in table.near:
        rows[row][1] += _NEAR
    return "".join(
        [
            html_list(table.recommendation[0], table.above),
            html_table(results.heading, table.headings, rows, bold=table.best),
            html_list("Verdict", [*verdict.sentences, *table.marks]),
            "" if figure is None else figure._repr_html_(),
        ]
    )
