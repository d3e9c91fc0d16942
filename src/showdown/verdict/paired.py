"""Is one method better than another? Tests on the rows that both answered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.verdict.intervals import (
    CONFIDENCE,
    REPLICATES,
    Estimate,
    f1_variances,
    rare_label_inflation,
    student_quantile,
)
from showdown.verdict.outcomes import Floats, Ints, Outcomes
from showdown.verdict.resample import f1_replicates, macro_f1
from showdown.verdict.spread import rerun_spread

ALPHA = 1 - CONFIDENCE
_PSEUDO_ROWS = 2
POWER = 0.8
"""The usual chance of finding a difference that is there."""
_MOST_ROWS, _TRIED = 1e12, 3000
"""Numbers of rows are tried up to the first, so many of them: in steps of a percent."""


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """A difference in accuracy, first less second, and what is behind it."""

    effect: Estimate
    """The difference, from -1 to 1, with its 95 % interval."""
    p_value: float
    centre: float
    """Middle of the interval, shrunk a little towards none."""
    error: float
    """Standard error of the difference, rows and reruns together."""
    degrees: float
    """Degrees of freedom of that error."""
    mcnemar_p: float | None
    """Exact McNemar test of the first run of each alone: blind to reruns. None for repeated splits."""
    row_variance: float
    """Variance of the difference from one independent row: divide by rows for that of the mean."""
    reruns_part: float
    """Variance of the mean difference that more rows cannot lessen."""
    reruns_degrees: float
    """Degrees of freedom behind it; infinite where there is none."""
    rows_degrees: float | None
    """Those behind the part of the rows, where more rows do not raise them; None where they follow the rows."""
    rows: int
    """Independent rows (duplicate clusters) behind it."""

    def p_above(self, bound: float) -> float:
        """One-sided p-value of 'the true difference is at most ``bound``': small where it lies above."""
        return float(special.stdtr(self.degrees, -(self.centre - bound) / self.error))

    def p_below(self, bound: float) -> float:
        """One-sided p-value of 'the true difference is at least ``bound``': small where it lies below."""
        return float(special.stdtr(self.degrees, (self.centre - bound) / self.error))

    def reach(self, level: float) -> float:
        """Half width of the two-sided interval around `centre` with confidence ``level``, such as 0.95."""
        return student_quantile(self.degrees, 0.5 + level / 2) * self.error


def mcnemar_exact(first: Floats, second: Floats) -> float:
    """Two-sided exact McNemar test of two runs (rows,): a binomial test of the rows that only one got right."""
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    tail = special.bdtr(min(only_first, only_second), only_first + only_second, 0.5)
    return float(min(1.0, 2.0 * tail))


def _row_part(difference: Floats, clusters: Ints) -> tuple[float, float, int]:
    """Return the shrunk mean difference, its variance over rows, and the independent rows.

    Two imagined clusters are added, one won by each side: the interval of Bonett and Price (2012) for paired shares,
    carried over to means over reruns and to clusters. It is near-exact with few discordant rows, and never zero.
    """
    index = np.unique(clusters, return_inverse=True)[1]
    groups = int(index.max()) + 1
    size = len(difference) / groups
    total = size * (groups + _PSEUDO_ROWS)
    mean = float(difference.sum()) / total
    sums = np.bincount(index, weights=difference - mean, minlength=groups)
    squares = float((sums**2).sum()) + size**2 * ((1 - mean) ** 2 + (1 + mean) ** 2)
    count = groups + _PSEUDO_ROWS
    return mean, squares / total**2 * count / (count - 1), groups


def paired_test(first: Floats, second: Floats, clusters: Ints, *, steady: tuple[bool, bool]) -> PairTest:
    """Test a difference in accuracy on shared rows, with the spread between reruns in it.

    The variance of the mean difference is the part of the rows plus that of the reruns of both methods; Student's t
    with the degrees of freedom of Satterthwaite (1946). With one run each the exact McNemar test must agree.

    Args:
        first: right or wrong answers of one method, shape (seeds, rows).
        second: those of the other, shape (its seeds, rows).
        clusters: shape (rows,).
        steady: which of the two answer alike at every seed, see `STEADY_METHODS`.

    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    mean, rows_part, groups = _row_part(difference, clusters)
    spreads = [rerun_spread(runs, steady=is_steady) for runs, is_steady in zip((first, second), steady, strict=True)]
    reruns_part = sum(spread.variance for spread in spreads)
    degrees = _degrees([(rows_part, max(1, groups - 1)), *((spread.variance, spread.degrees) for spread in spreads)])
    error = float(np.sqrt(rows_part + reruns_part))
    p_value = _two_sided(mean / error, degrees)
    exact = mcnemar_exact(first[0], second[0])
    reach = student_quantile(degrees) * error
    return PairTest(
        effect=Estimate(value=float(difference.mean()), low=max(-1.0, mean - reach), high=min(1.0, mean + reach)),
        p_value=max(p_value, exact) if len(first) == len(second) == 1 else p_value,
        centre=mean,
        error=error,
        degrees=degrees,
        mcnemar_p=exact,
        row_variance=rows_part * groups,
        reruns_part=reruns_part,
        reruns_degrees=_degrees([(spread.variance, spread.degrees) for spread in spreads]),
        rows_degrees=None,
        rows=groups,
    )


