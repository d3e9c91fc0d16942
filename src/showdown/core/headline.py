"""The two scores of a run that a list of runs shows while a comparison goes on, before any verdict."""

from collections.abc import Iterable

from showdown.core.metric import ACCURACY, GENERATION, METRICS, OWN, Metric
from showdown.core.own_metric import metric_with
from showdown.core.record import RunRecord

_OF_WRITING = (OWN, "json_fields", "numeric_match", "exact_match", "rouge_l", "chrf")
"""The most telling first: of scores that fit the data the next ones say less."""
_MOST = 2
_SHORT = {
    "accuracy": "Acc. %",
    "f1_macro": "F1",
    "json_fields": "JSON F1",
    "numeric_match": "Number %",
    "exact_match": "Exact %",
}
"""Headings where room is short; others stay whole."""


def headline_metrics(task: str, runs: Iterable[RunRecord]) -> list[Metric]:
    """Return what is shown of each run: accuracy and macro F1, or of written answers the scores that fit the data best.

    Args:
        task: of the comparison.
        runs: its records so far. Before one has completed, nothing is known of written answers.

    """
    if task != GENERATION:
        return [ACCURACY, METRICS["f1_macro"]]
    done = next((run for run in runs if run.status == "completed"), None)
    if done is None:
        return []
    own = done.writing.own_score if done.writing else None
    return [metric_with(key, own) for key in _OF_WRITING if key in done.scores][:_MOST]


def headline_of(run: RunRecord) -> dict[Metric, float]:
    """Return the scores of a completed run that are shown."""
    values = {metric: score_on_record(run, metric) for metric in headline_metrics(run.spec.task, [run])}
    return {metric: value for metric, value in values.items() if value is not None}


def score_on_record(run: RunRecord, metric: Metric) -> float | None:
    """Return a run's score by a metric of the whole; None where its record has none."""
    fields = {"accuracy": run.accuracy, "f1_macro": run.f1_macro}
    found = fields.get(metric.key)
    return run.scores.get(metric.key) if found is None else found


def short_heading(metric: Metric) -> str:
    """Return the heading of a narrow column."""
    return _SHORT.get(metric.key, metric.heading)
