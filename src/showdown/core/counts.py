"""Metrics of labels as functions of counts.

Each takes the examples of each label, the answers of each label, and the right ones, shapes (..., labels), and returns
the metric, shape (...).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]


def accuracy(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the share of right answers."""
    return right.sum(-1) / true.sum(-1)  # type: ignore[no-any-return]


def _over(part: "Counts", whole: "Counts") -> "Counts":
    """Return part / whole, 0 where the whole is 0."""
    return part / (whole + (whole == 0))  # type: ignore[no-any-return]


def _weighted(scores: "Counts", true: "Counts") -> "Counts":
    """Return the mean of the labels' scores, each weighted by its examples."""
    return _over((scores * true).sum(-1), true.sum(-1))


def f1_macro(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of 2 TP / (true + predicted) over the labels that occur in either; scikit-learn's macro F1."""
    size = true + predicted
    return _over(_over(2 * right, size).sum(-1), (size > 0).sum(-1))


def f1_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of the labels' F1, weighted by their examples."""
    return _weighted(_over(2 * right, true + predicted), true)


def precision_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of the labels' precision, weighted by their examples."""
    return _weighted(_over(right, predicted), true)


def recall_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of the labels' recall, weighted by their examples."""
    return _weighted(_over(right, true), true)


def balanced_accuracy(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of the labels' recalls (Brodersen et al. 2010), over those that have test rows."""
    return _over(_over(right, true).sum(-1), (true > 0).sum(-1))


def mcc(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return Matthews' correlation coefficient for any number of labels (Gorodkin 2004); 0 for a constant answer."""
    rows = true.sum(-1)
    together = right.sum(-1) * rows - (true * predicted).sum(-1)
    apart = (rows**2 - (true**2).sum(-1)) * (rows**2 - (predicted**2).sum(-1))
    return together / (apart + (apart == 0)) ** 0.5  # type: ignore[no-any-return]
