"""The metric that arms with written answers are ranked by, and the sentence that explains it."""

from showdown.core.metric import AUTO, Metric
from showdown.core.metric_choice import automatic_for_writing, refuse_metric_without_scores
from showdown.core.own_metric import metric_with
from showdown.core.record import Results
from showdown.verdict.generation.writings import scored_keys

_BECAUSE = {
    "json_fields": "the wanted answers are JSON objects",
    "numeric_match": "the wanted answers are numbers",
    "exact_match": "the wanted answers are short ({words} at the median)",
    "rouge_l": "the wanted answers are long ({words} at the median)",
    "chrf": "the wanted answers are in a script for which ROUGE-L has no words",
}
"""Why `auto` takes a metric."""


def metric_of_writing(key: str, results: Results, *, place: str) -> Metric:
    """Return the metric of a verdict on written answers.

    Args:
        key: as it was asked for.
        results: the comparison, with its own score.
        place: where it was asked for, for the message.

    Raises:
        UserError: for a metric that these answers were not scored by.

    """
    scored = scored_keys(results)
    if key == AUTO:
        return automatic_for_writing(scored, _median_words(results))
    if any(run.status == "completed" for run in results.runs):
        refuse_metric_without_scores(key, scored, place=place)
    return metric_with(key, results.own_score)


def ranked_by(metric: Metric, key: str, results: Results) -> str:
    """Return the sentence that says by which metric methods are ranked, and why.

    Args:
        metric: which.
        key: as it was asked for.
        results: the comparison.

    """
    how = f"Methods are ranked, tested and recommended by {metric.title}"
    if key != AUTO:
        return f"{how}, as asked."
    words = _median_words(results)
    if metric.key not in scored_keys(results):
        return f"{how}."
    if words is None and metric.key in {"exact_match", "rouge_l"}:
        return f"{how}."
    counted = "" if words is None else f"{words:g} word{_plural(words)}"
    return f"{how}: {_BECAUSE[metric.key].format(words=counted)}."


def _plural(words: float | None) -> str:
    return "" if words == 1 else "s"


def _median_words(results: Results) -> float | None:
    """Return the median number of words of the wanted answers, where the data were counted."""
    found = (results.data.get("written") or {}).get("median_answer_words")
    return None if found is None else float(found)
