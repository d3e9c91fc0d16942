"""Boosted trees as plain arrays: they are saved without pickle and answer without scikit-learn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from showdown.methods.embedded import Head, Numbers

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

_LEAF = -1
_NEVER = -1e4
"""Raw score of a label without training examples: it never wins."""


class TreesHead(Head):
    """All trees of all labels, their nodes one behind the other.

    A tree sends a row to its left child where the feature is at most the threshold, down to a leaf, whose value it adds
    to the raw score of its label.
    """

    file: ClassVar[str] = "trees.safetensors"
    scoring: ClassVar[str] = """    place = head["roots"].expand(len(vectors), -1).clone()
    while (head["feature"][place] >= 0).any():
        feature = head["feature"][place]
        goes_left = vectors.gather(1, feature.clamp(min=0)) <= head["threshold"][place]
        child = torch.where(goes_left, head["left"][place], head["right"][place])
        place = torch.where(feature >= 0, child, place)
    scores = head["start"].repeat(len(vectors), 1).index_add(1, head["label"], head["value"][place]).softmax(-1)"""

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Take the arrays over.

        Args:
            arrays: of each node its `feature` (-1 for a leaf), `threshold`, `left` and `right` child and `value`; of
                each tree the node of its `roots` and its `label`; of each label its raw score at the `start`.

        """
        self.arrays = {name: np.asarray(value) for name, value in arrays.items()}

    def probabilities(self, vectors: Numbers) -> Numbers:
        """Return the probability of each label: shape (rows, labels)."""
        from scipy.special import softmax

        found: Numbers = softmax(self.raw(vectors), axis=1)
        return found

    def raw(self, vectors: Numbers) -> Numbers:
        """Return the raw score of each label: shape (rows, labels)."""
        at = self.arrays
        places = np.tile(at["roots"], (len(vectors), 1))
        rows = np.arange(len(vectors))[:, None]
        while True:
            features = at["feature"][places]
            inside = features != _LEAF
            if not inside.any():
                break
            left = vectors[rows, np.maximum(features, 0)] <= at["threshold"][places]
            places = np.where(inside, np.where(left, at["left"][places], at["right"][places]), places)
        found = np.tile(at["start"], (len(vectors), 1))
        np.add.at(found, (rows, at["label"]), at["value"][places])
        return found

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays."""
        return dict(self.arrays)

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Make it of the arrays."""
        return cls(tensors)

    @property
    def learned(self) -> int:
        """How many numbers were learned: a feature and a threshold of each inner node, and a value of each leaf."""
        inside = int((self.arrays["feature"] != _LEAF).sum())
        return 2 * inside + len(self.arrays["feature"]) - inside


def trees_of(model: "HistGradientBoostingClassifier", label_count: int) -> TreesHead:
    """Take the trees out of a fitted model.

    Args:
        model: scikit-learn's, fitted on features without missing values.
        label_count: labels in all; one without training rows gets a raw score that never wins.

    """
    known = model.classes_
    two = len(known) == 2  # scikit-learn has trees for the second label alone; half its score goes to either
    start = np.full(label_count, _NEVER)
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    start[known] = np.array([-baseline[0] / 2, baseline[0] / 2]) if two else baseline
    trees: list[tuple[int, float, np.ndarray]] = []
    for found in model._predictors:
        labels: Sequence[tuple[int, float]] = (
            [(0, -0.5), (1, 0.5)] if two else [(one, 1.0) for one in range(len(known))]
        )
        trees += [(int(known[one]), scale, found[0 if two else one].nodes) for one, scale in labels]
    sizes = [len(nodes) for _, _, nodes in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if trees else np.zeros(0, dtype=np.int64)

    def joined(name: str, kind: type, *, moved: bool = False) -> npt.NDArray[np.generic]:
        parts: list[npt.NDArray[np.generic]] = [
            nodes[name].astype(kind) + (root if moved else 0) for (_, _, nodes), root in zip(trees, roots, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)

    leaf = joined("is_leaf", np.bool_).astype(bool)
    scales = np.repeat([scale for _, scale, _ in trees], sizes)
    return TreesHead(
        {
            "feature": np.where(leaf, _LEAF, joined("feature_idx", np.int64)),
            "threshold": joined("num_threshold", np.float64),
            "left": joined("left", np.int64, moved=True),
            "right": joined("right", np.int64, moved=True),
            "value": joined("value", np.float64) * scales,
            "roots": roots,
            "label": np.array([label for label, _, _ in trees], dtype=np.int64),
            "start": start,
        }
    )
