"""What chance adds to a score: which rows were tested, and which reruns were made."""

from dataclasses import dataclass

import numpy as np

from showdown.verdict.outcomes import Floats, Ints
from showdown.verdict.resample import cluster_index

PRIOR_SPREAD = 0.02
"""Standard deviation of accuracy between reruns that is assumed before any is seen: 2 points.

Two reruns of one setting in PEFT's own method comparison differ by a median of 2.0 points, which for normal reruns is a
standard deviation of 2.0 / (0.6745 * sqrt(2)) = 2.1 points. Reruns of BERT on small sets spread alike (Dodge et al.,
arXiv 2002.06305).
"""
PRIOR_WORTH = 2.0
"""The assumption weighs as much as this many degrees of freedom (reruns beyond the first)."""

STEADY_METHODS = frozenset({"majority", "tfidf", "frozen", "zero-shot"})
"""Methods whose answer does not depend on a seed: the assumption is not made for them."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variance of a method's mean score that comes from its reruns, and the degrees of freedom behind it."""

    variance: float
    degrees: float


def row_variance(values: Floats, clusters: Ints) -> float:
    """Variance of the mean of ``values`` (rows,) when whole clusters are drawn at random.

    It is what the cluster bootstrap of the mean converges to, times G / (G - 1) (Davison and Hinkley 1997, 3.8).
    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    if groups < 2:
        return 0.0
    sums = np.bincount(index, weights=values - values.mean(), minlength=groups)
    return float((sums**2).sum() / len(values) ** 2 * groups / (groups - 1))


def net_rerun_variance(correct: Floats) -> float:
    """Variance between reruns of a method's accuracy, beyond what single rows that flip explain.

    Two-way analysis of variance of runs and rows: the variance between the runs' accuracies less the residual mean
    square over the number of rows, never below zero.

    Args:
        correct: shape (runs, rows), at least two runs.

    """
    runs, rows = correct.shape
    by_run = correct.mean(axis=1)
    if rows < 2:
        return float(by_run.var(ddof=1))
    residual = correct - by_run[:, None] - correct.mean(axis=0) + correct.mean()
    flips = float((residual**2).sum()) / ((runs - 1) * (rows - 1)) / rows
    return float(max(0.0, by_run.var(ddof=1) - flips))


def rerun_spread(correct: Floats, *, steady: bool) -> Spread:
    """Variance of a method's mean accuracy over its reruns, measured and moderated by what is known beforehand.

    The measured variance is averaged with `PRIOR_SPREAD` squared, weighted by degrees of freedom (the moderated
    variance of Smyth 2004). With one run the prior stands alone; a steady method has none.

    Args:
        correct: shape (runs, rows).
        steady: does the method answer alike at every seed?

    """
    runs = len(correct)
    worth = 0.0 if steady else PRIOR_WORTH
    degrees = worth + runs - 1
    if degrees == 0:
        return Spread(variance=0.0, degrees=1.0)
    measured = net_rerun_variance(correct) if runs > 1 else 0.0
    return Spread(variance=(worth * PRIOR_SPREAD**2 + (runs - 1) * measured) / degrees / runs, degrees=degrees)
