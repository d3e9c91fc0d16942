"""Two-sided 95 % intervals of accuracy and macro F1 over rows (in duplicate clusters) and reruns."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.verdict.outcomes import Floats, Ints, Outcomes, RowOutcomes
from showdown.verdict.resample import cluster_index, f1_jackknife, macro_f1
from showdown.verdict.spread import net_rerun_variance, row_variance

CONFIDENCE = 0.95
REPLICATES = 1000
"""Bootstrap replicates: enough for a standard error within 2 % (Efron and Tibshirani 1993, section 6.4)."""
_BIAS_SHARE = 0.5
"""Share of the squared bias of macro F1 that widens its interval."""
_UPPER = 0.5 + CONFIDENCE / 2


def student_quantile(degrees: float, below: float = _UPPER) -> float:
    """Quantile of Student's distribution with ``below`` of it beneath; of a two-sided 95 % interval by default."""
    return float(special.stdtrit(degrees, below))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A score and its interval, as fractions of 1."""

    value: float
    low: float
    high: float


def wilson(value: float, *, units: float, quantile: float) -> Estimate:
    """Wilson's score interval (Wilson 1927) of a share seen on ``units`` independent units; never of zero width."""
    square = quantile**2 / units
    centre = (value + square / 2) / (1 + square)
    half = np.sqrt(square * (value * (1 - value) + square / 4)) / (1 + square)
    return Estimate(
        value=value, low=float(max(0.0, min(centre - half, value))), high=float(min(1.0, max(centre + half, value)))
    )


def score_interval(value: float, *, rows_part: float, reruns_part: float, clusters: int, seeds: int) -> Estimate:
    """Interval of a mean score from the two parts of its variance.

    Wilson's interval with the effective sample size that the variance implies (Korn and Graubard 1998; found best of
    seven for clustered data by Dean and Pagano 2015): symmetric intervals fail near 100 %. Its quantile is the mean of
    Student's quantiles of the two parts, weighted by variance (Cochran and Cox 1957, section 4.14).

    Args:
        value: the score, from 0 to 1.
        rows_part: variance from the choice of test rows.
        reruns_part: variance from the choice of reruns; 0.0 with one seed.
        clusters: independent units among the test rows.
        seeds: reruns.

    """
    variance = rows_part + reruns_part
    rows_quantile = student_quantile(max(1, clusters - 1))
    if variance <= 0.0 or not 0.0 < value < 1.0:
        return wilson(value, units=clusters, quantile=rows_quantile)
    reruns_quantile = student_quantile(seeds - 1) if seeds > 1 else 0.0
    quantile = (rows_part * rows_quantile + reruns_part * reruns_quantile) / variance
    units = min(value * (1 - value) / variance, float(clusters * seeds))
    return wilson(value, units=units, quantile=quantile)


def accuracy_interval(correct: Floats, clusters: Ints) -> Estimate:
    """Interval of the mean accuracy over reruns; with one run, of that run alone.

    Args:
        correct: shape (seeds, rows).
        clusters: shape (rows,).

    """
    seeds = len(correct)
    return score_interval(
        float(correct.mean()),
        rows_part=row_variance(correct.mean(axis=0), clusters),
        reruns_part=net_rerun_variance(correct) / seeds if seeds > 1 else 0.0,
        clusters=len(np.unique(clusters)),
        seeds=seeds,
    )


def f1_variances(replicates: Floats, measured: Floats, inflation: float) -> tuple[float, float]:
    """Split the variance of a mean macro F1 into the part of the rows and the part of the reruns.

    Args:
        replicates: shape (replicates, seeds): macro F1 of each run under resampled rows.
        measured: shape (seeds,): macro F1 of each run.
        inflation: see `rare_label_inflation`.

    """
    mean = replicates.mean(axis=1)
    seeds = len(measured)
    rows_part = float(mean.var(ddof=1)) * inflation
    if seeds == 1:
        return rows_part, 0.0
    flips = float((replicates - mean[:, None]).var(axis=0, ddof=1).sum()) / (seeds - 1)
    return rows_part, max(0.0, float(measured.var(ddof=1)) - flips) / seeds


