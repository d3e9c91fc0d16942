"""Scores over all rows that a seed tested, from its folds together.

A macro F1 of a fold is a mean over the labels that happen to be in it, and the mean of such means is no macro F1 of
anything; the confusion matrices of the folds add up to that of all rows (Forman and Scholz, SIGKDD Explorations 2010:
of the ways to average F1 over folds, the pooled counts alone are unbiased).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from showdown.core.record import RunRecord
from showdown.core.split import KFoldSplit

OWN_ROWS = "Each row's scores by label are of all test rows that it answered, and not of common ones."
"""The sentence where the table has scores on common test rows alone."""


@dataclass(frozen=True, kw_only=True)
class PooledScores:
    """Scores of one seed over all its folds, or of one run where the test rows of runs overlap."""

    seed: int
    runs: int
    rows: int
    """Rows tested."""
    accuracy: float
    f1_macro: float
    f1: tuple[float, ...]
    """By label; 0.0 for one that is neither among the true nor among the predicted ones."""


def pooled_scores(runs: Sequence[RunRecord]) -> list[PooledScores]:
    """Pool the folds of each seed; repeats and single splits stay apart.

    Args:
        runs: completed runs of one arm.

    """
    return [_scores(found[0].seed, found) for found in tested_together(runs)]


def tested_together(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Group runs that together test every row once: the folds of a seed; repeats and single splits stay apart."""
    groups: dict[tuple[int, int], list[RunRecord]] = {}
    for run in runs:
        folds = isinstance(run.spec.protocol.split, KFoldSplit)
        groups.setdefault((run.seed, 0 if folds else run.partition), []).append(run)
    return list(groups.values())


def _scores(seed: int, runs: Sequence[RunRecord]) -> PooledScores:
    summed = confusions(runs)
    right, true, text = summed.diagonal(), summed.sum(axis=1), summed.sum(axis=0)
    f1 = 2 * right / np.maximum(1, true + text)
    met = f1[true + text > 0]
    return PooledScores(
        seed=seed,
        runs=len(runs),
        rows=int(true.sum()),
        accuracy=float(right.sum() / true.sum()),
        f1_macro=float(met.mean()),
        f1=tuple(float(value) for value in f1),
    )


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """F1 of every arm for one label."""

    label: str
    rows: int
    """Different test rows of it; of overlapping repeats those of the first."""
    f1: dict[str, float]
    """By arm: over all rows that a seed tested, the mean over seeds (and repeats)."""


def label_scores(done: Mapping[str, Sequence[RunRecord]]) -> list[LabelScore]:
    """Return F1 of each label, in the order of the records' labels; none for a task without labels.

    Args:
        done: completed runs by arm; each has at least one.

    """
    if not any(run.labels for runs in done.values() for run in runs):
        return []
    pooled = {name: pooled_scores(runs) for name, runs in done.items()}
    some = max(done.values(), key=len)
    return [
        LabelScore(
            label=label,
            rows=_rows_of_label(some, index),
            f1={name: fmean(scores.f1[index] for scores in found) for name, found in pooled.items()},
        )
        for index, label in enumerate(some[0].labels)
    ]


def highest(done: Mapping[str, Sequence[RunRecord]], most: int) -> list[str]:
    """Return the arms with the highest accuracy, at most so many, in the order of the table.

    Args:
        done: completed runs by arm; each has at least one.
        most: rows to return.

    """
    accuracy = {name: fmean(run.accuracy or 0.0 for run in runs) for name, runs in done.items()}
    kept = set(sorted(accuracy, key=lambda name: -accuracy[name])[:most])
    return [name for name in done if name in kept]


def _rows_of_label(runs: Sequence[RunRecord], label: int) -> int:
    folds = isinstance(runs[0].spec.protocol.split, KFoldSplit)
    first = [run for run in runs if run.seed == runs[0].seed and (folds or run.partition == runs[0].partition)]
    return sum(sum(run.confusion_matrix[label]) for run in first)


def confusions(runs: Sequence[RunRecord]) -> npt.NDArray[np.int64]:
    """Return the confusion matrices of completed runs of one arm added up: true labels down, predicted ones across."""
    summed = np.zeros((len(runs[0].confusion_matrix),) * 2, dtype=np.int64)
    for run in runs:
        summed += np.asarray(run.confusion_matrix, dtype=np.int64)
    return summed
