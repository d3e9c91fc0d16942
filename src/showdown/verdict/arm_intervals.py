"""Intervals of everything that the verdict says of one arm."""

from collections.abc import Sequence

import numpy as np

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.verdict.classification.answers import Answers, answers_of
from showdown.verdict.classification.macro_f1 import f1_interval, rare_labels
from showdown.verdict.influence import row_values
from showdown.verdict.intervals import Estimate, graded_share, metric_interval, repeated_interval
from showdown.verdict.outcomes import ArmOutcomes, Outcomes, RowValues
from showdown.verdict.spread import Reruns, reruns_of

_F1_MACRO, _TOKEN_LOSS = METRICS["f1_macro"], METRICS["token_loss"]
_FEWEST_TEXTS = 2


def accuracy_interval(part: Answers, reruns: Reruns) -> Estimate:
    """Interval of an arm's accuracy, whatever its test rows and seeds.

    Args:
        part: its answers.
        reruns: how far its trainings spread.

    """
    return metric_interval(row_values(ACCURACY, part), part, reruns)


def arm_intervals(
    row: ArmOutcomes, among: Sequence[ArmOutcomes] = (), metric: Metric = ACCURACY
) -> dict[str, Estimate]:
    """Intervals of one arm: `score`, by the metric of the verdict, and of answers `accuracy` and `f1_macro`.

    Args:
        row: the arm.
        among: all arms of the comparison: how far their reruns spread tells what to expect of this one.
        metric: that of the verdict.

    """
    by_key = _of_answers(row, among)
    if metric.of_token_loss is not None:
        return {**by_key, "score": _of_token_loss(row, among, metric)}
    return {**by_key, "score": by_key.get(metric.key) or _interval(row, among, metric)}


def _of_token_loss(row: ArmOutcomes, among: Sequence[ArmOutcomes], metric: Metric) -> Estimate:
    """Return the interval of a function of the loss a token: that of the loss, its ends put through the function.

    The interval of the loss is symmetric on a log scale (delta method): losses of rows are skewed, and their mean is
    above zero. So the symmetric one misses on one side where test rows are few.
    """
    assert metric.of_token_loss is not None
    of_loss = _interval(row, among, _TOKEN_LOSS)
    value = float(np.mean([row_values(metric, part).value for part in row.parts.values()]))
    factor = np.exp((of_loss.high - of_loss.value) / of_loss.value) if of_loss.value > 0.0 else 1.0
    low, high = (float(end) for end in metric.of_token_loss(of_loss.value * np.array([1 / factor, factor])))
    return Estimate(value=value, low=max(metric.lowest, min(low, value)), high=max(high, value))


def _of_answers(row: ArmOutcomes, among: Sequence[ArmOutcomes]) -> dict[str, Estimate]:
    """Return the intervals of accuracy and macro F1; empty where there are no predicted labels."""
    part = row.parts[min(row.parts)]
    if not isinstance(part, Answers):
        return {}
    if row.repeated:
        return {one.key: _over_repeats(row, one) for one in (ACCURACY, _F1_MACRO)}
    reruns = reruns_of(row, among)
    return {ACCURACY.key: accuracy_interval(part, reruns), _F1_MACRO.key: f1_interval(part, reruns)}


def _interval(row: ArmOutcomes, among: Sequence[ArmOutcomes], metric: Metric) -> Estimate:
    if row.repeated:
        return _over_repeats(row, metric)
    part = row.parts[min(row.parts)]
    return metric_interval(row_values(metric, part), part, reruns_of(row, among))


def _over_repeats(row: ArmOutcomes, metric: Metric) -> Estimate:
    parts = list(row.parts.values())
    found = [row_values(metric, part) for part in parts]
    weighed = metric.key != _F1_MACRO.key  # its figures were calibrated without it
    return repeated_interval(
        np.array([one.value for one in found]),
        test_over_train=row.test_over_train,
        clusters=min(len(np.unique(part.clusters)) for part in parts),
        weight=max(_least_share(one, part) for one, part in zip(found, parts, strict=True)) if weighed else 1.0,
        lowest=found[0].lowest,
        highest=found[0].highest,
    )


def _least_share(found: RowValues, part: Outcomes) -> float:
    """Return the least variance of a repeat, as `repeated_interval` takes it."""
    if not found.graded:
        return found.weight
    shares = (found.values - found.lowest) / (found.highest - found.lowest)
    return graded_share(shares, len(np.unique(part.clusters)))


def no_f1_interval(row: ArmOutcomes) -> str | None:
    """Return why macro F1 of an arm has no valid interval; None where it has one."""
    parts = [part for part in row.parts.values() if isinstance(part, Answers)]
    return next((why for part in parts if (why := rare_labels(part))), None)


def no_interval(row: ArmOutcomes, metric: Metric) -> str | None:
    """Return why the metric of an arm has no valid interval; None where it has one."""
    if metric.over_labels:
        return no_f1_interval(row)
    if metric.label is None:
        return None
    few = min(len(np.unique(part.clusters[part.true == metric.place])) for part in answers_of(row).values())
    text = f"{metric.label} has fewer than {_FEWEST_TEXTS} different test texts"
    return text if few < _FEWEST_TEXTS else None
