"""Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): few rows for many candidates, many rows for few."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from showdown.core.task import selection_key


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a candidate was worth on some rows."""

    rows: int = 0
    tokens: int = 0
    probability_sum: float = 0.0
    """Over the tokens of the wanted answers."""
    loss_sum: float = 0.0
    """Over the same tokens, in nats."""

    def __add__(self, other: "Tally") -> "Tally":
        """Return what it is worth on the rows of both."""
        return Tally(
            rows=self.rows + other.rows,
            tokens=self.tokens + other.tokens,
            probability_sum=self.probability_sum + other.probability_sum,
            loss_sum=self.loss_sum + other.loss_sum,
        )

    @property
    def score(self) -> float:
        """Return the mean probability of a token."""
        return self.probability_sum / self.tokens

    @property
    def loss(self) -> float:
        """Return the mean loss of a token, in nats."""
        return self.loss_sum / self.tokens


def rounds(candidates: int, rows: int, *, least: int) -> list[int]:
    """Return how many rows each round judges by: they double up to ``rows``, and are never fewer than ``least``.

    The better half of the candidates goes on, so that after the last round one is left.
    """
    count = max(1, (candidates - 1).bit_length())
    return [min(rows, max(least, rows >> (count - 1 - turn))) for turn in range(count)]


def successive_halving(
    candidates: int, rows: int, judge: Callable[[int, range], Tally], *, least: int
) -> tuple[int, list[Tally]]:
    """Search for the best candidate.

    Args:
        candidates: how many there are, at least one.
        rows: rows that the last two are judged by, at least one.
        judge: returns what a candidate is worth on some of the rows.
        least: rows of the first round, where there are so many.

    Returns:
        The best candidate, of equal ones the first, and for each what it was worth on the rows that it was judged by.

    """
    tallies = [Tally() for _ in range(candidates)]
    left, judged = list(range(candidates)), 0
    for upto in rounds(candidates, rows, least=least):
        if upto > judged:
            for one in left:
                tallies[one] += judge(one, range(judged, upto))
        judged = upto
        left.sort(key=lambda one: selection_key(tallies[one].score, tallies[one].loss), reverse=True)
        left = left[: ceil(len(left) / 2)]
    return left[0], tallies
