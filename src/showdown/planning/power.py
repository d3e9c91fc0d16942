"""What a comparison of some size can decide, before it has run: the chance of finding a difference that is there.

The arithmetic is that of the verdict's own forecast (`verdict/forecast.py`), with what is assumed in the place of what
was seen: accuracy, on how many rows two methods differ, and how far reruns spread.
"""

from dataclasses import dataclass

from showdown.verdict.forecast import POWER
from showdown.verdict.paired import ALPHA, reach_of, tail_of
from showdown.verdict.spread import PRIOR_SPREAD, PRIOR_WORTH

ASSUMED_ACCURACY = 0.8
ASSUMED_DIFFERING = 0.4
"""Rows on which one method is right and the other wrong, over those of two methods whose errors are independent,
2 p (1 - p). Of the six pairs of fine-tuned methods in the two comparisons of the README it was 0.28 to 0.58, 0.37 in the mean (`docs/plan.md`)."""
ASSUMPTION = (
    f"assumed: {100 * ASSUMED_ACCURACY:.0f} % accuracy, two methods of which one alone is right on "
    f"{100 * ASSUMED_DIFFERING * 2 * ASSUMED_ACCURACY * (1 - ASSUMED_ACCURACY):.0f} % of the rows, and reruns that "
    "spread as the verdict assumes (`docs/verdict.md`)"
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much a comparison tests and trains."""

    rows: int
    """Independent test rows, over all folds."""
    seeds: int
    folds: int
    """Trainings of one seed that test different rows."""

    @property
    def parts(self) -> list[tuple[float, float]]:
        """Return variance and degrees of freedom of each source of chance in the difference of two trained methods."""
        accuracy = ASSUMED_ACCURACY
        row = ASSUMED_DIFFERING * 2 * accuracy * (1 - accuracy)
        rerun = (PRIOR_SPREAD / 0.5) ** 2 * accuracy * (1 - accuracy) / (self.seeds * self.folds)
        known = PRIOR_WORTH + self.folds * (self.seeds - 1)
        return [(row / self.rows, max(1.0, self.rows - 1.0)), (rerun, known), (rerun, known)]


def detectable(size: Size, pairs: int) -> float:
    """Return the least difference, as a fraction of 1, that is found with power 0.8 at the strictest level of Holm."""
    return reach_of(size.parts, ALPHA / 2 / pairs) + reach_of(size.parts, 1 - POWER)


def power(size: Size, difference: float, pairs: int) -> float:
    """Return the chance of finding a true difference.

    Args:
        size: of the comparison.
        difference: as a fraction of 1.
        pairs: how many are tested together.

    """
    left = difference - reach_of(size.parts, ALPHA / 2 / pairs)
    tail = tail_of(size.parts, abs(left))
    return 1.0 - tail if left > 0.0 else tail
