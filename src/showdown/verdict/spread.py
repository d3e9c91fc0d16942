"""The spread between trainings that differ in their seed alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import special

from showdown.core.metric import ACCURACY, Metric
from showdown.verdict.outcomes import KEPT, ArmOutcomes, Floats, Ints, Outcomes, RowValues

PRIOR_SPREAD = 0.0225
"""Standard deviation of accuracy between reruns that is assumed before any is seen, at an accuracy of 50 %.

Two reruns of one setting in PEFT's own method comparison, whose accuracies are near 50 %, differ by a median of 2.0
points, which for normal reruns is a standard deviation of 2.0 / (0.6745 * sqrt(2)) = 2.1 points; a little more is
assumed. At other accuracies p its square goes with p (1 - p): 1.8 points at 80 %, 1.0 at 95 %. Reruns of BERT on small
sets spread alike (Dodge et al., arXiv 2002.06305).
"""
PRIOR_WORTH = 4.0
"""What is expected of a method weighs as much as this many degrees of freedom (reruns beyond the first) of its own."""
NARROWING_WORTH = 1.0
"""The same where more was seen than was expected: what is expected shall not hide it."""
COMPARISON_WORTH = 1.0
"""`PRIOR_SPREAD` weighs as much as this many degrees of freedom of the comparison's other methods."""
_PRIOR_RELATIVE = PRIOR_SPREAD**2 / 0.25
_MOST_FROM_OTHERS = 4 * _PRIOR_RELATIVE
"""A method that spreads more than twice as far as assumed, as one whose runs collapse, tells no more of others."""
_PLAIN = 0.001
"""Chance at which folds of one seed differ as much by their rows alone."""


def assumed_points(accuracy: float) -> float:
    """Return the standard deviation between reruns that is assumed at an accuracy, in points."""
    return 100 * math.sqrt(_PRIOR_RELATIVE * accuracy * (1 - accuracy))


def prior_words(metric: Metric = ACCURACY) -> str:
    """Return the assumption in words: of labels for their accuracy, of written answers for the metric."""
    if not metric.is_of_writing:
        return (
            f"a standard deviation of {assumed_points(0.5):.2f} points at an accuracy of 50 %, "
            f"{assumed_points(0.8):.1f} at 80 %, {assumed_points(0.95):.1f} at 95 %"
        )
    return f"a standard deviation of {100 * math.sqrt(_PRIOR_RELATIVE):.1f} % of that between test rows"


@dataclass(frozen=True, kw_only=True)
class Reruns:
    """The spread of one method's trainings."""

    relative: float
    """Variance of a training's accuracy p, beyond what single rows that flip explain, over p (1 - p). Where it was only
    seen, and is not yet moderated, chance may make it negative."""
    degrees: float
    """Degrees of freedom behind it."""


STEADY = Reruns(relative=0.0, degrees=float("inf"))
"""Every seed answers alike."""


def net_rerun_variance(values: Floats, folds: Ints | None = None) -> float:
    """Variance of one training's accuracy between seeds, beyond what single rows that flip explain.

    Two-way analysis of variance of runs and rows, fold by fold and averaged over them: the variance between the runs'
    accuracies less the residual mean square over the number of rows. Chance may make it negative.

    Args:
        values: shape (seeds, rows), at least two seeds.
        folds: shape (rows,): which training of each seed answered a row; None where one answered all.

    """
    if folds is None:
        return _net_of_flips(values)
    return float(np.mean([_net_of_flips(values[:, folds == fold]) for fold in np.unique(folds)]))


def _net_of_flips(values: Floats) -> float:
    return float(values.mean(axis=1).var(ddof=1) - _flips(values) / values.shape[1])


def _flips(values: Floats) -> float:
    runs, rows = values.shape
    if rows < 2:
        return 0.0
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((residual**2).sum() / ((runs - 1) * (rows - 1)))


def flip_variance(values: Floats, folds: Ints | None = None) -> float:
    """Variance of one answer to one row between seeds, beyond a rise or fall of all; 0 with one seed.

    Args:
        values: shape (seeds, rows).
        folds: see `net_rerun_variance`.

    """
    if len(values) < 2:
        return 0.0
    if folds is None:
        return _flips(values)
    return float(np.mean([_flips(values[:, folds == fold]) for fold in np.unique(folds)]))


def fold_variance(values: Floats, folds: Ints) -> float | None:
    """Variance of accuracy between folds beyond what their different rows explain, where that is plain.

    It is all that one seed tells of a training that went wrong. Other training rows are in it as well.

    Args:
        values: shape (rows,): the answers of one seed.
        folds: shape (rows,).

    Returns:
        None where folds may differ as much by their rows alone, one time in a thousand (chi-squared), or are too small.

    """
    parts = [values[folds == fold] for fold in np.unique(folds)]
    if len(parts) < 2 or min(len(part) for part in parts) < 2:
        return None
    between = float(np.var([part.mean() for part in parts], ddof=1))
    of_rows = float(np.mean([part.var(ddof=1) / len(part) for part in parts]))
    most = of_rows * float(special.chdtri(len(parts) - 1, _PLAIN)) / (len(parts) - 1)
    return between - of_rows if between > most else None


def binomial_variance(mean: float, clusters: int, *, lowest: float = 0.0, highest: float = 1.0) -> float:
    """Return p (1 - p), with one imagined row at the best value and one at the worst: never zero.

    Args:
        mean: of a metric with bounds, such as accuracy.
        clusters: independent rows.
        lowest: the least value of the metric; p is where the mean lies between that and the highest one.
        highest: the largest value.

    """
    share = (mean - lowest) / (highest - lowest)
    smoothed = (share * clusters + 1) / (clusters + 2)
    return float(smoothed * (1 - smoothed)) * (highest - lowest) ** 2


