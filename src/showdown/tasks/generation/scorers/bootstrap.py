"""An interval for a score that is no mean over rows: the bootstrap over duplicate groups."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 2**22
"""Groups drawn at once, so that memory stays below 100 MB whatever the number of rows."""


def bootstrap_interval(
    statistics: Floats,
    of_sums: Callable[[Floats], Floats],
    clusters: npt.NDArray[np.int64],
    *,
    seed: int,
    resamples: int = 2000,
) -> tuple[float, float] | None:
    """Return the two-sided 95 % interval of a score from sums over rows: percentiles of the bootstrap over clusters.

    Rows of one cluster (a duplicate group) stay together (Davison and Hinkley 1997, section 3.8). Plain percentiles are
    too narrow with few clusters: they lack the factor n / (n - 1) of a variance and take Student's distribution for the
    normal one. So they are taken further out, where the normal distribution has the quantile
    sqrt(n / (n - 1)) t(n - 1): the expanded percentile interval of Hesterberg 2015, "What Teachers Should Know About
    the Bootstrap". It has no width where all clusters score the same.

    Args:
        statistics: shape (rows, k), what is summed of each row.
        of_sums: from sums, shape (resamples, k), to the score, shape (resamples,).
        clusters: shape (rows,), the number of each row's cluster.
        seed: the same seed gives the same interval.
        resamples: how often clusters are drawn. With 2000 and many clusters, the standard error of an end is 3 % of the
            interval's half width: sqrt(0.025 * 0.975 / 2000) over the normal density at 1.96, over 1.96.

    Returns:
        The ends; None with fewer than two clusters, which say nothing of how far others would differ.

    """
    _, index = np.unique(clusters, return_inverse=True)
    groups = int(index.max()) + 1 if len(index) else 0
    if groups < 2:
        return None
    sums = np.zeros((groups, statistics.shape[1]))
    np.add.at(sums, index, statistics)
    scores = of_sums(_resampled_sums(sums, resamples, np.random.default_rng(seed)))
    tail = _tail(groups)
    low, high = np.quantile(scores, [tail, 1 - tail], method="median_unbiased")
    return float(low), float(high)


def _resampled_sums(sums: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Return the sums over as many clusters as there are, drawn with replacement: shape (resamples, k).

    Args:
        sums: of each cluster, shape (clusters, k).
        resamples: how often.
        generator: draws them.

    """
    groups, parts, left = len(sums), [], resamples
    while left:
        rows = min(left, max(1, _DRAWS_AT_ONCE // groups))
        drawn = generator.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        parts.append(counts @ sums)
        left -= rows
    return np.concatenate(parts)


def _tail(groups: int) -> float:
    """Return the share of resamples beyond each end."""
    quantile = float(special.stdtrit(groups - 1, 0.5 + CONFIDENCE / 2))
    return float(special.ndtr(-math.sqrt(groups / (groups - 1)) * quantile))
