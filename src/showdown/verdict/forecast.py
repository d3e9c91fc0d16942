"""How many test rows or seeds would probably show a difference that was not shown."""

from collections.abc import Callable

import numpy as np
from scipy import optimize, special

from showdown.verdict.paired import ALPHA, PairTest, reach_of

POWER = 0.8
"""The usual chance of finding a difference that is there."""
_MOST_ROWS, _MOST_SEEDS = 10**9, 100

Range = tuple[int, int | None] | None
"""From fewest to most; the most is None where no number would do in the worse case, all is None where none does in the
better one."""


def plausible_sizes(test: PairTest) -> tuple[float, float]:
    """Return two sizes between which the true difference lies with even odds, whichever side is better.

    They are the quartiles of the size of a normal variable around what was seen: what was seen alone would promise too
    much to those who look where a difference came out large.
    """

    def size_at(share: float) -> float:
        def below(size: float) -> float:
            edges = (np.array([size, -size]) - test.centre) / test.error
            return float(special.ndtr(edges[0]) - special.ndtr(edges[1])) - share

        return float(optimize.brentq(below, 0.0, abs(test.centre) + 10 * test.error))

    return size_at(0.25), size_at(0.75)


def rows_to_decide(test: PairTest, *, pairs: int) -> Range:
    """Independent test rows at which a difference would be found with power 0.8, over what it may truly be.

    Connor's sample size for paired shares (1987) at the strictest level of Holm's procedure, with the part of the
    reruns, which rows cannot lessen. The result is always more than were tested.

    Args:
        test: what was seen.
        pairs: how many are tested together.

    """

    if test.error == 0.0:
        return None

    def finds(size: float) -> Callable[[int], bool]:
        return lambda rows: _finds(test.parts_with(rows), size, pairs)

    small, large = plausible_sizes(test)
    return _range(_first(finds(large), test.rows + 1, _MOST_ROWS), _first(finds(small), test.rows + 1, _MOST_ROWS))


def seeds_to_decide(test: PairTest, *, pairs: int) -> Range:
    """Seeds of each trained method at which a difference would be found with power 0.8, over what it may truly be.

    The spread between reruns, and what flipping rows add, is divided by more of them and better known; the rest of the
    part of the rows is left as it is.

    Args:
        test: what was seen.
        pairs: how many are tested together.

    """
    if test.error == 0.0 or not any(part.variance for part in test.reruns):
        return None
    more = max(part.seeds for part in test.reruns) + 1

    def finds(size: float) -> Callable[[int], bool]:
        return lambda seeds: _finds(test.parts_with(test.rows, seeds), size, pairs)

    small, large = plausible_sizes(test)
    return _range(_first(finds(large), more, _MOST_SEEDS), _first(finds(small), more, _MOST_SEEDS))


def _finds(parts: list[tuple[float, float]], size: float, pairs: int) -> bool:
    return reach_of(parts, ALPHA / 2 / pairs) + reach_of(parts, 1 - POWER) <= size


def _range(fewest: int | None, most: int | None) -> Range:
    return None if fewest is None else (fewest, most)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the first number that holds, of a property that stays once it holds; None where not even ``high`` does."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
