"""The columns of the comparison's table, filled with what each row has."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.metric import Metric, Quantity
from showdown.core.record import RunRecord
from showdown.report.columns import INTERVAL, Column
from showdown.verdict.model import ArmVerdict


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A column with what it holds of each arm."""

    heading: str
    quantity: Quantity | None
    """What the values are of; None where none of them is marked."""
    values: list[float | None]
    cells: list[str]


def score_columns(arms: Sequence[ArmVerdict], metric: Metric, others: Sequence[Metric]) -> list[Filled]:
    """Fill the columns of the verdict's metric, of its interval, and of the metrics that stand beside it."""
    scores = [arm.score for arm in arms]
    intervals = [
        "-" if score is None or score.low is None or score.high is None else metric.short_ends(score.low, score.high)
        for score in scores
    ]
    interval = Filled(heading=INTERVAL, quantity=None, values=[None] * len(arms), cells=intervals)
    return [
        _of_metric(metric, [score.value if score else None for score in scores]),
        interval,
        *(_of_metric(other, [arm.scores.get(other.key) for arm in arms]) for other in others),
    ]


def _of_metric(metric: Metric, values: list[float | None]) -> Filled:
    cells = ["-" if value is None else metric.cell(value) for value in values]
    return Filled(heading=metric.heading, quantity=metric, values=values, cells=cells)


def measured(column: Column, runs: Sequence[Sequence[RunRecord]]) -> Filled:
    """Fill a column with the mean over the completed runs of each arm.

    Args:
        column: what is measured.
        runs: those of each arm, in the order of the table.

    """
    values = [_mean(column, found) for found in runs]
    return Filled(
        heading=column.heading,
        quantity=Quantity(key=column.heading, title=column.heading, direction=column.direction),
        values=values,
        cells=["-" if value is None else column.show(value) for value in values],
    )


def _mean(column: Column, runs: Sequence[RunRecord]) -> float | None:
    values = [value for run in runs if run.status == "completed" and (value := column.value(run)) is not None]
    return fmean(values) if values else None
