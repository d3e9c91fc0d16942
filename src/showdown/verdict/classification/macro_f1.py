"""Macro F1: under weights of the test rows, with each duplicate group left out, its intervals and its differences."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from showdown.verdict.classification.answers import Answers
from showdown.verdict.intervals import CONFIDENCE, Estimate, jackknife, rows_share, score_interval
from showdown.verdict.outcomes import KEPT, Floats, Ints, cluster_index
from showdown.verdict.paired import reach_of
from showdown.verdict.spread import Reruns, binomial_variance, share_squared, weighed

_PSEUDO_ROWS = 2
_FEWEST_TEXTS, _RARE_SHARE = 2, 0.1
"""Macro F1 has an interval where no more than a tenth of the labels have fewer different test texts than two."""


def macro_f1(weights: Floats, true: Ints, predicted: Ints) -> Floats:
    """Macro F1 of each run under each set of row weights.

    The mean of 2 TP / (true + predicted) over the labels that occur among the true or the predicted ones, which is
    scikit-learn's `f1_score(average="macro")`.

    Args:
        weights: shape (replicates, rows).
        true: shape (rows,).
        predicted: shape (runs, rows).

    Returns:
        Shape (replicates, runs).

    """
    labels = int(max(true.max(), predicted.max())) + 1
    runs, rows = predicted.shape
    right = predicted == true
    # One product counts all: true rows of a label, then rows predicted as it and rows rightly so, run by run.
    offsets = labels * np.arange(runs)[:, None]
    which = np.concatenate(
        [true, (labels + offsets + predicted).ravel(), (labels * (1 + runs) + offsets + true)[right]]
    )
    tested = np.tile(np.arange(rows), runs)
    row = np.concatenate([np.arange(rows), tested, tested[right.ravel()]])
    sums = sparse.csr_array((np.ones(len(row)), (which, row)), shape=(labels * (1 + 2 * runs), rows))
    counts = (sums @ np.ascontiguousarray(weights.T)).reshape(1 + 2 * runs, labels, len(weights))
    size = counts[0] + counts[1 : 1 + runs]
    f1 = 2.0 * counts[1 + runs :] / np.maximum(size, 1.0)
    return np.asarray((f1.sum(axis=1) / (size > 0).sum(axis=1)).T)


@lru_cache(maxsize=KEPT)
def f1_jackknife(part: Answers) -> tuple[Floats, Floats]:
    """Macro F1 of every run, and with each cluster of the test rows left out.

    Leaving out a cluster changes the F1 of its rows' true and predicted labels alone: one pass over the rows gives all.

    Returns:
        Shapes (seeds,) and (clusters, seeds).

    """
    index = cluster_index(part.clusters)
    labels = int(max(part.true.max(), part.predicted.max())) + 1
    found = [_f1_left_out(index, part.true, predicted, labels) for predicted in part.predicted]
    return np.array([full for full, _ in found]), np.stack([left_out for _, left_out in found], axis=1)


def _f1_left_out(index: Ints, true: Ints, predicted: Ints, labels: int) -> tuple[float, Floats]:
    cells, cell = np.unique(np.concatenate([index * labels + true, index * labels + predicted]), return_inverse=True)
    size = np.bincount(cell).astype(np.float64)
    hits = np.bincount(cell, weights=np.concatenate([predicted == true, np.zeros(len(true))]))
    cluster, label = cells // labels, cells % labels
    sizes, all_hits = np.bincount(label, size, labels), np.bincount(label, hits, labels)
    f1 = 2 * all_hits / np.maximum(sizes, 1.0)
    left = sizes[label] - size
    change = np.bincount(cluster, 2 * (all_hits[label] - hits) / np.maximum(left, 1.0) - f1[label])
    gone = np.bincount(cluster, left == 0)
    present = int((sizes > 0).sum())
    return float(f1.sum()) / present, (f1.sum() + change) / np.maximum(present - gone, 1)


@dataclass(frozen=True, kw_only=True)
class MacroF1:
    """Macro F1 of an arm, with all test rows and with each duplicate group left out."""

    by_seed: Floats
    """Shape (seeds,)."""
    left_out: Floats
    """Shape (clusters, seeds): with one cluster of the test rows left out."""

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())


def macro_f1_of(part: Answers) -> MacroF1:
    """Compute macro F1 of every seed, and with each cluster left out."""
    by_seed, left_out = f1_jackknife(part)
    return MacroF1(by_seed=by_seed, left_out=left_out)


def f1_reruns(found: MacroF1, reruns: Reruns, folds: Ints | None) -> Reruns:
    """Return how far macro F1 spreads between trainings: as accuracy does, until its own reruns say otherwise.

    Args:
        found: of one method.
        reruns: how far its accuracy spreads.
        folds: see `Answers.folds`.

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
def rare_labels(part: Answers) -> str | None:
    """Return why macro F1 of these test rows has no valid interval; None where it has one.

    A label with one independent test row, or none, has an F1 that no resampling can know the error of. Up to a tenth
    of the labels may be so: by simulation, intervals hold the truth in 93 to 98 % then.
    """
    labels = np.unique(np.concatenate([part.true, part.predicted.ravel()]))
    tested, texts = np.unique(np.unique(np.stack([part.true, part.clusters]), axis=1)[0], return_counts=True)
    few = len(labels) - len(tested) + int((texts < _FEWEST_TEXTS).sum())
    if few <= _RARE_SHARE * len(labels):
        return None
    return f"{few} of {len(labels)} labels have fewer than {_FEWEST_TEXTS} different test texts"


def f1_interval(part: Answers, reruns: Reruns) -> Estimate:
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
    share = max((rows_part + bias**2 / 4) / scale, rows_share(part.values.mean(axis=0), part.clusters))
    middle = score_interval(
        centre,
        [
            (share, max(1, clusters - 1)),
            (spread.relative * share_squared(part.folds) / len(part.predicted), spread.degrees),
        ],
    )
    return Estimate(value=found.value, low=min(middle.low, found.value), high=max(middle.high, found.value))


def f1_difference(first: Answers, second: Answers, reruns: tuple[Reruns, Reruns]) -> Estimate:
    """Difference in macro F1 on shared rows with its interval, by the jackknife over clusters.

    The spread between reruns is in it, and half of the jackknife's bias, as in `f1_interval`. Two imagined discordant
    clusters keep its width from being zero.

    Args:
        first: answers of one method.
        second: those of the other, on the same rows.
        reruns: how far the accuracies of their trainings spread.

    """
    sides = [macro_f1_of(part) for part in (first, second)]
    value = sides[0].value - sides[1].value
    left_out = sides[0].left_out.mean(axis=1) - sides[1].left_out.mean(axis=1)
    groups = len(left_out)
    rows_part, bias = jackknife(left_out, value)
    parts = [(rows_part + bias**2 / 4 + _PSEUDO_ROWS / (groups + _PSEUDO_ROWS) ** 2, max(1.0, groups - 1.0))]
    for part, side, spread in zip((first, second), sides, reruns, strict=True):
        own = f1_reruns(side, spread, part.folds)
        scale = binomial_variance(side.value, groups) * share_squared(part.folds)
        parts.append((own.relative * scale / len(part.predicted), own.degrees))
    centre, reach = value - bias / 2, reach_of(parts, (1 - CONFIDENCE) / 2)
    return Estimate(value=value, low=max(-1.0, min(value, centre - reach)), high=min(1.0, max(value, centre + reach)))
