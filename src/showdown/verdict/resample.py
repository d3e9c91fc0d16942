"""Resampling test rows: cluster weights, and macro F1 under them, for all replicates at once."""

import numpy as np
from scipy import sparse

from showdown.verdict.outcomes import Floats, Ints, Outcomes

_BLOCK_CELLS = 4_000_000
"""Weights held at once: 32 MB."""
_JACKKNIFE_GROUPS = 500
"""More clusters than these are left out in groups: a standard error within 3 % (Kott 2001)."""


def cluster_index(clusters: Ints) -> Ints:
    """Return clusters renumbered from 0, in the shape given."""
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64)


def cluster_weights(clusters: Ints, replicates: int, rng: np.random.Generator) -> Floats:
    """Draw whole clusters with replacement (Davison and Hinkley 1997, section 3.8).

    Returns:
        How often each row is drawn: shape (replicates, rows).

    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    drawn = rng.integers(0, groups, size=(replicates, groups)) + groups * np.arange(replicates)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=groups * replicates).reshape(replicates, groups)
    return counts[:, index].astype(np.float64)


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


def f1_replicates(runs: tuple[Outcomes, ...], replicates: int, rng: np.random.Generator) -> tuple[Floats, ...]:
    """Macro F1 of every run of several methods under the same resampled rows.

    Args:
        runs: the methods, on the same test rows in the same order.
        replicates: how many resamples.
        rng: the source of chance.

    Returns:
        For each method, shape (replicates, seeds).

    """
    clusters = runs[0].clusters
    block = max(1, _BLOCK_CELLS // len(clusters))
    found: list[list[Floats]] = [[] for _ in runs]
    for start in range(0, replicates, block):
        weights = cluster_weights(clusters, min(block, replicates - start), rng)
        for place, outcome in enumerate(runs):
            found[place].append(macro_f1(weights, outcome.true, outcome.predicted))
    return tuple(np.concatenate(blocks) for blocks in found)


def f1_jackknife(outcomes: Outcomes, rng: np.random.Generator) -> Floats:
    """Macro F1 of every run with one cluster of the test rows left out, or one of 500 random groups of clusters.

    Returns:
        Shape (clusters or groups, seeds).

    """
    index = cluster_index(outcomes.clusters)
    groups = int(index.max()) + 1
    if groups > _JACKKNIFE_GROUPS:
        index = (rng.permutation(groups) % _JACKKNIFE_GROUPS)[index]
        groups = _JACKKNIFE_GROUPS
    block = max(1, _BLOCK_CELLS // len(index))
    return np.concatenate(
        [
            macro_f1(
                (index != np.arange(start, min(start + block, groups))[:, None]).astype(np.float64),
                outcomes.true,
                outcomes.predicted,
            )
            for start in range(0, groups, block)
        ]
    )
