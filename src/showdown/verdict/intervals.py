"""Two-sided 95 % intervals of a mean over test rows, in duplicate groups, and over reruns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.verdict.outcomes import Floats, Ints, Outcomes, RowValues, cluster_index
from showdown.verdict.spread import Reruns, binomial_variance, metric_reruns, row_variance, share_squared

CONFIDENCE = 0.95
_UPPER = 0.5 + CONFIDENCE / 2
_PSEUDO_ROWS = 2


def student_quantile(degrees: float, below: float = _UPPER) -> float:
    """Quantile of Student's distribution with ``below`` of it beneath; of a two-sided 95 % interval by default."""
    return float(special.ndtri(below) if np.isinf(degrees) else special.stdtrit(degrees, below))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A score and its interval, as fractions of 1."""

    value: float
    low: float
    high: float


def wilson(value: float, *, square: float) -> Estimate:
    """Wilson's score interval (Wilson 1927) of a share; never of zero width.

    Args:
        value: the share.
        square: square of the quantile over the number of independent units.

    """
    centre = (value + square / 2) / (1 + square)
    half = np.sqrt(square * (value * (1 - value) + square / 4)) / (1 + square)
    return Estimate(
        value=value, low=float(max(0.0, min(centre - half, value))), high=float(min(1.0, max(centre + half, value)))
    )


def score_interval(value: float, parts: Sequence[tuple[float, float]]) -> Estimate:
    """Interval of a mean score from the parts of its variance.

    Wilson's interval with the effective sample size that the variance implies (Korn and Graubard 1998; found best of
    seven for clustered data by Dean and Pagano 2015): symmetric intervals fail near 100 %. Each part has its own
    quantile, and the squares of the reaches add up (Howe 1974; Graybill and Wang 1980): an interval never widens where
    a part shrinks.

    Args:
        value: the score, from 0 to 1.
        parts: variance over value (1 - value), and degrees of freedom, of each source of chance.

    """
    return wilson(value, square=sum(relative * student_quantile(degrees) ** 2 for relative, degrees in parts))


def rows_share(values: Floats, clusters: Ints, weight: float = 1.0, *, ends: tuple[float, float] = (0.0, 1.0)) -> float:
    """Return the variance of a mean score from the choice of test rows, over value (1 - value).

    With one run it is 1 / clusters or near it, and less with more runs, as far as other rows are wrong in each. Two
    imagined clusters, one all right and one all wrong, keep it from following a handful of wrong answers: it stays at
    1 / clusters where there are few.

    Args:
        values: shape (rows,): mean over the runs.
        clusters: shape (rows,).
        weight: see `RowValues.weight`: each imagined cluster counts as so many.
        ends: what the two imagined clusters score.

    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    size = len(values) / groups
    imagined = _PSEUDO_ROWS * weight
    total = size * (groups + imagined)
    low, high = ends
    mean = (float(values.sum()) + size * weight * (low + high)) / total
    sums = np.bincount(index, weights=values - mean, minlength=groups)
    squares = float((sums**2).sum()) + (size * weight) ** 2 * ((mean - low) ** 2 + (high - mean) ** 2)
    count = groups + _PSEUDO_ROWS
    return squares / total**2 * count / (count - 1) / (mean * (1 - mean)) * (groups + imagined) / groups


