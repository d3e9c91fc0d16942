"""Pairs of rows tested together, on the test rows that they share."""

from collections.abc import Sequence

import numpy as np

from showdown.verdict.forecast import rows_to_decide, seeds_to_decide
from showdown.verdict.intervals import Estimate, rare_labels
from showdown.verdict.lead import lead_of
from showdown.verdict.model import Interval, PairVerdict, Score
from showdown.verdict.outcomes import Floats, Outcomes, RowOutcomes, shared
from showdown.verdict.paired import (
    ALPHA,
    PairTest,
    Side,
    corrected_resampled_t,
    f1_difference,
    holm,
    holm_levels,
    paired_test,
)
from showdown.verdict.spread import Reruns, reruns_of


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as the verdict holds it."""
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)


def score_of(estimate: Estimate, why: str | None) -> Score:
    """Return a score as the verdict holds it: without its interval where there is a reason why it is not honest."""
    if why:
        return Score(value=estimate.value, low=None, high=None, why=why)
    return Score(value=estimate.value, low=estimate.low, high=estimate.high)


def compare(
    first: RowOutcomes, second: RowOutcomes, among: Sequence[RowOutcomes] = ()
) -> tuple[PairTest, Estimate | None] | None:
    """Compare two rows on shared test rows: the test of accuracy, and the difference in macro F1 where it is known.

    Args:
        first: one row of the table.
        second: the other.
        among: all rows of the comparison: how far their reruns spread tells what to expect of these two.

    Returns:
        None where they share no test row, or no two repeats.

    """
    if first.repeated or second.repeated:
        return _compare_repeats(first, second)
    both = [shared(first.parts[key], second.parts[key]) for key in first.parts if key in second.parts]
    if not both or not len(both[0][0].true):
        return None
    a, b = both[0]
    together = [*among, first, second]
    reruns = reruns_of(first, together), reruns_of(second, together)
    test = paired_test(side_of(a, reruns[0]), side_of(b, reruns[1]), a.clusters)
    return test, None if rare_labels(a) or rare_labels(b) else f1_difference(a, b, reruns)


def side_of(part: Outcomes, reruns: Reruns) -> Side:
    """Return answers as a side of a test."""
    return Side(correct=part.correct, reruns=reruns, folds=part.folds)


def _compare_repeats(first: RowOutcomes, second: RowOutcomes) -> tuple[PairTest, None] | None:
    both = [shared(first.parts[key], second.parts[key]) for key in first.parts if key in second.parts]
    both = [(a, b) for a, b in both if len(a.true)]
    if len(both) < 2:
        return None
    differences: Floats = np.array([a.correct.mean() - b.correct.mean() for a, b in both])
    rows = min(len(np.unique(a.clusters)) for a, _ in both)
    ratio = max(first.test_over_train, second.test_over_train)
    return corrected_resampled_t(differences, test_over_train=ratio, rows=rows), None


def judge_pairs(
    pairs: Sequence[tuple[RowOutcomes, RowOutcomes]], among: Sequence[RowOutcomes] = ()
) -> list[PairVerdict]:
    """Test pairs of rows together, adjusted for how many they are; those that share no test rows are left out.

    Args:
        pairs: what is compared.
        among: further rows of the comparison: how far their reruns spread tells what to expect of these.

    """
    together = [*among, *(row for pair in pairs for row in pair)]
    tested = [(a, b, found) for a, b in pairs if (found := compare(a, b, together))]
    p_values = [test.p_value for _, _, (test, _) in tested]
    return [
        _judged(first, second, test, f1, p_holm=p_holm, level=level, pairs=len(tested))
        for (first, second, (test, f1)), p_holm, level in zip(
            tested, holm(p_values), holm_levels(p_values), strict=True
        )
    ]


def _judged(
    first: RowOutcomes,
    second: RowOutcomes,
    test: PairTest,
    f1: Estimate | None,
    *,
    p_holm: float,
    level: float,
    pairs: int,
) -> PairVerdict:
    different = p_holm <= ALPHA
    return PairVerdict(
        first=first.name,
        second=second.name,
        test="paired over rows and reruns" if test.mcnemar_p is not None else "corrected resampled t",
        accuracy=interval_of(test.effect),
        f1_macro=interval_of(f1) if f1 else None,
        p_value=test.p_value,
        p_holm=p_holm,
        mcnemar_p=test.mcnemar_p,
        different=different,
        lead=interval_of(lead_of(test, level)) if different else None,
        rows=_shared_rows(first, second),
        clusters=test.rows,
        clusters_to_decide=None if different else rows_to_decide(test, pairs=pairs),
        seeds_to_decide=None if different else seeds_to_decide(test, pairs=pairs),
        confounds=[],
    )


def _shared_rows(first: RowOutcomes, second: RowOutcomes) -> int:
    keys = [key for key in first.parts if key in second.parts]
    counts = [len(shared(first.parts[key], second.parts[key])[0].true) for key in keys]
    return min(count for count in counts if count)
