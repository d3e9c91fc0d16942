"""Pairs of rows tested together, on the test rows that they share."""

from collections.abc import Sequence

import numpy as np

from showdown.verdict.intervals import Estimate
from showdown.verdict.model import Interval, PairVerdict, Score
from showdown.verdict.outcomes import Floats, RowOutcomes, shared
from showdown.verdict.paired import (
    ALPHA,
    PairTest,
    corrected_resampled_t,
    f1_difference,
    holm,
    paired_test,
    rows_to_decide,
)
from showdown.verdict.spread import STEADY_METHODS

CHANCE = 20261123
"""Seed of the bootstrap: the same records always give the same verdict."""


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as the verdict holds it."""
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)


def score_of(estimate: Estimate) -> Score:
    """Return a score as the verdict holds it."""
    return Score(value=estimate.value, low=estimate.low, high=estimate.high)


def compare(first: RowOutcomes, second: RowOutcomes) -> tuple[PairTest, Estimate | None] | None:
    """Compare two rows on shared test rows: the test of accuracy, and the difference in macro F1 where it is known.

    Returns:
        None where they share no test row, or no two repeats.

    """
    if first.repeated or second.repeated:
        return _compare_repeats(first, second)
    a, b = shared(first.parts[0], second.parts[0])
    if not len(a.true):
        return None
    steady = (first.method in STEADY_METHODS, second.method in STEADY_METHODS)
    test = paired_test(a.correct, b.correct, a.clusters, steady=steady)
    return test, f1_difference(a, b, np.random.default_rng(CHANCE))


def _compare_repeats(first: RowOutcomes, second: RowOutcomes) -> tuple[PairTest, None] | None:
    both = [shared(first.parts[key], second.parts[key]) for key in first.parts if key in second.parts]
    both = [(a, b) for a, b in both if len(a.true)]
    if len(both) < 2:
        return None
    differences: Floats = np.array([a.correct.mean() - b.correct.mean() for a, b in both])
    rows = min(len(np.unique(a.clusters)) for a, _ in both)
    return corrected_resampled_t(differences, test_over_train=first.test_over_train, rows=rows), None


def judge_pairs(pairs: Sequence[tuple[RowOutcomes, RowOutcomes]]) -> list[PairVerdict]:
    """Test pairs of rows together, adjusted for how many they are; those that share no test rows are left out."""
    tested = [(a, b, found) for a, b in pairs if (found := compare(a, b))]
    adjusted = holm([test.p_value for _, _, (test, _) in tested])
    return [
        PairVerdict(
            first=first.name,
            second=second.name,
            test="paired over rows and reruns" if test.mcnemar_p is not None else "corrected resampled t",
            accuracy=interval_of(test.effect),
            f1_macro=interval_of(f1) if f1 else None,
            p_value=test.p_value,
            p_holm=p_holm,
            mcnemar_p=test.mcnemar_p,
            different=p_holm <= ALPHA,
            rows=_shared_rows(first, second),
            clusters=test.rows,
            clusters_to_decide=(rows, rows)
            if (rows := rows_to_decide(test, pairs=len(tested), beyond=test.rows if p_holm > ALPHA else 0))
            else None,
            confounds=[],
        )
        for (first, second, (test, f1)), p_holm in zip(tested, adjusted, strict=True)
    ]


def _shared_rows(first: RowOutcomes, second: RowOutcomes) -> int:
    keys = [key for key in first.parts if key in second.parts]
    counts = [len(shared(first.parts[key], second.parts[key])[0].true) for key in keys]
    return min(count for count in counts if count)
