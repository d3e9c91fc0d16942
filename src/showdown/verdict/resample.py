"""Macro F1 under weights of the test rows, and with each cluster of them left out."""

from functools import lru_cache

import numpy as np
from scipy import sparse

from showdown.verdict.outcomes import KEPT, Floats, Ints, Outcomes


def cluster_index(clusters: Ints) -> Ints:
    """Return clusters renumbered from 0, in the shape given."""
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64)


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
def f1_jackknife(part: Outcomes) -> tuple[Floats, Floats]:
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
