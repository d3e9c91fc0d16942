"""On how many test rows one arm's answer scores better than another's."""

import numpy as np

from showdown.verdict.generation.writings import Writings, writings_of
from showdown.verdict.outcomes import ArmOutcomes, shared


def rows_scored_higher(first: ArmOutcomes, second: ArmOutcomes) -> tuple[float, float]:
    """Count the test rows on which one arm's answer scores better than the other's, both ways.

    Returns:
        Rows on which the first does, and the second: means over all pairs of their seeds, and over repeats. Zero where
        the two share no test row.

    """
    ours, theirs = writings_of(first), writings_of(second)
    both = [shared(ours[key], theirs[key]) for key in ours if key in theirs]
    counted = [_counts(a, b) for a, b in both if len(a.row_ids)]
    if not counted:
        return 0.0, 0.0
    first_only, second_only = np.mean(counted, axis=0)
    return float(first_only), float(second_only)


def _counts(first: Writings, second: Writings) -> tuple[float, float]:
    difference = first.metric.sign * (first.row_scores[:, None] - second.row_scores[None])
    return float((difference > 0).sum(axis=2).mean()), float((difference < 0).sum(axis=2).mean())
