"""Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): few rows for many candidates, many rows for few."""

from collections.abc import Callable, Sequence
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
    candidates: int, rows: int, judge: Callable[[int, range], Tally | None], *, least: int
) -> tuple[int, list[Tally]]:
    """Search for the best candidate.

    Args:
        candidates: how many there are, at least one.
        rows: rows that the last two are judged by, at least one.
        judge: returns what a candidate is worth on some of the rows, or None to end the search at once; for the first
            candidate it must return something.
        least: rows of the first round, where there are so many.

    Returns:
        The best candidate, of equal ones the first, and for each what it was worth on the rows that it was judged by.
        Where the search was ended in a round, it is the best of those that the round has judged, which all have the
        same rows, or the best of the round before.

    """
    tallies = [Tally() for _ in range(candidates)]
    left, judged = list(range(candidates)), 0
    for upto in rounds(candidates, rows, least=least):
        if upto > judged:
            for turn, one in enumerate(left):
                found = judge(one, range(judged, upto))
                if found is None:
                    return _best_first(left[: max(1, turn)], tallies)[0], tallies
                tallies[one] += found
        judged = upto
        left = _best_first(left, tallies)[: ceil(len(left) / 2)]
    return left[0], tallies


def _best_first(candidates: Sequence[int], tallies: Sequence[Tally]) -> list[int]:
    return sorted(candidates, key=lambda one: selection_key(tallies[one].score, tallies[one].loss), reverse=True)
