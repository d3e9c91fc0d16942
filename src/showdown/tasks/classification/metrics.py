"""Scores of predicted labels: every metric of `core/metric.py` that follows from counts, and scores of each label."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from showdown.core.metric import METRICS
from showdown.core.record import ClassScore, Scores

Indices = npt.NDArray[np.int64]


def metric_value(key: str, true: Indices, predicted: Indices) -> float:
    """Return a metric of predicted labels, as scikit-learn defines it where it has it.

    Args:
        key: of a metric in `METRICS` that follows from counts.
        true: shape (rows,), at least one: indices of labels.
        predicted: shape (rows,).

    """
    of_counts = METRICS[key].of_counts
    assert of_counts is not None
    _, places = np.unique(np.concatenate([true, predicted]), return_inverse=True)
    true, predicted = places[: len(true)], places[len(true) :]
    counts = (np.bincount(found, minlength=places.max() + 1) for found in (true, predicted, true[true == predicted]))
    return float(of_counts(*(found.astype(np.float64) for found in counts)))


def score(targets: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> Scores:
    """Score predictions against targets, both indices into ``labels`` of one length.

    Raises:
        ValueError: when there is no row: an empty run must not look like a bad one.

    """
    if not targets:
        raise ValueError("no rows to score")
    true, answers = np.asarray(targets), np.asarray(predicted)
    every = list(range(len(labels)))
    precision, recall, f1, support = precision_recall_fscore_support(true, answers, labels=every, zero_division=0)
    values = {key: metric_value(key, true, answers) for key, metric in METRICS.items() if metric.is_of_all_labels}
    return Scores(
        **{key: value for key, value in values.items() if key in Scores.model_fields},
        scores={key: value for key, value in values.items() if key not in Scores.model_fields},
        per_class=[
            ClassScore(
                label=label,
                precision=float(precision[index]),
                recall=float(recall[index]),
                f1=float(f1[index]),
                rows=int(support[index]),
            )
            for index, label in enumerate(labels)
        ],
        confusion_matrix=confusion_matrix(true, answers, labels=every).tolist(),
    )
