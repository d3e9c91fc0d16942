"""Influence of each test row on a metric of labels, so that every metric is tested as a mean over rows."""

from typing import TYPE_CHECKING

import numpy as np

from showdown.core.metric import METRICS, Metric
from showdown.verdict.classification.answers import Answers, answers_of
from showdown.verdict.outcomes import ArmOutcomes, Floats, RowValues

if TYPE_CHECKING:
    from showdown.core.metric import OfCounts
    from showdown.verdict.outcomes import Ints

_NUMBERS_AT_ONCE = 2_000_000
"""Counts held at once while single rows are left out."""
_TWO = 2
"""An answer can be wrong: there is another label, even where the test rows have none of it."""


def influence_of(metric: Metric, part: Answers) -> RowValues:
    """Compute a metric of labels and what each test row is worth to it.

    Args:
        metric: with its place among the labels where it is of one, see `Metric.at`.
        part: the answers, with that label's scores where the metric goes by their order.

    """
    if metric.of_counts is None:
        assert part.scores is not None
        true = np.asarray(part.true == metric.place)
        found = [_average_precision(true, scores) for scores in part.scores]
        weight = len(true) / max(1, int(true.sum()))
    else:
        labels = max(_TWO, int(max(part.true.max(), part.predicted.max(), metric.place or 0)) + 1)
        found = [_of_counts(metric, part.true, predicted, labels) for predicted in part.predicted]
        weight = _weight(metric, np.bincount(part.true, minlength=labels).astype(np.float64))
    return RowValues(
        by_seed=np.array([full for full, _ in found]),
        values=np.stack([_pseudo_values(full, left_out) for full, left_out in found]),
        weight=weight,
        lowest=metric.lowest,
        highest=metric.highest,
    )


def scores_of(row: ArmOutcomes) -> dict[str, float]:
    """Return every metric of all labels by its key: the mean over seeds, and over repeats where splits are repeated."""
    every = [metric for metric in METRICS.values() if metric.is_of_all_labels]
    return {
        metric.key: float(np.mean([_metric_of_seeds(metric, part).mean() for part in answers_of(row).values()]))
        for metric in every
    }


def _metric_of_seeds(metric: Metric, part: Answers) -> Floats:
    """Return a metric that follows from counts: shape (seeds,)."""
    labels = int(max(part.true.max(), part.predicted.max())) + 1
    true = np.bincount(part.true, minlength=labels).astype(np.float64)
    predicted = np.stack([np.bincount(one, minlength=labels) for one in part.predicted]).astype(np.float64)
    right = np.stack([np.bincount(part.true[part.true == one], minlength=labels) for one in part.predicted])
    return np.asarray(_function(metric)(true[None], predicted, right.astype(np.float64)))


def _pseudo_values(full: float, left_out: Floats) -> Floats:
    """Return what each row is worth, from the metric without it."""
    return np.asarray(full + (len(left_out) - 1) * (left_out.mean() - left_out), dtype=np.float64)


def _of_counts(metric: Metric, true: "Ints", predicted: "Ints", labels: int) -> tuple[float, Floats]:
    """Return the metric of one seed, and of it with each row left out: rows with equal answers leave out the same."""
    function = _function(metric)
    right = true[true == predicted]
    counts = [np.bincount(found, minlength=labels).astype(np.float64) for found in (true, predicted, right)]
    cells, cell_of_row = np.unique(true * labels + predicted, return_inverse=True)
    left_out = np.empty(len(cells))
    for start in range(0, len(cells), step := max(1, _NUMBERS_AT_ONCE // labels)):
        truth, text = np.divmod(cells[start : start + step], labels)
        without = [np.repeat(found[None], len(truth), axis=0) for found in counts]
        each = np.arange(len(truth))
        without[0][each, truth] -= 1
        without[1][each, text] -= 1
        without[2][each, truth] -= truth == text
        left_out[start : start + step] = function(*_seen_by(metric, without))
    return float(function(*_seen_by(metric, counts))), left_out[cell_of_row]


def _function(metric: Metric) -> "OfCounts":
    assert metric.of_counts is not None
    return metric.of_counts


def _seen_by(metric: Metric, counts: list[Floats]) -> list[Floats]:
    """Return the counts that a metric goes by: of its label alone, or of all."""
    if metric.place is None:
        return counts
    return [found[..., metric.place : metric.place + 1] for found in counts]


def _weight(metric: Metric, rows: Floats) -> float:
    """Return how much one more answer can change the metric, in units of what it changes accuracy (1 / rows).

    It is that of one more row of a label, right instead of wrong, for a method that finds half of the label's rows and
    is right on all others: what a row can change depends on the labels then, and not on how well a method does.

    Args:
        metric: of counts.
        rows: shape (labels,): test rows of each label.

    """
    function, order = _function(metric), np.argsort(-rows)
    most = 0.0
    for label in np.flatnonzero(rows):
        one, other = np.zeros_like(rows), np.zeros_like(rows)
        one[label] = other[order[1] if order[0] == label else order[0]] = 1.0
        missed = rows[label] / 2
        text, found = rows + missed * (other - one), rows - missed * one
        right = function(*_seen_by(metric, [rows + one, text + one, found + one]))
        wrong = function(*_seen_by(metric, [rows + one, text + other, found]))
        most = max(most, float(right - wrong))
    return most * float(rows.sum() + 1)


def _average_precision(true: "np.typing.NDArray[np.bool_]", scores: Floats) -> tuple[float, Floats]:
    """Return average precision of one seed, and of it with each row left out.

    The mean over the label's rows of the precision among all rows that score at least as high (scikit-learn's
    `average_precision_score`); rows of equal score count together.

    Args:
        true: shape (rows,): has the row the label?
        scores: shape (rows,): of that label.

    """
    group = np.unique(-scores, return_inverse=True)[1]
    hits = np.bincount(group, weights=true)
    rows, found = np.cumsum(np.bincount(group)), np.cumsum(hits)
    wanted = float(hits.sum())
    if wanted == 0:
        return 0.0, np.zeros(len(true))
    parts = hits * found / rows
    before = np.cumsum(parts) - parts
    fewer = np.maximum(rows - 1, 1)
    from_here = _to_the_end(hits * found / fewer)
    after = _to_the_end(hits * (found - 1) / fewer) - hits * (found - 1) / fewer
    here = (hits - 1) * (found - 1) / fewer
    without_other = (before + from_here) / wanted
    without_wanted = (before + here + after) / max(1.0, wanted - 1)
    return float(parts.sum() / wanted), np.where(true, without_wanted[group], without_other[group])


def _to_the_end(parts: Floats) -> Floats:
    return np.asarray(np.cumsum(parts[::-1])[::-1], dtype=np.float64)
