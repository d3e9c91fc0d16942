"""Two-sided 95 % intervals of accuracy, macro F1 and other metrics over rows (in duplicate clusters) and reruns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.verdict.influence import RowValues, row_values
from showdown.verdict.outcomes import KEPT, Floats, Ints, Outcomes, RowOutcomes
from showdown.verdict.resample import cluster_index, f1_jackknife
from showdown.verdict.spread import Reruns, binomial_variance, metric_reruns, reruns_of, share_squared, weighed

CONFIDENCE = 0.95
_UPPER = 0.5 + CONFIDENCE / 2
_PSEUDO_ROWS = 2
_F1_MACRO = METRICS["f1_macro"]
_FEWEST_TEXTS, _RARE_SHARE = 2, 0.1
"""Macro F1 has an interval where no more than a tenth of the labels have fewer different test texts than two."""


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


def rows_share(values: Floats, clusters: Ints, weight: float = 1.0) -> float:
    """Return the variance of a mean score from the choice of test rows, over value (1 - value).

    With one run it is 1 / clusters or near it, and less with more runs, as far as other rows are wrong in each. Two
    imagined clusters, one all right and one all wrong, keep it from following a handful of wrong answers: it stays at
    1 / clusters where there are few.

    Args:
        values: shape (rows,): mean over the runs.
        clusters: shape (rows,).
        weight: see `RowValues.weight`: each imagined cluster counts as so many.

    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    size = len(values) / groups
    imagined = _PSEUDO_ROWS * weight
    total = size * (groups + imagined)
    mean = (float(values.sum()) + size * weight) / total
    sums = np.bincount(index, weights=values - mean, minlength=groups)
    squares = float((sums**2).sum()) + (size * weight) ** 2 * (mean**2 + (1 - mean) ** 2)
    count = groups + _PSEUDO_ROWS
    return squares / total**2 * count / (count - 1) / (mean * (1 - mean)) * (groups + imagined) / groups


def accuracy_interval(part: Outcomes, reruns: Reruns) -> Estimate:
    """Interval of a method's accuracy, whatever its test rows and seeds.

    Args:
        part: its answers.
        reruns: how far its trainings spread.

    """
    clusters = len(np.unique(part.clusters))
    values = part.correct.mean(axis=0)
    return score_interval(
        float(values.mean()),
        [
            (rows_share(values, part.clusters), max(1, clusters - 1)),
            (reruns.relative * share_squared(part.folds) / len(part.predicted), reruns.degrees),
        ],
    )


def metric_interval(found: RowValues, part: Outcomes, reruns: Reruns) -> Estimate:
    """Interval of a method's metric, whatever its test rows and seeds: that of accuracy, of what each row is worth.

    Args:
        found: the metric.
        part: the answers.
        reruns: how far the accuracy of its trainings spreads.

    """
    clusters, scale = len(np.unique(part.clusters)), 1 - found.lowest
    share = (found.value - found.lowest) / scale
    worth = (found.values.mean(axis=0) - found.lowest) / scale
    spread = metric_reruns(found.values, reruns, folds=part.folds, clusters=clusters, lowest=found.lowest)
    inside = score_interval(
        share,
        [
            (rows_share(worth, part.clusters, found.weight), max(1.0, clusters / found.weight - 1)),
            (spread.relative * share_squared(part.folds) / len(part.predicted), spread.degrees),
        ],
    )
    low, high = (found.lowest + scale * end for end in (inside.low, inside.high))
    return Estimate(value=found.value, low=min(low, found.value), high=max(high, found.value))


@dataclass(frozen=True, kw_only=True)
class MacroF1:
    """Macro F1 of a method with what the jackknife says of it."""

    by_seed: Floats
    """Shape (seeds,)."""
    left_out: Floats
    """Shape (clusters, seeds): with one cluster of the test rows left out."""

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())


def macro_f1_of(part: Outcomes) -> MacroF1:
    """Compute macro F1 of every seed, and with each cluster left out."""
    by_seed, left_out = f1_jackknife(part)
    return MacroF1(by_seed=by_seed, left_out=left_out)


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


def f1_reruns(found: MacroF1, reruns: Reruns, folds: Ints | None) -> Reruns:
    """Return how far macro F1 spreads between trainings: as accuracy does, until its own reruns say otherwise.

    Args:
        found: of one method.
        reruns: how far its accuracy spreads.
        folds: see `Outcomes.folds`.

    """
    seeds = len(found.by_seed)
    if seeds < 2 or np.isinf(reruns.degrees):
        return reruns
    apart = found.left_out - found.left_out.mean(axis=1, keepdims=True)
    flips = sum(jackknife(column, 0.0)[0] for column in apart.T) / (seeds - 1)
    net = (float(found.by_seed.var(ddof=1)) - flips) / share_squared(folds)
    scale = binomial_variance(found.value, len(found.left_out))
    return weighed(reruns.relative, Reruns(relative=net / scale, degrees=seeds - 1.0))


