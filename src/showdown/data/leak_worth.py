"""Measure how much copies across a split raise the accuracy of TF-IDF with a linear support-vector machine."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from showdown.core.strict import Strict
from showdown.data.rows import Rows
from showdown.data.split import Partition

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEAK_ROWS = 20_000
"""Most rows of the estimate."""
FOLDS = 5
_ALL_FOLDS_UP_TO_ROWS = 5_000
"""With more rows, one of the five folds is precise enough: it has 1,000 test rows."""
_SEED = 0

Ints = npt.NDArray[np.int64]


class LeakWorth(Strict):
    """Mean accuracy of TF-IDF with a linear SVM, 0 to 1, in stratified cross-validation."""

    rows: int
    folds: int
    leaky_accuracy: float
    """Folds by rows, so that copies of test rows are in the training rows."""
    clean_accuracy: float
    """Folds by duplicate groups, so that no copies cross."""


class LeakAcross(Strict):
    """Accuracy of TF-IDF with a linear SVM, 0 to 1, on the test rows of the split that is used."""

    test_rows: int
    copies: int
    """Test rows that are copies of training rows."""
    all_accuracy: float
    own_accuracy: float | None
    """Accuracy on the test rows that are not copies; None when there are none."""


def leak_worth(rows: Rows) -> LeakWorth | None:
    """Score the model with folds by rows and with folds by duplicate groups, on whole groups up to `LEAK_ROWS` rows.

    Return None when there are no copies, or too few rows of every label.
    """
    duplicate_groups = np.array(rows.duplicate_groups)
    if len(np.unique(duplicate_groups)) == len(duplicate_groups):
        return None
    chosen = _whole_groups(duplicate_groups)
    targets = np.array(rows.targets)[chosen]
    folds = FOLDS if len(chosen) <= _ALL_FOLDS_UP_TO_ROWS else 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # labels rarer than the folds are reported elsewhere
            kinds = (np.arange(len(chosen)), np.unique(duplicate_groups[chosen], return_inverse=True)[1])
            counts = _word_counts(rows, chosen)
            scores = [_accuracy(counts, targets, _splits(targets, groups)[:folds]) for groups in kinds]
    except ValueError:  # no label has as many rows as there are folds, a fold has one label only, or no text has words
        return None
    return LeakWorth(rows=len(chosen), folds=folds, leaky_accuracy=scores[0], clean_accuracy=scores[1])


def leak_across(rows: Rows, partition: Partition) -> LeakAcross | None:
    """Score the model on the test rows of a split, with and without those that are copies of training rows.

    Return None when no test row is such a copy, when the training rows have only one label, or when they have no words.
    """
    duplicate_groups = np.array(rows.duplicate_groups)
    taken = np.zeros(len(duplicate_groups), dtype=bool)
    taken[_whole_groups(duplicate_groups)] = True
    train = np.array([index for index in partition.train if taken[index]], dtype=np.int64)
    test = np.array([index for index in partition.test if taken[index]], dtype=np.int64)
    copied = np.isin(duplicate_groups[test], duplicate_groups[train])
    targets = np.array(rows.targets)
    if not copied.any() or len(np.unique(targets[train])) < 2:
        return None
    both = np.concatenate([train, test])
    places = np.arange(len(both))
    try:
        counts = _word_counts(rows, both)
        correct = _correct(counts, targets[both], places[: len(train)], places[len(train) :])
    except ValueError:  # no training text has a word by scikit-learn's definition
        return None
    return LeakAcross(
        test_rows=len(test),
        copies=int(copied.sum()),
        all_accuracy=float(correct.mean()),
        own_accuracy=None if copied.all() else float(correct[~copied].mean()),
    )


def _whole_groups(duplicate_groups: Ints) -> Ints:
    """Return the indices of the rows of random duplicate groups, up to `LEAK_ROWS` rows, ascending."""
    order = np.random.default_rng(_SEED).permutation(int(duplicate_groups.max()) + 1)[duplicate_groups]
    return np.sort(np.argsort(order, kind="stable")[:LEAK_ROWS])


def _splits(targets: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """Return the training and test rows of each fold. Groups stay whole, stratified by the label of their first row.

    scikit-learn's StratifiedGroupKFold also balances rows, but needs seconds for 10,000 groups.
    """
    from sklearn.model_selection import StratifiedKFold

    first = np.unique(groups, return_index=True)[1]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED).split(first, targets[first])
    return [
        (np.flatnonzero(~tested), np.flatnonzero(tested)) for tested in (np.isin(groups, test) for _, test in folds)
    ]


def _accuracy(counts: "csr_matrix", targets: Ints, splits: Sequence[tuple[Ints, Ints]]) -> float:
    """Return the mean accuracy over the splits."""
    return float(np.mean([_correct(counts, targets, train, test).mean() for train, test in splits]))


def _word_counts(rows: Rows, chosen: Ints) -> "csr_matrix":
    """Count the words of the chosen rows once for all folds: sparse, shape (chosen rows, words).

    Raises:
        ValueError: where no text has a word by scikit-learn's definition.

    """
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(dtype=np.float64).fit_transform([rows.texts[index] for index in chosen])


def _correct(counts: "csr_matrix", targets: Ints, train: Ints, test: Ints) -> npt.NDArray[np.bool_]:
    """Return whether a model fitted on the training rows, and on their words alone, is correct on each test row."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.svm import LinearSVC

    known = np.unique(counts[train].indices)
    weights = TfidfTransformer(sublinear_tf=True).fit(counts[train][:, known])
    vectors = weights.transform(counts[:, known], copy=False)
    model = LinearSVC(random_state=_SEED).fit(vectors[train], targets[train])
    return np.asarray(model.predict(vectors[test]) == targets[test])
