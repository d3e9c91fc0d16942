"""Tests of the difference between two arms on the test rows that both answered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from showdown.verdict.intervals import CONFIDENCE, Estimate, mean_variance, student_quantile
from showdown.verdict.outcomes import Floats, Ints, cluster_index
from showdown.verdict.spread import Reruns, flip_variance, row_variance, share_squared

ALPHA = 1 - CONFIDENCE
_PSEUDO_ROWS = 2
_LEAST_TAIL = 1e-100


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one arm scored, in a test; more is better."""

    values: Floats
    """Shape (seeds, rows): what each row scores, or is worth to a metric that is no mean over rows (`RowValues`)."""
    reruns: Reruns
    folds: Ints | None = None
    """See `Outcomes.folds`."""
    weight: float = 1.0
    """See `RowValues.weight`."""
    lowest: float = 0.0
    """The least value of the metric; minus infinity for one without bounds. So for the next."""
    highest: float = 1.0
    row_range: float = 1.0
    """The best that a row can score less the worst: so much an imagined row counts. 1 where values are no scores."""
    graded: bool = False
    """Rows score values between the bounds: neither right nor wrong."""

    def reruns_part(self, clusters: int) -> "RerunsPart":
        """Return what the choice of reruns adds to the variance of the mean on so many independent rows."""
        scale = row_variance(self.values, clusters, lowest=self.lowest, highest=self.highest, graded=self.graded)
        scale *= share_squared(self.folds)
        return RerunsPart(
            variance=self.reruns.relative * scale / len(self.values),
            flips=flip_variance(self.values, self.folds) / len(self.values) * clusters / self.values.shape[1],
            degrees=self.reruns.degrees,
            seeds=len(self.values),
            trainings=1 if self.folds is None else len(np.unique(self.folds)),
        )


