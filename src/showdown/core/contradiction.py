"""Check that a record's scores agree with its confusion matrix, or of written answers with each other.

`core/predictions.py` checks the matrix against the predictions file, and `core/written.py` the scores of written
answers, so every score is backed by the predictions.
"""

import math
from collections.abc import Iterator

from showdown.core.metric import GENERATION, METRICS, OWN
from showdown.core.own_metric import own_metric
from showdown.core.record import RunRecord

_ROUNDING = 1e-6
"""Rounding error allowed in a score that was written and read."""


def contradiction(run: RunRecord) -> str | None:
    """Return a description of the first score that disagrees with the rest of the record, or None."""
    if run.spec.task == GENERATION:
        return next(_of_writing(run), None)
    if run.accuracy is None:
        return None
    if not sum(map(sum, run.confusion_matrix)):
        return "scores without a test row"
    for name, given in (*_scores_from(run.confusion_matrix), *_metrics(run)):
        written = _written(run, name)
        if written is not None and abs(written - given) > _ROUNDING:
            return f"{_article(name)} of {written:g} where its confusion matrix gives {given:g}"
    return None


def _of_writing(run: RunRecord) -> Iterator[str]:
    """Yield what is wrong with the scores of a run that wrote answers."""
    if run.confusion_matrix or run.per_class or run.accuracy is not None:
        yield "scores of labels where answers were written"
    for key, value in run.scores.items():
        metric = METRICS.get(key)
        if key == OWN:
            metric = own_metric(run.writing.own_score if run.writing else None)
        if metric and not metric.lowest - _ROUNDING <= value <= metric.highest + _ROUNDING:
            yield f"`scores.{key}` of {value:g}, outside {metric.lowest:g} to {metric.highest:g}"
    loss, perplexity = run.scores.get("token_loss"), run.scores.get("perplexity")
    if loss is not None and perplexity is not None and abs(math.log(max(1.0, perplexity)) - loss) > _ROUNDING:
        yield f"a perplexity of {perplexity:g} where its token loss of {loss:g} gives another"
    cut, rows = run.writing.cut_answers if run.writing else 0, run.predictions_rows
    if rows is not None and cut > rows:
        yield f"{cut} answers that were cut, of {rows}"


def _metrics(run: RunRecord) -> Iterator[tuple[str, float]]:
    """Yield the name `scores.KEY` and the value of each other metric of the record, computed from the matrix."""
    if not run.scores:
        return
    import numpy as np

    matrix = np.array(run.confusion_matrix, dtype=np.float64)
    occurring = matrix.sum(0) + matrix.sum(1) > 0
    counts = [found[occurring] for found in (matrix.sum(1), matrix.sum(0), matrix.diagonal())]
    for key in run.scores:
        metric = METRICS.get(key)
        if metric and metric.of_counts and not metric.of_label:
            yield f"scores.{key}", float(metric.of_counts(*counts))


def _scores_from(matrix: list[list[int]]) -> Iterator[tuple[str, float]]:
    """Yield the name and the value of each score, as scikit-learn defines them. A label's is `per_class.INDEX.NAME`.

    Macro F1 is the mean over the labels that are true or predicted for some row. A score with denominator zero is 0.
    """
    correct = [row[index] for index, row in enumerate(matrix)]
    true, predicted = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix, strict=True)]
    rows = sum(true)
    precision = [_share(*pair) for pair in zip(correct, predicted, strict=True)]
    recall = [_share(*pair) for pair in zip(correct, true, strict=True)]
    f1 = [_share(2 * hits, here + there) for hits, here, there in zip(correct, true, predicted, strict=True)]
    occurring = [score for score, here, there in zip(f1, true, predicted, strict=True) if here + there]
    yield "accuracy", sum(correct) / rows
    yield "f1_macro", sum(occurring) / len(occurring)
    for name, scores in (("f1", f1), ("precision", precision), ("recall", recall)):
        yield f"{name}_weighted", sum(score * here for score, here in zip(scores, true, strict=True)) / rows
    for index, values in enumerate(zip(precision, recall, f1, true, strict=True)):
        for name, value in zip(("precision", "recall", "f1", "rows"), values, strict=True):
            yield f"per_class.{index}.{name}", float(value)


def _written(run: RunRecord, name: str) -> float | None:
    """Return a score of the record; None when the record does not have it."""
    if name.startswith("scores."):
        return run.scores[name.removeprefix("scores.")]
    if not name.startswith("per_class."):
        value: float | None = getattr(run, name)
        return value
    _, index, score = name.split(".")
    return float(getattr(run.per_class[int(index)], score)) if run.per_class else None


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}" if "." not in name else f"`{name}`"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
