"""The choice of a method's own settings by the validation rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Candidate = TypeVar("Candidate")
Model = TypeVar("Model")
_LEAST = 1e-9
"""A probability of 0 counts as this, so that one row does not decide alone."""


def best_by_validation(
    candidates: Iterable[Candidate],
    fitted: Callable[[Candidate], Model],
    probabilities: Callable[[Model], npt.NDArray[np.float64]],
    targets: Sequence[int],
) -> tuple[Candidate, Model]:
    """Return the candidate under which the right labels of the validation rows are likeliest, and its model.

    The mean logarithm of their probabilities decides, not the mean probability that epochs are chosen by: the votes of
    a few neighbours are all or nothing, and one neighbour would win by it although twenty are right more often.

    Args:
        candidates: in the order of preference; the first is taken where there are no validation rows.
        fitted: fits a model by a candidate.
        probabilities: of the validation rows by a model, shape (rows, labels).
        targets: label of each validation row.

    """
    if not len(targets):
        first = next(iter(candidates))
        return first, fitted(first)
    found = [(candidate, fitted(candidate)) for candidate in candidates]
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda pair: mean_log(probabilities(pair[1]), targets))


def mean_log(probabilities: npt.NDArray[np.float64], targets: Sequence[int]) -> float:
    """Return the mean logarithm of the right labels' probabilities.

    Args:
        probabilities: shape (rows, labels).
        targets: label of each row.

    """
    right = probabilities[np.arange(len(targets)), np.asarray(targets)]
    return float(np.log(np.maximum(right, _LEAST)).mean())
