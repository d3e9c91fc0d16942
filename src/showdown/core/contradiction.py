"""Where a record contradicts itself: every score of the whole follows from its confusion matrix.

The matrix itself is held against the predictions file (`core/predictions.py`), so that no score stands that the answers
do not bear out.
"""

from collections.abc import Iterator

from showdown.core.metric import METRICS
from showdown.core.record import RunRecord

_ROUNDING = 1e-6
"""By which a score that was written and read may miss."""


def contradiction(run: RunRecord) -> str | None:
    """Say where a record's scores are not what its own confusion matrix gives, or return None."""
    if run.accuracy is None:
        return None
    if not sum(map(sum, run.confusion_matrix)):
        return "scores without a test row"
    for name, given in (*_by_matrix(run.confusion_matrix), *_metrics(run)):
        written = _written(run, name)
        if written is not None and abs(written - given) > _ROUNDING:
            return f"{_article(name)} of {written:g} where its confusion matrix gives {given:g}"
    return None


def _metrics(run: RunRecord) -> Iterator[tuple[str, float]]:
    """Yield what the matrix gives for each metric of the record that has no field of its own, as `scores.KEY`."""
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


def _by_matrix(matrix: list[list[int]]) -> Iterator[tuple[str, float]]:
    """Yield each score by its name, those of a label as `per_class.INDEX.NAME`: scikit-learn's definitions.

    Macro F1 is the mean over labels that occur among the true or the given ones; what would be divided by zero is 0.
    """
    right = [row[place] for place, row in enumerate(matrix)]
    true, said = [sum(row) for row in matrix], [sum(column) for column in zip(*matrix, strict=True)]
    rows = sum(true)
    precision = [_share(*pair) for pair in zip(right, said, strict=True)]
    recall = [_share(*pair) for pair in zip(right, true, strict=True)]
    f1 = [_share(2 * hits, here + there) for hits, here, there in zip(right, true, said, strict=True)]
    occurring = [score for score, here, there in zip(f1, true, said, strict=True) if here + there]
    yield "accuracy", sum(right) / rows
    yield "f1_macro", sum(occurring) / len(occurring)
    for name, scores in (("f1", f1), ("precision", precision), ("recall", recall)):
        yield f"{name}_weighted", sum(score * here for score, here in zip(scores, true, strict=True)) / rows
    for place, values in enumerate(zip(precision, recall, f1, true, strict=True)):
        for name, value in zip(("precision", "recall", "f1", "rows"), values, strict=True):
            yield f"per_class.{place}.{name}", float(value)


def _written(run: RunRecord, name: str) -> float | None:
    """Return what a record says; None where it says nothing."""
    if name.startswith("scores."):
        return run.scores[name.removeprefix("scores.")]
    if not name.startswith("per_class."):
        value: float | None = getattr(run, name)
        return value
    _, place, score = name.split(".")
    return float(getattr(run.per_class[int(place)], score)) if run.per_class else None


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}" if "." not in name else f"`{name}`"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