@lru_cache(maxsize=KEPT)
def rare_labels(part: Outcomes) -> str | None:
    """Say why macro F1 of these test rows has no honest interval; None where it has one.

    A label with one independent test row, or none, has an F1 that no resampling can know the error of. Up to a tenth
    of the labels may be so: by simulation, intervals hold the truth in 93 to 98 % then.
    """
    labels = np.unique(np.concatenate([part.true, part.predicted.ravel()]))
    tested, texts = np.unique(np.unique(np.stack([part.true, part.clusters]), axis=1)[0], return_counts=True)
    few = len(labels) - len(tested) + int((texts < _FEWEST_TEXTS).sum())
    if few <= _RARE_SHARE * len(labels):
        return None
    return f"{few} of {len(labels)} labels have fewer than {_FEWEST_TEXTS} different test texts"


def f1_interval(part: Outcomes, reruns: Reruns) -> Estimate:
    """Interval of a method's macro F1, whatever its test rows and seeds, by the jackknife over clusters.

    Macro F1 of few rows a label comes out too low. The table's score stands; half of the jackknife's estimate of that
    bias moves the middle of the interval, and the square of the other half widens it, since that estimate is itself
    uncertain: found by simulation, see `docs/verdict.md`.

    Args:
        part: the answers.
        reruns: how far the accuracy of its trainings spreads.

    """
    found = macro_f1_of(part)
    rows_part, bias = jackknife(found.left_out.mean(axis=1), found.value)
    centre = min(1.0, max(0.0, found.value - bias / 2))
    clusters = len(found.left_out)
    scale = binomial_variance(centre, clusters)
    spread = f1_reruns(found, reruns, part.folds)
    # Macro F1 is no better known than accuracy, however few answers are wrong.
    share = max((rows_part + bias**2 / 4) / scale, rows_share(part.correct.mean(axis=0), part.clusters))
    middle = score_interval(
        centre,
        [
            (share, max(1, clusters - 1)),
            (spread.relative * share_squared(part.folds) / len(part.predicted), spread.degrees),
        ],
    )
    return Estimate(value=found.value, low=min(middle.low, found.value), high=max(middle.high, found.value))


def repeated_interval(
    values: Floats, *, test_over_train: float, clusters: int, weight: float = 1.0, lowest: float = 0.0
) -> Estimate:
    """Interval of a score over repeated splits, whose training sets overlap (Nadeau and Bengio 2003).

    The variance between repeats is taken to be at least that of a share of so many independent test rows: a few repeats
    that agree by chance do not narrow it.

    Args:
        values: shape (repeats,): the mean score of each repeat, at least two.
        test_over_train: test rows for each training row.
        clusters: independent units in a test set.
        weight: see `RowValues.weight`: so many of them tell as much as one does of accuracy.
        lowest: the least value of the score.

    """
    shares = (values - lowest) / (1 - lowest)
    value = float(shares.mean())
    between = max(float(shares.var(ddof=1)) / binomial_variance(value, clusters), weight / clusters)
    found = score_interval(value, [((1 / len(values) + test_over_train) * between, len(values) - 1.0)])
    low, high = (lowest + (1 - lowest) * end for end in (found.low, found.high))
    return Estimate(value=float(values.mean()), low=low, high=high)


def row_intervals(
    row: RowOutcomes, among: Sequence[RowOutcomes] = (), metric: Metric = ACCURACY
) -> dict[str, Estimate]:
    """Intervals of `accuracy`, `f1_macro` and, as `score`, of the metric of the verdict, of one row of the table.

    Args:
        row: the row.
        among: all rows of the comparison: how far their reruns spread tells what to expect of this one.
        metric: that of the verdict.

    """
    parts = list(row.parts.values())
    if row.repeated:
        by_key = {key: _over_repeats(row, asked) for key, asked in (("accuracy", ACCURACY), ("f1_macro", _F1_MACRO))}
        return {**by_key, "score": by_key.get(metric.key) or _over_repeats(row, metric)}
    reruns = reruns_of(row, among)
    by_key = {"accuracy": accuracy_interval(parts[0], reruns), "f1_macro": f1_interval(parts[0], reruns)}
    score = by_key.get(metric.key) or metric_interval(row_values(metric, parts[0]), parts[0], reruns)
    return {**by_key, "score": score}


def _over_repeats(row: RowOutcomes, metric: Metric) -> Estimate:
    parts = list(row.parts.values())
    found = [row_values(metric, part) for part in parts]
    return repeated_interval(
        np.array([one.value for one in found]),
        test_over_train=row.test_over_train,
        clusters=min(len(np.unique(part.clusters)) for part in parts),
        # The figures of macro F1 were calibrated without it.
        weight=1.0 if metric.key == _F1_MACRO.key else max(one.weight for one in found),
        lowest=metric.lowest,
    )


def no_f1_interval(row: RowOutcomes) -> str | None:
    """Say why macro F1 of a row of the table has no honest interval; None where it has one."""
    return next((why for part in row.parts.values() if (why := rare_labels(part))), None)


def no_interval(row: RowOutcomes, metric: Metric) -> str | None:
    """Say why the metric of a row of the table has no honest interval; None where it has one."""
    if metric.over_labels:
        return no_f1_interval(row)
    if metric.label is None:
        return None
    few = min(len(np.unique(part.clusters[part.true == metric.place])) for part in row.parts.values())
    said = f"{metric.label} has fewer than {_FEWEST_TEXTS} different test texts"
    return said if few < _FEWEST_TEXTS else None