def _two_sided(t: float, degrees: float) -> float:
    return float(2 * special.stdtr(degrees, -abs(t)))


def _degrees(parts: Sequence[tuple[float, float]]) -> float:
    total = sum(variance for variance, _ in parts)
    if total == 0.0:
        return float("inf")
    return total**2 / sum(variance**2 / degrees for variance, degrees in parts)


def f1_difference(
    first: Outcomes,
    second: Outcomes,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Estimate:
    """Difference in macro F1 on shared rows with its interval: both methods under the same resampled rows."""
    ones = np.ones((1, len(first.true)))
    measured = [macro_f1(ones, side.true, side.predicted)[0] for side in (first, second)]
    drawn = f1_replicates((first, second), replicates, rng)
    inflation = rare_label_inflation(first.true, first.clusters)
    groups = len(np.unique(first.clusters))
    difference = drawn[0].mean(axis=1) - drawn[1].mean(axis=1)
    parts = [
        (
            float(difference.var(ddof=1)) * inflation + _PSEUDO_ROWS / (groups + _PSEUDO_ROWS) ** 2,
            float(max(1, groups - 1)),
        )
    ]
    for runs, scores in zip(drawn, measured, strict=True):
        if len(scores) > 1:
            parts.append((f1_variances(runs, scores, inflation)[1], len(scores) - 1.0))
    value = float(measured[0].mean() - measured[1].mean())
    reach = student_quantile(_degrees(parts)) * float(np.sqrt(sum(variance for variance, _ in parts)))
    return Estimate(value=value, low=max(-1.0, value - reach), high=min(1.0, value + reach))


def corrected_resampled_t(differences: Floats, *, test_over_train: float, rows: int) -> PairTest:
    """Corrected resampled t-test for repeated splits (Nadeau and Bengio 2003).

    Training sets of repeats overlap, so that their differences are not independent: the variance of the mean is taken
    as (1 / repeats + test rows / training rows) times the variance between repeats.

    Args:
        differences: shape (repeats,), at least two: mean difference in accuracy of each repeat.
        test_over_train: test rows for each training row.
        rows: independent rows of one test set; the variance is at least that of one discordant row each way.

    """
    repeats = len(differences)
    mean = float(differences.mean())
    floor = _PSEUDO_ROWS / (rows + _PSEUDO_ROWS) ** 2 / repeats
    variance = max(float(differences.var(ddof=1)), floor) * (1 / repeats + test_over_train)
    error = float(np.sqrt(variance))
    reach = student_quantile(repeats - 1) * error
    return PairTest(
        effect=Estimate(value=mean, low=max(-1.0, mean - reach), high=min(1.0, mean + reach)),
        p_value=_two_sided(mean / error, repeats - 1),
        centre=mean,
        error=error,
        degrees=repeats - 1.0,
        mcnemar_p=None,
        row_variance=variance * rows,
        reruns_part=0.0,
        reruns_degrees=float("inf"),
        rows_degrees=repeats - 1.0,
        rows=rows,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values over all pairs (Holm 1979): the chance of any false difference stays below the level."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return [float(value) for value in adjusted]


def rows_to_decide(test: PairTest, *, pairs: int, beyond: int = 0) -> int | None:
    """Independent test rows at which a true difference as large as the seen one would be found with power 0.8.

    Connor's sample size for paired shares (1987) at the strictest level of Holm's procedure, with the part of the
    reruns, which rows cannot lessen, and Student's quantiles with the degrees of freedom that so many rows would leave:
    the more rows, the more the test hangs on the few reruns. Accurate to one percent.

    Args:
        test: what was seen.
        pairs: how many are tested together.
        beyond: more rows than these are asked for.

    Returns:
        None where no number of rows would: nothing was seen, or the reruns spread too much or are too few.

    """
    rows = np.unique(np.geomspace(max(2, beyond + 1), _MOST_ROWS, _TRIED).astype(np.int64)).astype(np.float64)
    rows_part = test.row_variance / rows
    variance = rows_part + test.reruns_part
    rows_degrees = rows - 1 if test.rows_degrees is None else np.full(len(rows), test.rows_degrees)
    degrees = variance**2 / (rows_part**2 / rows_degrees + test.reruns_part**2 / test.reruns_degrees)
    quantiles = special.stdtrit(degrees, 1 - ALPHA / 2 / pairs) + special.stdtrit(degrees, POWER)
    enough = np.flatnonzero(quantiles * np.sqrt(variance) <= abs(test.effect.value))
    return int(rows[enough[0]]) if len(enough) else None
