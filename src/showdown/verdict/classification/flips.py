"""How many answers differ between two arms, and between the seeds of one."""

import numpy as np

from showdown.verdict.both_ways import both_ways
from showdown.verdict.classification.answers import answers_of
from showdown.verdict.outcomes import ArmOutcomes, Outcomes


def flips(first: ArmOutcomes, second: ArmOutcomes) -> tuple[float, float]:
    """Count the test rows that one arm answers rightly and the other wrongly, both ways.

    Returns:
        Rows that the first alone gets right, and the second alone: means over all pairs of their seeds, and over
        repeats. Zero where the two share no test row.

    """
    return both_ways(answers_of(first), answers_of(second), _flips)


def _flips(first: Outcomes, second: Outcomes) -> tuple[float, float]:
    a, b = first.values.mean(axis=0), second.values.mean(axis=0)
    return float((a * (1 - b)).sum()), float((b * (1 - a)).sum())


def seed_agreement(row: ArmOutcomes) -> float | None:
    """Return the share of test rows on which all seeds answer alike, the mean over repeats; None with one seed."""
    if row.seeds < 2:
        return None
    alike = [(part.predicted == part.predicted[0]).all(axis=0).mean() for part in answers_of(row).values()]
    return float(np.mean(alike))