@dataclass(frozen=True, kw_only=True)
class RerunsPart:
    """What the choice of a method's reruns adds to the variance of a difference."""

    variance: float
    """From a rise or fall of all answers: more rows cannot lessen it."""
    flips: float
    """From single rows that flip, for one independent row: divide by rows for that of the mean."""
    degrees: float
    seeds: int
    trainings: int
    """Of one seed: the folds of a cross-validation."""

    def at(self, rows: float, seeds: int) -> tuple[float, float]:
        """Return variance and degrees of freedom with so many independent rows and seeds like those seen."""
        variance = (self.variance + self.flips / rows) * self.seeds / seeds
        return variance, self.degrees + self.trainings * (seeds - self.seeds)


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """A difference in a metric, first less second, with its sources of chance."""

    value: float
    """The difference; from -1 to 1 for accuracy."""
    centre: float
    """Middle of the interval, shrunk a little towards none."""
    exact_p: float | None = None
    """p-value of an exact test of the first run of each alone, blind to reruns; None where there is none."""
    must_pass_exact: bool = False
    """The exact test must agree: the larger p-value counts. So it is with one run each."""
    row_variance: float
    """Variance of the difference from one independent row: divide by rows for that of the mean."""
    rows: int
    """Independent rows (duplicate clusters) behind it."""
    rows_degrees: float | None
    """Degrees of freedom of the part of the rows where more rows do not raise them; None where they follow the rows."""
    reruns: tuple[RerunsPart, ...]
    """What reruns of each side add: more rows cannot lessen it."""
    weight: float = 1.0
    """See `RowValues.weight`: so many rows tell as much of the metric as one tells of accuracy."""
    largest: float = 1.0
    """The largest difference that there can be; infinity for a metric without bounds."""
    row_range: float = 1.0
    """See `Side.row_range`."""

    @property
    def parts(self) -> list[tuple[float, float]]:
        """Variance and degrees of freedom of each source of chance."""
        return self.parts_with(self.rows)

    def parts_with(self, rows: float, seeds: int | None = None) -> list[tuple[float, float]]:
        """Return the same with so many independent rows and seeds, if they are like those seen; None: as many."""
        rows_degrees = max(1.0, rows / self.weight - 1.0) if self.rows_degrees is None else self.rows_degrees
        # Flipping rows are counted with the reruns. What is left is at least what two discordant rows make.
        least = _PSEUDO_ROWS * (self.weight * self.row_range) ** 2 / (rows + _PSEUDO_ROWS * self.weight)
        least = least if math.isfinite(self.largest) else 0.0
        of_rows = max(self.row_variance - sum(part.flips for part in self.reruns), min(least, self.row_variance))
        return [
            (of_rows / rows, rows_degrees),
            *(part.at(rows, max(part.seeds, seeds or 0)) for part in self.reruns),
        ]

    @property
    def p_value(self) -> float:
        """Two-sided p-value against no difference."""
        found = 2 * tail_of(self.parts, abs(self.centre))
        return max(found, self.exact_p) if self.must_pass_exact and self.exact_p is not None else found

    @property
    def effect(self) -> Estimate:
        """The difference with its 95 % interval."""
        reach = self.reach(CONFIDENCE)
        low, high = max(-self.largest, self.centre - reach), min(self.largest, self.centre + reach)
        return Estimate(value=self.value, low=low, high=high)

    @property
    def error(self) -> float:
        """Standard error of the difference, rows and reruns together."""
        return float(np.sqrt(sum(variance for variance, _ in self.parts)))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of that error (Satterthwaite 1946), for information."""
        total = sum(variance for variance, _ in self.parts)
        return total**2 / sum(variance**2 / degrees for variance, degrees in self.parts)

    def reach(self, level: float) -> float:
        """Half width of the two-sided interval around `centre` with confidence ``level``, such as 0.95."""
        return reach_of(self.parts, (1 - level) / 2)

    def p_above(self, bound: float) -> float:
        """One-sided p-value of 'the true difference is at most ``bound``': small where it lies above."""
        return p_above(self.parts, self.centre - bound)

    def p_below(self, bound: float) -> float:
        """One-sided p-value of 'the true difference is at least ``bound``': small where it lies below."""
        return 1.0 - self.p_above(bound)


def reach_of(parts: Sequence[tuple[float, float]], tail: float) -> float:
    """Return how far an estimate may lie from the truth but for ``tail`` on each side.

    Each source of chance has its own quantile of Student's distribution, and the squares of the reaches add up (Howe
    1974; Graybill and Wang 1980). So the reach shrinks with each source: more rows, more seeds, never make a difference
    harder to show, as they can with the degrees of freedom of Satterthwaite, which fall where one source vanishes.

    Args:
        parts: variance and degrees of freedom of each source.
        tail: from 0 to 0.5.

    """
    return float(np.sqrt(sum(variance * student_quantile(degrees, tail) ** 2 for variance, degrees in parts)))


def tail_of(parts: Sequence[tuple[float, float]], distance: float) -> float:
    """Return the tail at which `reach_of` is ``distance``: a one-sided p-value."""
    if distance <= 0.0:
        return 0.5
    if distance >= reach_of(parts, _LEAST_TAIL):
        return _LEAST_TAIL
    found = optimize.brentq(
        lambda log: reach_of(parts, float(np.exp(log))) - distance, np.log(_LEAST_TAIL), np.log(0.5), xtol=1e-10
    )
    return float(np.exp(found))


def p_above(parts: Sequence[tuple[float, float]], distance: float) -> float:
    """Return the one-sided p-value of a difference that lies ``distance`` above a bound, or below where it is negative.

    Args:
        parts: variance and degrees of freedom of each source of chance.
        distance: the middle of the difference's interval less the bound.

    """
    tail = tail_of(parts, abs(distance))
    return tail if distance > 0.0 else 1.0 - tail


def _row_part(
    difference: Floats, clusters: Ints, weight: float, *, bounded: bool, row_range: float
) -> tuple[float, float, int]:
    """Return the shrunk mean difference, its variance over rows, and the independent rows.

    Of a metric with bounds two imagined clusters are added, one won by each side: the interval of Bonett and Price
    (2012) for paired shares, carried over to means over reruns and to clusters. It is near-exact with few discordant
    rows, and never zero. Where the answer to one row can matter as much as ``weight`` rows do for accuracy, each
    imagined cluster does. It differs by ``row_range``.
    """
    index = cluster_index(clusters)
    groups = int(index.max()) + 1
    if not bounded:
        return float(difference.mean()), mean_variance(difference, clusters), groups
    size = len(difference) / groups
    total = size * (groups + _PSEUDO_ROWS * weight)
    mean = float(difference.sum()) / total
    sums = np.bincount(index, weights=difference - mean, minlength=groups)
    squares = float((sums**2).sum()) + (size * weight) ** 2 * ((row_range - mean) ** 2 + (row_range + mean) ** 2)
    count = groups + _PSEUDO_ROWS
    return mean, squares / total**2 * count / (count - 1), groups


def imagined_difference(most: float, row_range: float, *, graded: bool) -> float:
    """Return by how much an imagined row differs: as much as a row can, or of graded scores as the row that does most.

    Of right and wrong answers a row differs wholly or not at all, so that the few that do tell little of how many
    would. Graded scores of all rows differ a little, which tells how far others would.

    Args:
        most: the largest difference of a row that was seen.
        row_range: the largest that there can be.
        graded: rows score values between the bounds.

    """
    return most if graded and most > 0.0 else row_range


def contrast_test(plus: Sequence[Side], minus: Sequence[Side], clusters: Ints) -> PairTest:
    """Test the mean scores of some arms less those of as many others, on shared rows.

    The variance is the part of the rows and that of the reruns of each method; see `reach_of` for how they combine.

    Args:
        plus: arms that count positively.
        minus: those that count negatively.
        clusters: shape (rows,).

    """
    difference = np.sum([side.values.mean(axis=0) for side in plus], axis=0) - np.sum(
        [side.values.mean(axis=0) for side in minus], axis=0
    )
    every = [*plus, *minus]
    weight = max(side.weight for side in every)
    row_range = imagined_difference(
        float(np.abs(difference).max()),
        max(side.row_range for side in every),
        graded=any(side.graded for side in every),
    )
    largest = sum(side.highest - side.lowest for side in every) / 2
    mean, rows_part, groups = _row_part(
        difference, clusters, weight, bounded=math.isfinite(largest), row_range=row_range
    )
    return PairTest(
        value=float(difference.mean()),
        centre=mean,
        row_variance=rows_part * groups,
        rows=groups,
        rows_degrees=None,
        reruns=tuple(side.reruns_part(groups) for side in every),
        weight=weight,
        largest=largest,
        row_range=row_range,
    )


def corrected_resampled_t(
    differences: Floats,
    *,
    test_over_train: float,
    rows: int,
    weight: float = 1.0,
    largest: float = 1.0,
    row_range: float = 1.0,
) -> PairTest:
    """Corrected resampled t-test for repeated splits (Nadeau and Bengio 2003).

    Training sets of repeats overlap, so that their differences are not independent: the variance of the mean is taken
    as (1 / repeats + test rows / training rows) times the variance between repeats.

    Args:
        differences: shape (repeats,), at least two: mean difference in accuracy, or another metric, of each repeat.
        test_over_train: test rows for each training row.
        rows: independent rows of one test set; the variance is at least that of one discordant row each way.
        weight: see `PairTest`.
        largest: see `PairTest`.
        row_range: see `Side`.

    """
    repeats = len(differences)
    mean = float(differences.mean())
    floor = _PSEUDO_ROWS * (weight * row_range) ** 2 / (rows + _PSEUDO_ROWS * weight) ** 2 / repeats
    floor = floor if math.isfinite(largest) else 0.0
    variance = max(float(differences.var(ddof=1)), floor) * (1 / repeats + test_over_train)
    return PairTest(
        value=mean,
        centre=mean,
        row_variance=variance * rows,
        rows=rows,
        rows_degrees=repeats - 1.0,
        reruns=(),
        weight=weight,
        largest=largest,
        row_range=row_range,
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


def holm_levels(p_values: Sequence[float]) -> list[float]:
    """Return the level at which Holm's procedure tests each p-value: `ALPHA` over how many are no smaller."""
    ranks = np.argsort(np.argsort(p_values, kind="stable"), kind="stable")
    return [ALPHA / (len(p_values) - int(rank)) for rank in ranks]