def rare_label_inflation(true: Ints, clusters: Ints) -> float:
    """Factor by which the bootstrap variance of macro F1 falls short where labels are rare.

    The variance within a label of m clusters comes out too small by (m - 1) / m (Rao and Wu 1988). Since m / (m - 1)
    has no value for a single cluster, (m + 1) / m is taken, each label weighted by its share 1 / m of the variance.
    """
    index = cluster_index(clusters)
    pairs = np.unique(np.stack([true, index]), axis=1)
    sizes = np.unique(pairs[0], return_counts=True)[1].astype(np.float64)
    return float(((sizes + 1) / sizes**2).sum() / (1 / sizes).sum())


def f1_interval(outcomes: Outcomes, rng: np.random.Generator) -> Estimate:
    """Interval of the mean macro F1 over reruns, by the jackknife over clusters; with one run, of that run alone.

    The jackknife's variance is not too small, also where labels are rare (Efron and Stein 1981). Macro F1 of few rows a
    label comes out too low; the jackknife's estimate of that bias (Quenouille 1956) is not taken off, for the table's
    score should stand: it widens the interval. Of its square half is added, since estimate and variance both come out
    too large with few rows; that half is enough, and the whole too much, is found by `benchmarks/calibration.py`.

    Args:
        outcomes: the answers.
        rng: puts clusters into groups where there are very many.

    """
    measured = macro_f1(np.ones((1, len(outcomes.true))), outcomes.true, outcomes.predicted)[0]
    left_out = f1_jackknife(outcomes, rng)
    groups, mean = len(left_out), left_out.mean(axis=0)
    # Spread so that its plain variance is the jackknife's, (groups - 1) / groups times the sum of squares.
    spread = mean + (left_out - mean) * (groups - 1) / np.sqrt(groups)
    rows_part, reruns_part = f1_variances(spread, measured, 1.0)
    bias = (groups - 1) * float(mean.mean() - measured.mean())
    return score_interval(
        float(measured.mean()),
        rows_part=rows_part + _BIAS_SHARE * bias**2,
        reruns_part=reruns_part,
        clusters=len(np.unique(outcomes.clusters)),
        seeds=len(measured),
    )


def repeated_interval(values: Floats, *, test_over_train: float, clusters: int) -> Estimate:
    """Interval of a score over repeated splits, whose training sets overlap (Nadeau and Bengio 2003).

    Args:
        values: shape (repeats,): the mean score of each repeat, at least two.
        test_over_train: test rows for each training row.
        clusters: independent units in a test set.

    """
    value = float(values.mean())
    variance = (1 / len(values) + test_over_train) * float(values.var(ddof=1))
    quantile = student_quantile(len(values) - 1)
    if variance <= 0.0 or not 0.0 < value < 1.0:
        return wilson(value, units=clusters, quantile=quantile)
    return wilson(value, units=min(value * (1 - value) / variance, float(clusters * len(values))), quantile=quantile)


def row_intervals(row: RowOutcomes, rng: np.random.Generator) -> dict[str, Estimate]:
    """Intervals of `accuracy` and `f1_macro` of one row of the table."""
    parts = list(row.parts.values())
    if not row.repeated:
        return {
            "accuracy": accuracy_interval(parts[0].correct, parts[0].clusters),
            "f1_macro": f1_interval(parts[0], rng),
        }
    clusters = min(len(np.unique(part.clusters)) for part in parts)
    f1 = [macro_f1(np.ones((1, len(part.true))), part.true, part.predicted).mean() for part in parts]
    by_metric = {"accuracy": np.array([part.correct.mean() for part in parts]), "f1_macro": np.array(f1)}
    return {
        metric: repeated_interval(values, test_over_train=row.test_over_train, clusters=clusters)
        for metric, values in by_metric.items()
    }
