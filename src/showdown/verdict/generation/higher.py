"""On how many test rows one arm's answer scores better than another's."""

from showdown.verdict.both_ways import both_ways
from showdown.verdict.generation.writings import Writings, writings_of
from showdown.verdict.outcomes import ArmOutcomes


def rows_scored_higher(first: ArmOutcomes, second: ArmOutcomes) -> tuple[float, float]:
    """Count the test rows on which one arm's answer scores better than the other's, both ways.

    Returns:
        Rows on which the first does, and the second: means over all pairs of their seeds, and over repeats. Zero where
        the two share no test row.

    """
    return both_ways(writings_of(first), writings_of(second), _counts)


def _counts(first: Writings, second: Writings) -> tuple[float, float]:
    difference = first.metric.sign * (first.row_scores[:, None] - second.row_scores[None])
    return float((difference > 0).sum(axis=2).mean()), float((difference < 0).sum(axis=2).mean())
