"""Find rows to look at first, whose label a model of the other rows contradicts, and measure the precision of this.

An inaccurate model contradicts many correct labels. The precision is measured on the same rows: the labels of a few are
swapped on purpose, and the precision is the share of swapped rows among those that the search then names. On all rows
it is too low, because labels that were wrong before count as false alarms. Without the rows that the search names
before any swap it is too high, because these are the hard ones. The true precision lies between. If the middle is under
one half, no rows are named. `benchmarks/statistics/look_first.py` compares both with the truth.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from showdown.core.strict import Strict

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SWAPPED_SHARE = 0.05
"""Share of the labels swapped on purpose. Benchmark data sets have 3 to 6 % wrong labels (Northcutt, Athalye and
Mueller, NeurIPS 2021 Datasets and Benchmarks)."""
LEAST_PRECISION = 0.5
_SWAPPED_IN_ALL = 100
_ROUNDS = 10
"""Most rounds; fewer when they swap `_SWAPPED_IN_ALL` labels."""
_ROWS = 20_000
"""Most rows on which the precision is measured."""
FOLDS = 5
_EPOCHS = 5
_THREADED_ROWS = 5_000
"""Rows from which the labels are fitted in threads: with fewer, two cores lose more by threads than they win."""
_SEED = 0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Suspect(Strict):
    """A row whose label the other rows contradict."""

    row: int
    label: str
    looks_like: str
    """The most probable label, by a model fitted on other rows."""
    confidence: float
    """The model's probability of the given label, 0 to 1; lower is more suspicious."""


class SwapTest(Strict):
    """Result of the search after labels were swapped on purpose, summed over rounds."""

    swapped: int
    """Labels that were swapped."""
    named: int
    """Rows that the search named."""
    right: int
    """Named rows whose label was swapped."""

    @property
    def share(self) -> float:
        """Share of the named rows that were swapped, 0 to 1."""
        return self.right / max(1, self.named)


class Precision(Strict):
    """Bounds of the share of named rows whose label is wrong."""

    all_rows: SwapTest
    """Gives the lower bound: labels that were wrong before count as false alarms."""
    rest: SwapTest
    """Gives the upper bound: without the rows that the search names before any label is swapped."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound, 0 to 1."""
        low, high = sorted((self.all_rows.share, self.rest.share))
        return low, high

    @property
    def enough(self) -> bool:
        """Whether the middle between the bounds is at least `LEAST_PRECISION`."""
        return sum(self.bounds) >= 2 * LEAST_PRECISION


def find_suspects(vectors: "csr_matrix", targets: Ints) -> tuple[Ints, Floats]:
    """Return the indices of the suspicious rows, most suspicious first, and the probabilities of the labels.

    The method is confident learning (Northcutt, Jiang and Chuang, JAIR 2021), pruned both by class and by noise rate.
    Pruning by noise rate alone names a third more rows on data of medium difficulty, with lower precision.

    Args:
        vectors: sparse, shape (rows, words).
        targets: label indices from 0, shape (rows,). Each label has at least `FOLDS` rows.

    Returns:
        Indices of shape (suspicious rows,), and probabilities of shape (rows, labels).

    """
    from cleanlab.filter import find_label_issues

    probabilities = _out_of_fold(vectors, targets)
    ranked = find_label_issues(
        targets, probabilities, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1
    )
    return np.asarray(ranked, dtype=np.int64), probabilities


def measure_precision(vectors: "csr_matrix", targets: Ints) -> Precision:
    """Swap some labels on purpose, search for them, and count the hits. The same rows always give the same counts.

    Args:
        vectors: sparse, shape (rows, words).
        targets: label indices from 0, shape (rows,). Each label has at least `FOLDS` rows.

    """
    generator = np.random.default_rng(_SEED)
    if len(targets) > _ROWS:
        vectors, targets = _part(vectors, targets, np.sort(generator.permutation(len(targets))[:_ROWS]))
    suspicious = np.zeros(len(targets), dtype=bool)
    suspicious[find_suspects(vectors, targets)[0]] = True
    rest = _part(vectors, targets, np.flatnonzero(~suspicious))
    return Precision(all_rows=_swap_test(vectors, targets, generator), rest=_swap_test(*rest, generator))


def _swap_test(vectors: "csr_matrix", targets: Ints, generator: np.random.Generator) -> SwapTest:
    """Swap labels and search, in rounds until enough labels were swapped. With a single label, there are no rounds."""
    labels = int(targets.max(initial=0)) + 1
    each = max(1, round(SWAPPED_SHARE * len(targets)))
    swapped = named = right = 0
    for _ in range(min(_ROUNDS, -(-_SWAPPED_IN_ALL // each)) if labels > 1 else 0):
        places = generator.choice(len(targets), each, replace=False)
        wrong = targets.copy()
        wrong[places] = (targets[places] + generator.integers(1, labels, each)) % labels
        found = find_suspects(vectors, wrong)[0]
        swapped, named, right = swapped + each, named + len(found), right + int(np.isin(found, places).sum())
    return SwapTest(swapped=swapped, named=named, right=right)


def _part(vectors: "csr_matrix", targets: Ints, chosen: Ints) -> tuple["csr_matrix", Ints]:
    """Return the chosen rows of labels with enough of them for all folds, and their label indices from 0."""
    chosen = _at_least_folds(chosen, targets)
    return vectors[chosen], np.unique(targets[chosen], return_inverse=True)[1]


def _at_least_folds(chosen: Ints, targets: Ints) -> Ints:
    """Return the chosen rows of labels with enough of them for all folds."""
    counts = np.bincount(targets[chosen], minlength=int(targets.max()) + 1)
    return chosen[counts[targets[chosen]] >= FOLDS]


def _out_of_fold(vectors: "csr_matrix", targets: Ints) -> Floats:
    """Return the probabilities of each label from a model that did not see the row: shape (rows, labels).

    The model is a logistic regression fitted by stochastic gradient descent. L-BFGS takes minutes for 100,000 texts.
    """
    import warnings

    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.zeros((len(targets), int(targets.max()) + 1))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # swapping may leave a label with fewer rows than folds
        for train, test in folds.split(np.zeros(len(targets)), targets):
            jobs = -1 if len(train) >= _THREADED_ROWS else None  # the result is the same
            model = SGDClassifier(
                loss="log_loss", alpha=1e-5, max_iter=_EPOCHS, tol=None, random_state=_SEED, n_jobs=jobs
            )
            model.fit(vectors[train], targets[train])
            probabilities[np.ix_(test, model.classes_)] = model.predict_proba(vectors[test])
    return probabilities


def named_rows(
    ranked: Ints, probabilities: Floats, targets: Ints, *, row_ids: Sequence[int], labels: Sequence[str]
) -> list[Suspect]:
    """Return the ranked rows as `Suspect`, in their order.

    Args:
        ranked: indices of the suspicious rows, shape (suspicious rows,).
        probabilities: shape (rows, labels).
        targets: label indices, shape (rows,).
        row_ids: the 1-based data row of each row.
        labels: the name of each label.

    """
    return [
        Suspect(
            row=row_ids[place],
            label=labels[targets[place]],
            looks_like=labels[int(probabilities[place].argmax())],
            confidence=round(float(probabilities[place, targets[place]]), 4),
        )
        for place in ranked.tolist()
    ]
