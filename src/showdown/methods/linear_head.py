"""Logistic regression as a head over embeddings."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from showdown.methods.embedded import Head, Numbers

_NEVER = -1e4
"""Logit of a label without training examples: it never wins."""


class LinearHead(Head):
    """A weight and a bias for each label."""

    file: ClassVar[str] = "regression.safetensors"
    scoring: ClassVar[str] = '    scores = (vectors @ head["weight"].T + head["bias"]).softmax(-1)'

    def __init__(self, weight: Numbers, bias: Numbers) -> None:
        self.weight, self.bias = weight, bias

    def probabilities(self, vectors: Numbers) -> Numbers:
        """Return the probability of each label: shape (rows, labels)."""
        from scipy.special import softmax

        found: Numbers = softmax(vectors @ self.weight.T + self.bias, axis=1)
        return found

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return weight and bias."""
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Make it of weight and bias."""
        return cls(np.asarray(tensors["weight"], dtype=np.float64), np.asarray(tensors["bias"], dtype=np.float64))

    @property
    def learned(self) -> int:
        """How many numbers were learned."""
        return int(self.weight.size + self.bias.size)


def logistic(
    vectors: Numbers, targets: npt.NDArray[np.int64], label_count: int, *, regularisation: float, seed: int
) -> LinearHead:
    """Fit a logistic regression.

    Args:
        vectors: shape (rows, width).
        targets: label of each row.
        label_count: labels in all; one without training rows gets a logit that never wins.
        regularisation: inverse strength, C.
        seed: of the solver.

    Raises:
        ValueError: when all rows have one label.

    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=regularisation, max_iter=2000, random_state=seed).fit(vectors, targets)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps only the second label's plane
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weight = np.zeros((label_count, coefficients.shape[1]))
    bias = np.full(label_count, _NEVER)
    weight[model.classes_], bias[model.classes_] = coefficients, intercepts
    return LinearHead(weight, bias)
