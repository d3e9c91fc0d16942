"""Tests of all pairs of arms, on the test rows that they share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.macro_f1 import f1_difference, rare_labels
from showdown.verdict.classification.mcnemar import paired_test
from showdown.verdict.forecast import rows_to_decide, seeds_to_decide
from showdown.verdict.influence import row_values
from showdown.verdict.intervals import Estimate
from showdown.verdict.lead import lead_of
from showdown.verdict.model import Interval, PairVerdict, Score
from showdown.verdict.outcomes import ArmOutcomes, Outcomes, RowValues, shared
from showdown.verdict.paired import (
    ALPHA,
    PairTest,
    Side,
    contrast_test,
    corrected_resampled_t,
    holm,
    holm_levels,
    imagined_difference,
)
from showdown.verdict.spread import Reruns, metric_reruns, reruns_of


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as the verdict holds it."""
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)


def score_of(estimate: Estimate, why: str | None) -> Score:
    """Return a score as the verdict holds it: without its interval where there is a reason against it."""
    if why:
        return Score(value=estimate.value, low=None, high=None, why=why)
    return Score(value=estimate.value, low=estimate.low, high=estimate.high)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two arms on shared test rows; differences are first less second."""

    test: PairTest
    """By the metric."""
    accuracy: Estimate | None
    """None where there are no predicted labels. So for the next two."""
    f1_macro: Estimate | None
    """None where it has no honest interval, and for repeated splits."""
    mcnemar_p: float | None
    """None for repeated splits."""


def compare(
    first: ArmOutcomes, second: ArmOutcomes, among: Sequence[ArmOutcomes] = (), metric: Metric = ACCURACY
) -> Compared | None:
    """Compare two arms on shared test rows.

    Args:
        first: one arm.
        second: the other.
        among: all rows of the comparison: how far their reruns spread tells what to expect of these two.
        metric: what is tested.

    Returns:
        None where they share no test row, or no two repeats.

    """
    if first.repeated or second.repeated:
        return _compare_repeats(first, second, metric)
    both = [shared(first.parts[key], second.parts[key]) for key in first.parts if key in second.parts]
    if not both or not len(both[0][0].row_ids):
        return None
    a, b = both[0]
    together = [*among, first, second]
    reruns = reruns_of(first, together), reruns_of(second, together)
    if isinstance(a, Answers) and isinstance(b, Answers):
        return _compare_answers(a, b, reruns, metric)
    return Compared(test=_metric_test(metric, a, b, reruns), accuracy=None, f1_macro=None, mcnemar_p=None)


def _compare_answers(a: Answers, b: Answers, reruns: tuple[Reruns, Reruns], metric: Metric) -> Compared:
    plain = paired_test(side_of(ACCURACY, a, reruns[0]), side_of(ACCURACY, b, reruns[1]), a.clusters)
    test = plain if metric == ACCURACY else _metric_test(metric, a, b, reruns)
    f1 = test.effect if metric == METRICS["f1_macro"] else None
    if f1 is None and not rare_labels(a) and not rare_labels(b):
        f1 = f1_difference(a, b, reruns)
    return Compared(test=test, accuracy=plain.effect, f1_macro=f1, mcnemar_p=plain.exact_p)


def _metric_test(metric: Metric, a: Outcomes, b: Outcomes, reruns: tuple[Reruns, Reruns]) -> PairTest:
    return contrast_test([side_of(metric, a, reruns[0])], [side_of(metric, b, reruns[1])], a.clusters)


def side_of(metric: Metric, part: Outcomes, reruns: Reruns) -> Side:
    """Return what an arm scored as a side of a test, with the sign turned where less is better.

    Args:
        metric: what is tested.
        part: what the arm scored.
        reruns: how far its trainings spread, in what `part.values` are.

    """
    found, clusters = row_values(metric, part), len(np.unique(part.clusters))
    spread = metric_reruns(found, reruns, folds=part.folds, clusters=clusters)
    found = found.oriented(metric.sign)
    return Side(
        values=found.values,
        reruns=spread,
        folds=part.folds,
        weight=found.weight,
        lowest=found.lowest,
        highest=found.highest,
        row_range=found.row_range,
        graded=found.graded,
    )


def _compare_repeats(first: ArmOutcomes, second: ArmOutcomes, metric: Metric) -> Compared | None:
    both = [shared(first.parts[key], second.parts[key]) for key in first.parts if key in second.parts]
    both = [(a, b) for a, b in both if len(a.row_ids)]
    if len(both) < 2:
        return None
    rows = min(len(np.unique(a.clusters)) for a, _ in both)
    ratio = max(first.test_over_train, second.test_over_train)

    def tested(requested: Metric) -> PairTest:
        found = [(row_values(requested, a), row_values(requested, b)) for a, b in both]
        return corrected_resampled_t(
            requested.sign * np.array([a.value - b.value for a, b in found]),
            test_over_train=ratio,
            rows=rows,
            weight=max(one.weight for pair in found for one in pair),
            largest=requested.highest - requested.lowest,
            row_range=_imagined(found),
        )

    labels = all(isinstance(part, Answers) for pair in both for part in pair)
    accuracy = tested(ACCURACY).effect if labels else None
    return Compared(test=tested(metric), accuracy=accuracy, f1_macro=None, mcnemar_p=None)


def _imagined(found: Sequence[tuple[RowValues, RowValues]]) -> float:
    """Return by how much an imagined row of a repeat differs: see `paired.imagined_difference`."""
    ranges = [one.row_range for pair in found for one in pair]
    differences = [float(np.abs(a.values.mean(axis=0) - b.values.mean(axis=0)).max()) for a, b in found]
    graded = any(one.graded for pair in found for one in pair)
    return imagined_difference(max(differences), max(ranges), graded=graded)


def judge_pairs(
    pairs: Sequence[tuple[ArmOutcomes, ArmOutcomes]], among: Sequence[ArmOutcomes] = (), metric: Metric = ACCURACY
) -> list[PairVerdict]:
    """Test pairs of arms together, adjusted for how many they are; those that share no test rows are left out.

    Args:
        pairs: what is compared.
        among: further rows of the comparison: how far their reruns spread tells what to expect of these.
        metric: what is tested.

    """
    rows = {id(row.parts): row for row in (*among, *(row for pair in pairs for row in pair))}
    together = list(rows.values())  # each once, though it stands in many pairs
    tested = [(a, b, found) for a, b in pairs if (found := compare(a, b, together, metric))]
    p_values = [found.test.p_value for _, _, found in tested]
    return [
        _judged(first, second, found, p_holm=p_holm, level=level, pairs=len(tested))
        for (first, second, found), p_holm, level in zip(tested, holm(p_values), holm_levels(p_values), strict=True)
    ]


def _judged(
    first: ArmOutcomes, second: ArmOutcomes, found: Compared, *, p_holm: float, level: float, pairs: int
) -> PairVerdict:
    test, different = found.test, p_holm <= ALPHA
    return PairVerdict(
        first=first.name,
        second=second.name,
        test="corrected resampled t" if first.repeated or second.repeated else "paired over rows and reruns",
        score=interval_of(test.effect),
        accuracy=interval_of(found.accuracy) if found.accuracy else None,
        f1_macro=interval_of(found.f1_macro) if found.f1_macro else None,
        p_value=test.p_value,
        p_holm=p_holm,
        mcnemar_p=found.mcnemar_p,
        centre=test.centre,
        largest=test.largest if math.isfinite(test.largest) else None,
        sources=[part for part in test.parts if part[0] > 0.0],
        different=different,
        lead=interval_of(lead_of(test, level)) if different else None,
        rows=_shared_rows(first, second),
        clusters=test.rows,
        clusters_to_decide=None if different else rows_to_decide(test, pairs=pairs),
        seeds_to_decide=None if different else seeds_to_decide(test, pairs=pairs),
        confounds=[],
    )


def _shared_rows(first: ArmOutcomes, second: ArmOutcomes) -> int:
    keys = [key for key in first.parts if key in second.parts]
    counts = [len(shared(first.parts[key], second.parts[key])[0].row_ids) for key in keys]
    return min(count for count in counts if count)
