"""What stands above the comparison's table: a leak, how much was tested, and what one test row is worth."""

from showdown.core.metric import ACCURACY, Metric
from showdown.core.prices import three_digits
from showdown.core.record import Results
from showdown.report.notes import some
from showdown.verdict.leak import leak_warning
from showdown.verdict.model import Verdict

_NOTICEABLE_POINTS = 0.1
"""Of accuracy: the last digit that the table shows."""


def one_row(test_rows: int, metric: Metric = ACCURACY) -> str | None:
    """Return the sentence on how much one test row is worth; None for a score that a row can change without bounds."""
    points = 100 / test_rows
    if metric.is_of_writing:
        if not metric.is_bounded:
            return None
        most = metric.size((metric.highest - metric.lowest) / test_rows)
        return f"one row is at most {most} of {metric.title}, so small differences here are noise."
    if metric != ACCURACY:
        return f"one row is {three_digits(float(f'{points:.1g}'))} points of accuracy."
    if points >= _NOTICEABLE_POINTS:
        return f"one row is {points:.1f} points, so small differences here are noise."
    return f"one row is {three_digits(float(f'{points:.1g}'))} points."


def above_table(results: Results, verdict: Verdict) -> list[str]:
    """Return what must be read before the table, a warning of a leak first."""
    lines = []
    if any(run.allow_leakage for run in results.runs):
        lines.append(
            "LEAKAGE ALLOWED: copies of training rows are among the test rows (allow_leakage: true). "
            f"{leak_warning(results.data)}"
        )
    judged = [row for row in verdict.rows if row.score]
    if judged:
        best = max(judged, key=lambda row: row.test_rows)
        counts = f"{some(best.partitions, 'split')}, {some(best.seeds, 'seed')}, {best.test_rows} test rows"
        worth = one_row(best.test_rows, verdict.ranking_metric)
        lines.append(f"{counts}: {worth}" if worth else f"{counts}.")
    return lines
