"""The metric that arms are ranked by, and the sentence that explains it."""

from collections.abc import Mapping

import numpy as np

from showdown.core.errors import UserError
from showdown.core.metric import ACCURACY, AUTO, Metric, in_short, metric_key, metric_named
from showdown.core.metric_choice import FOR_UNBALANCED, UNBALANCED, refuse_other_task, refuse_unknown_label
from showdown.core.record import Results
from showdown.verdict.classification.answers import answers_of
from showdown.verdict.outcomes import ArmOutcomes


def requested_metric(results: Results, asked: str | None) -> str:
    """Return the key of the requested metric.

    Args:
        results: the comparison, which may name one.
        asked: what is asked for in its place; None for nothing.

    Raises:
        UserError: for an unknown metric, one of another task, or a label that the data does not have.

    """
    protocol = results.comparison.get("protocol")
    written = protocol.get("metric", AUTO) if isinstance(protocol, dict) else AUTO
    try:
        key = str(metric_key(written if asked is None else asked))
        refuse_other_task(key, results.task)
    except ValueError as error:
        raise UserError(f"{asked_at(asked)}: {error}") from error
    refuse_unknown_label(key, [label for run in results.runs for label in run.labels])
    return key


def asked_at(asked: str | None) -> str:
    """Return where a metric was asked for, for messages: in the comparison, or in its place."""
    return "`protocol.metric`" if asked is None else "--metric"


def scores_needed(key: str) -> str | None:
    """Return the label whose scores a metric goes by; None where answers are enough."""
    metric = None if key == AUTO else metric_named(key)
    return metric.label if metric and metric.of_counts is None else None


def ranking(key: str, outcomes: Mapping[str, ArmOutcomes], labels: Mapping[str, int]) -> tuple[Metric, str | None]:
    """Return the metric of a verdict, and a sentence that says which and why; None for accuracy of balanced labels.

    `auto` is accuracy. Where one label has `UNBALANCED` of the test rows, it is `FOR_UNBALANCED`.

    Args:
        key: as it was asked for.
        outcomes: the arms, on the test rows on which they are compared.
        labels: the number of each label in them.

    """
    share, label = _most_frequent(outcomes, labels)
    unbalanced = share >= UNBALANCED
    metric = (FOR_UNBALANCED if unbalanced else ACCURACY) if key == AUTO else metric_named(key)
    if metric == ACCURACY and not unbalanced:
        return metric, None
    how = f"methods are ranked, tested and recommended by {metric.title}"
    if metric == ACCURACY:
        how += ", as asked"
    elif not metric.percent:
        how += ", a point of which is 0.01"
    if not unbalanced:
        return metric.at(labels), f"{how[0].upper()}{how[1:]}."
    part = f"{100 * share:.1f} %"
    constant = (
        f"{part} of the test rows have the label {in_short(label)}, so that always answering it has {part} accuracy"
    )
    return metric.at(labels), f"{constant}: {how}."


def _most_frequent(outcomes: Mapping[str, ArmOutcomes], labels: Mapping[str, int]) -> tuple[float, str]:
    """Return the share of the test rows that the most frequent label has, and its name."""
    parts = next((list(answers_of(row).values()) for row in outcomes.values()), [])
    if not parts:
        return 0.0, ""
    counts = np.bincount(np.concatenate([part.true for part in parts]))
    name = {number: label for label, number in labels.items()}[int(counts.argmax())]
    return float(counts.max() / counts.sum()), name
