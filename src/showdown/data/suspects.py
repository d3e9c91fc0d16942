"""Rows to look at first: rows whose label a model of the other rows contradicts, and how often that search is right.

A model that is often wrong contradicts many labels that are right. How often is measured on the same rows: labels of a
few are swapped on purpose, and of the rows that the search then names, the share that was swapped is its precision. On
all rows this is too low, since labels that were wrong before count as false alarms. On the rows without those that the
search names first it is too high, since these are the hard ones. The truth lies between. Where the middle is under one
half, the search names nothing. `benchmarks/statistics/look_first.py` compares both with the truth.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from showdown.core.strict import Strict

SWAPPED_SHARE = 0.05
"""Share of the labels that is swapped on purpose; benchmark data sets have 3 to 6 % wrong labels (Northcutt, Athalye
and Mueller, NeurIPS 2021 Datasets and Benchmarks)."""
LEAST_PRECISION = 0.5
_SWAPPED_IN_ALL = 100
_ROUNDS = 10
"""At most; fewer where so many rounds swap more than `_SWAPPED_IN_ALL` labels."""
_ROWS = 20_000
"""Precision is measured on at most so many rows."""
FOLDS = 5
_EPOCHS = 5
_SEED = 0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Suspect(Strict):
    """A row whose label the rest of the data contradicts."""

    row: int
    label: str
    looks_like: str
    """The label that a model fitted on other rows finds most probable."""
    confidence: float
    """Its probability of the given label, 0 to 1; the lower, the more suspicious."""


class Trial(Strict):
    """What the search did where labels were swapped on purpose, summed over rounds."""

    swapped: int
    """Labels that were swapped."""
    named: int
    """Rows that the search named."""
    right: int
    """Of these, rows whose label was swapped."""

    @property
    def share(self) -> float:
        """Share of the named rows that were swapped, 0 to 1."""
        return self.right / max(1, self.named)


class Precision(Strict):
    """Bounds of the share of named rows whose label is wrong."""

    all_rows: Trial
    """The lower bound: labels that were wrong before count as false alarms."""
    rest: Trial
    """The upper bound: without the rows that the search names before any label is swapped."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper one, 0 to 1."""
        low, high = sorted((self.all_rows.share, self.rest.share))
        return low, high

    @property
    def enough(self) -> bool:
        """Whether the middle between the bounds is at least `LEAST_PRECISION`."""
        return sum(self.bounds) >= 2 * LEAST_PRECISION


def search(vectors: Any, targets: Ints) -> tuple[Ints, Floats]:
    """Return the places of the suspicious rows, the most suspicious first, and probabilities of the labels.

    Confident learning (Northcutt, Jiang and Chuang, JAIR 2021), pruned by class and by noise rate both: on data of
    middling difficulty pruning by noise rate alone names a third more rows, of which fewer are right.

    Args:
        vectors: shape (rows, words), sparse.
        targets: shape (rows,), counted from 0; each label has at least `FOLDS` rows.

    """
    from cleanlab.filter import find_label_issues

    probabilities = _out_of_fold(vectors, targets)
    ranked = find_label_issues(
        targets, probabilities, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1
    )
    return np.asarray(ranked, dtype=np.int64), probabilities


def measured(vectors: Any, targets: Ints) -> Precision:
    """Swap some labels on purpose, search, and count what was found; the same rows always give the same counts.

    Args:
        vectors: shape (rows, words), sparse.
        targets: shape (rows,), counted from 0; each label has at least `FOLDS` rows.

    """
    generator = np.random.default_rng(_SEED)
    if len(targets) > _ROWS:
        vectors, targets = _part(vectors, targets, np.sort(generator.permutation(len(targets))[:_ROWS]))
    suspicious = np.zeros(len(targets), dtype=bool)
    suspicious[search(vectors, targets)[0]] = True
    rest = _part(vectors, targets, np.flatnonzero(~suspicious))
    return Precision(all_rows=_trial(vectors, targets, generator), rest=_trial(*rest, generator))


def _trial(vectors: Any, targets: Ints, generator: np.random.Generator) -> Trial:
    """Swap labels and search, in as many rounds as swap enough labels; nothing where there is one label only."""
    labels = int(targets.max(initial=0)) + 1
    each = max(1, round(SWAPPED_SHARE * len(targets)))
    swapped = named = right = 0
    for _ in range(min(_ROUNDS, -(-_SWAPPED_IN_ALL // each)) if labels > 1 else 0):
        places = generator.choice(len(targets), each, replace=False)
        wrong = targets.copy()
        wrong[places] = (targets[places] + generator.integers(1, labels, each)) % labels
        found = search(vectors, wrong)[0]
        swapped, named, right = swapped + each, named + len(found), right + int(np.isin(found, places).sum())
    return Trial(swapped=swapped, named=named, right=right)


def _part(vectors: Any, targets: Ints, chosen: Ints) -> tuple[Any, Ints]:
    """Return the chosen rows whose label has enough of them for every fold, their labels counted from 0."""
    chosen = _at_least_folds(chosen, targets)
    return vectors[chosen], np.unique(targets[chosen], return_inverse=True)[1]


def _at_least_folds(chosen: Ints, targets: Ints) -> Ints:
    """Return the chosen rows whose label has enough of them for every fold."""
    counts = np.bincount(targets[chosen], minlength=int(targets.max()) + 1)
    return chosen[counts[targets[chosen]] >= FOLDS]


def _out_of_fold(vectors: Any, targets: Ints) -> Floats:
    """Return probabilities of each label from a model that did not see the row: shape (rows, labels).

    The model is a logistic regression fitted by stochastic gradients, as L-BFGS takes minutes for 100,000 texts.
    """
    import warnings

    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.zeros((len(targets), int(targets.max()) + 1))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # swapping may leave a label with fewer rows than folds
        for train, test in folds.split(np.zeros(len(targets)), targets):
            model = SGDClassifier(
                loss="log_loss", alpha=1e-5, max_iter=_EPOCHS, tol=None, random_state=_SEED, n_jobs=-1
            )
            model.fit(vectors[train], targets[train])
            probabilities[np.ix_(test, model.classes_)] = model.predict_proba(vectors[test])
    return probabilities


def named_rows(
    ranked: Ints, probabilities: Floats, targets: Ints, *, row_ids: Sequence[int], labels: Sequence[str]
) -> list[Suspect]:
    """Return the rows at these places, in their order."""
    return [
        Suspect(
            row=row_ids[place],
            label=labels[targets[place]],
            looks_like=labels[int(probabilities[place].argmax())],
            confidence=round(float(probabilities[place, targets[place]]), 4),
        )
        for place in ranked.tolist()
    ]