def metric_interval(found: RowValues, part: Outcomes, reruns: Reruns) -> Estimate:
    """Interval of an arm's metric, whatever its test rows and seeds.

    With bounds it is `score_interval`, else the estimate and the reach of both sources of chance (see `score_interval`
    for how they combine). Of graded scores the two imagined clusters of `rows_share` score what the worst and the best
    row did.

    Args:
        found: the metric.
        part: what the arm scored.
        reruns: how far its trainings spread, in what `part.values` are.

    """
    clusters = len(np.unique(part.clusters))
    rows = found.values.mean(axis=0)
    value = float(rows.mean()) if found.is_mean else found.value
    spread = metric_reruns(found, reruns, folds=part.folds, clusters=clusters)
    of_reruns = spread.relative * share_squared(part.folds) / len(part.values)
    degrees = max(1.0, clusters / found.weight - 1)
    if not found.is_bounded:
        scale = row_variance(found.values, clusters, lowest=found.lowest, highest=found.highest)
        parts = [(mean_variance(rows, part.clusters), degrees), (of_reruns * scale, spread.degrees)]
        reach = float(np.sqrt(sum(variance * student_quantile(degrees) ** 2 for variance, degrees in parts)))
        return Estimate(value=value, low=max(found.lowest, value - reach), high=min(found.highest, value + reach))
    lowest, scale = found.lowest, found.highest - found.lowest
    shares = (found.values - lowest) / scale
    ends = (float(shares.min()), float(shares.max())) if found.graded else (0.0, 1.0)
    share = rows_share((rows - lowest) / scale, part.clusters, found.weight, ends=ends)
    of_reruns *= graded_share(shares, clusters) if found.graded else 1.0
    inside = score_interval((value - lowest) / scale, [(share, degrees), (of_reruns, spread.degrees)])
    low, high = (lowest + scale * end for end in (inside.low, inside.high))
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def graded_share(shares: Floats, clusters: int) -> float:
    """Return the variance of a graded score of one row in units of that of right and wrong answers, p (1 - p).

    Args:
        shares: shape (seeds, rows), from 0 to 1.
        clusters: independent rows.

    """
    graded = row_variance(shares, clusters, lowest=0.0, highest=1.0, graded=True)
    return graded / binomial_variance(float(shares.mean()), clusters)


def mean_variance(values: Floats, clusters: Ints) -> float:
    """Return the variance of a mean over test rows, whose duplicate groups are the independent units.

    Args:
        values: shape (rows,).
        clusters: shape (rows,).

    """
    index = cluster_index(clusters)
    sums = np.bincount(index, weights=values - values.mean())
    return float((sums**2).sum()) / len(values) ** 2 * len(sums) / max(1, len(sums) - 1)


def jackknife(values: Floats, full: float) -> tuple[float, float]:
    """Return the variance of an estimate and its bias.

    The jackknife's variance is not too small, also where labels are rare (Efron and Stein 1981; bias: Quenouille 1956).

    Args:
        values: shape (clusters,): the estimate with each cluster left out.
        full: the estimate.

    """
    groups = len(values)
    variance = (groups - 1) / groups * float(((values - values.mean()) ** 2).sum())
    return variance, (groups - 1) * (float(values.mean()) - full)


def repeated_interval(
    values: Floats,
    *,
    test_over_train: float,
    clusters: int,
    weight: float = 1.0,
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Estimate:
    """Interval of a score over repeated splits, whose training sets overlap (Nadeau and Bengio 2003).

    The variance between repeats is taken to be at least that of a share of so many independent test rows: a few repeats
    that agree by chance do not narrow it. A score without bounds has no such least variance.

    Args:
        values: shape (repeats,): the mean score of each repeat, at least two.
        test_over_train: test rows for each training row.
        clusters: independent units in a test set.
        weight: see `RowValues.weight`: so many of them tell as much as one does of accuracy.
        lowest: the least value of the score.
        highest: the largest.

    """
    times, degrees, mean = 1 / len(values) + test_over_train, len(values) - 1.0, float(values.mean())
    if not np.isfinite(highest - lowest):
        reach = float(np.sqrt(times * values.var(ddof=1))) * student_quantile(degrees)
        return Estimate(value=mean, low=mean - reach, high=mean + reach)
    scale = highest - lowest
    shares = (values - lowest) / scale
    value = float(shares.mean())
    between = max(float(shares.var(ddof=1)) / binomial_variance(value, clusters), weight / clusters)
    found = score_interval(value, [(times * between, degrees)])
    low, high = (lowest + scale * end for end in (found.low, found.high))
    return Estimate(value=mean, low=low, high=high)