def row_variance(values: Floats, clusters: int, *, lowest: float, highest: float, graded: bool = False) -> float:
    """Return the variance of what one row scores: the unit in which the spread between reruns is expected.

    With bounds it is p (1 - p), as of right and wrong answers. Of graded scores, and without bounds, it is that of the
    rows; to graded ones an imagined row at the least of their values and one at the largest are added.

    Args:
        values: shape (seeds, rows).
        clusters: independent rows.
        lowest: the least value that a row can have; minus infinity for none.
        highest: the largest.
        graded: values lie between the bounds: rows are neither right nor wrong.

    """
    if graded:
        ends = np.repeat([[values.min(), values.max()]], len(values), axis=0)
        return float(np.concatenate([values, ends], axis=1).var(axis=1).mean())
    if math.isfinite(highest - lowest):
        return binomial_variance(float(values.mean()), clusters, lowest=lowest, highest=highest)
    return float(values.var(axis=1, ddof=1).mean()) if values.shape[1] > 1 else 0.0


@lru_cache(maxsize=KEPT)
def seen_reruns(part: Outcomes) -> Reruns | None:
    """Return how far the seeds of a method spread; None with one seed."""
    seeds = len(part.values)
    if seeds < 2:
        return None
    folds = 1 if part.folds is None else len(np.unique(part.folds))
    relative = _relative(net_rerun_variance(part.values, part.folds), _row_variance_of(part))
    return Reruns(relative=relative, degrees=float(folds * (seeds - 1)))


def _row_variance_of(part: Outcomes) -> float:
    clusters = len(np.unique(part.clusters))
    return row_variance(part.values, clusters, lowest=part.lowest, highest=part.highest, graded=part.graded)


def _relative(variance: float, scale: float) -> float:
    """Return a variance between reruns in units of that of a row; 0 where all rows score alike."""
    return variance / scale if scale > 0.0 else 0.0


def moderated(own: Reruns | None, others: Sequence[Reruns] = ()) -> Reruns:
    """Average what a method's reruns showed with what is known beforehand, weighted by degrees of freedom.

    The moderated variance of Smyth (2004): what is known beforehand is estimated from the other trained methods of the
    comparison, together with `PRIOR_SPREAD`, and weighs as much as `PRIOR_WORTH` degrees of freedom. With one seed it
    stands alone.

    Args:
        own: what was seen of the method; None with one seed.
        others: what was seen of the other trained methods of the comparison.

    """
    told = [(other.degrees, min(other.relative, _MOST_FROM_OTHERS)) for other in others]
    total = COMPARISON_WORTH * _PRIOR_RELATIVE + sum(degrees * relative for degrees, relative in told)
    prior = max(0.0, total) / (COMPARISON_WORTH + sum(degrees for degrees, _ in told))
    return weighed(prior, own)


def weighed(prior: float, own: Reruns | None) -> Reruns:
    """Average what was expected, at `PRIOR_WORTH`, with what was seen."""
    if own is None:
        return Reruns(relative=prior, degrees=PRIOR_WORTH)
    worth = PRIOR_WORTH if own.relative <= prior else NARROWING_WORTH
    relative = max(0.0, worth * prior + own.degrees * own.relative) / (worth + own.degrees)
    return Reruns(relative=relative, degrees=PRIOR_WORTH + own.degrees)


def metric_reruns(found: RowValues, reruns: Reruns, *, folds: Ints | None, clusters: int) -> Reruns:
    """Return how far a metric spreads between trainings: as accuracy does, until its own reruns say otherwise.

    Args:
        found: the metric.
        reruns: how far the accuracy of these trainings spreads, in proportion to p (1 - p).
        folds: see `net_rerun_variance`.
        clusters: independent rows.

    """
    seeds = len(found.values)
    if found.is_mean or seeds < 2 or np.isinf(reruns.degrees):
        return reruns
    scale = row_variance(found.values, clusters, lowest=found.lowest, highest=found.highest)
    own = Reruns(relative=_relative(net_rerun_variance(found.values, folds), scale), degrees=seeds - 1.0)
    return weighed(reruns.relative, own)


def reruns_of(row: ArmOutcomes, among: Sequence[ArmOutcomes] = ()) -> Reruns:
    """Return how far the trainings of an arm spread, moderated by those of the whole comparison.

    Args:
        row: a row whose splits are not repeated.
        among: the rows of the comparison; the row itself and those that answer alike at every seed are passed over.

    """
    part = row.parts[min(row.parts)]
    own = seen_reruns(part)
    if row.traits.deterministic:
        return replace(own, relative=max(0.0, own.relative)) if own else STEADY
    # The same answers may stand in several pairs, and in one under another name.
    different = {id(other.parts): other for other in among}
    seen = [
        seen_reruns(other.parts[min(other.parts)])
        for key, other in different.items()
        if key != id(row.parts) and not other.traits.deterministic and not other.repeated
    ]
    others = [found for found in seen if found]
    return moderated(own, others) if own else _of_one_seed(part, moderated(None, others))


def _of_one_seed(part: Outcomes, expected: Reruns) -> Reruns:
    """Return the expected spread, or more where folds clearly differ by more: one of their trainings went wrong."""
    if part.folds is None:
        return expected
    apart = fold_variance(part.values[0], part.folds)
    if apart is None:
        return expected
    found = Reruns(relative=_relative(apart, _row_variance_of(part)), degrees=len(np.unique(part.folds)) - 1.0)
    return weighed(expected.relative, found)


def share_squared(folds: Ints | None) -> float:
    """Return the sum of the squared shares of the rows that each training answered: 1 / trainings, if alike."""
    if folds is None:
        return 1.0
    counts = np.unique(folds, return_counts=True)[1] / len(folds)
    return float((counts**2).sum())
