"""Scores of predictions. A new metric of the whole is one function and one line in `METRICS`."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from showdown.core.record import ClassScore, Scores

Indices = npt.NDArray[np.int64]

METRICS: dict[str, Callable[[Indices, Indices], float]] = {
    "accuracy": lambda true, said: float(accuracy_score(true, said)),
    "f1_macro": lambda true, said: float(f1_score(true, said, average="macro", zero_division=0)),
    "f1_weighted": lambda true, said: float(f1_score(true, said, average="weighted", zero_division=0)),
    "precision_weighted": lambda true, said: float(precision_score(true, said, average="weighted", zero_division=0)),
    "recall_weighted": lambda true, said: float(recall_score(true, said, average="weighted", zero_division=0)),
}
"""Macro scores are means over the labels that occur among the true or the predicted ones (scikit-learn's default)."""


def score(targets: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> Scores:
    """Score predictions against targets, both indices into ``labels`` of one length.

    Raises:
        ValueError: when there is no row: an empty run must not look like a bad one.

    """
    if not targets:
        raise ValueError("no rows to score")
    true, said = np.asarray(targets), np.asarray(predicted)
    every = list(range(len(labels)))
    precision, recall, f1, support = precision_recall_fscore_support(true, said, labels=every, zero_division=0)
    return Scores(
        **{name: metric(true, said) for name, metric in METRICS.items()},
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
        confusion_matrix=confusion_matrix(true, said, labels=every).tolist(),
    )
