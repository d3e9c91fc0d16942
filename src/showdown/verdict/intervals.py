"""Two-sided 95 % intervals of accuracy and macro F1 over rows (in duplicate clusters) and reruns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.verdict.outcomes import Floats, Ints, Outcomes, RowOutcomes
from showdown.verdict.resample import cluster_index, f1_jackknife, macro_f1
from showdown.verdict.spread import Reruns, binomial_variance, reruns_of, share_squared, weighed

CONFIDENCE = 0.95
_UPPER = 0.5 + CONFIDENCE / 2
_PSEUDO_ROWS = 2
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


def rows_share(values: Floats, clusters: Ints) -> float:
    """Return the variance of a mean score from the choice of test rows, over value (1 - value).

    With one run it is 1 / clusters or near it, and less with more runs, as far as other rows are wrong in each. Two
    imagined clusters, one all right and one all wrong, keep it from following a handful of wrong answers: it stays at
    1 / clusters where there are few.

    Args:
        values: shape (rows,): mean over the runs.
        clusters: shape (rows,).

    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    size = len(values) / groups
    total = size * (groups + _PSEUDO_ROWS)
    mean = (float(values.sum()) + size) / total
    sums = np.bincount(index, weights=values - mean, minlength=groups)
    squares = float((sums**2).sum()) + size**2 * (mean**2 + (1 - mean) ** 2)
    count = groups + _PSEUDO_ROWS
    return squares / total**2 * count / (count - 1) / (mean * (1 - mean)) * count / groups


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


def repeated_interval(values: Floats, *, test_over_train: float, clusters: int) -> Estimate:
    """Interval of a score over repeated splits, whose training sets overlap (Nadeau and Bengio 2003).

    The variance between repeats is taken to be at least that of a share of so many independent test rows: a few repeats
    that agree by chance do not narrow it.

    Args:
        values: shape (repeats,): the mean score of each repeat, at least two.
        test_over_train: test rows for each training row.
        clusters: independent units in a test set.

    """
    value = float(values.mean())
    between = max(float(values.var(ddof=1)) / binomial_variance(value, clusters), 1 / clusters)
    return score_interval(value, [((1 / len(values) + test_over_train) * between, len(values) - 1.0)])


def row_intervals(row: RowOutcomes, among: Sequence[RowOutcomes] = ()) -> dict[str, Estimate]:
    """Intervals of `accuracy` and `f1_macro` of one row of the table.

    Args:
        row: the row.
        among: all rows of the comparison: how far their reruns spread tells what to expect of this one.

    """
    parts = list(row.parts.values())
    if not row.repeated:
        reruns = reruns_of(row, among)
        return {"accuracy": accuracy_interval(parts[0], reruns), "f1_macro": f1_interval(parts[0], reruns)}
    clusters = min(len(np.unique(part.clusters)) for part in parts)
    f1 = [macro_f1(np.ones((1, len(part.true))), part.true, part.predicted).mean() for part in parts]
    by_metric = {"accuracy": np.array([part.correct.mean() for part in parts]), "f1_macro": np.array(f1)}
    return {
        metric: repeated_interval(values, test_over_train=row.test_over_train, clusters=clusters)
        for metric, values in by_metric.items()
    }


def no_f1_interval(row: RowOutcomes) -> str | None:
    """Say why macro F1 of a row of the table has no honest interval; None where it has one."""
    return next((why for part in row.parts.values() if (why := rare_labels(part))), None)
