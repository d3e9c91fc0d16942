"""The learning curve judged: would more labels help, and which method gains most?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from showdown.core.record import Results
from showdown.verdict.intervals import row_intervals
from showdown.verdict.model import Curve, CurveStep, Interval
from showdown.verdict.outcomes import Floats, Ints, Outcomes, RowOutcomes, load_outcomes, shared
from showdown.verdict.paired import paired_test
from showdown.verdict.pairs import CHANCE, interval_of, judge_pairs
from showdown.verdict.spread import STEADY_METHODS

_TWO = 2


def judge_curve(results: Results, folder: Path) -> Curve | None:
    """Judge the runs on parts of the training rows; None where a comparison has none that completed.

    Args:
        results: all runs.
        folder: the comparison's folder, where the predictions files lie.

    """
    done = [run for run in results.runs if run.status == "completed"]
    fractions = sorted({run.spec.train_fraction for run in done})
    if len(fractions) < _TWO:
        return None
    by_fraction = [
        load_outcomes(
            results.model_copy(update={"runs": [run for run in done if run.spec.train_fraction == fraction]}), folder
        )
        for fraction in fractions
    ]
    steps = _steps(by_fraction[-2], by_fraction[-1])
    return Curve(
        fractions=fractions,
        accuracy={
            name: [_accuracy(found.get(name)) for found in by_fraction]
            for name in dict.fromkeys(run.name for run in results.runs)
        },
        steps=steps,
        ahead=_ahead(steps, by_fraction[-2], by_fraction[-1]),
    )


def _accuracy(row: RowOutcomes | None) -> Interval | None:
    return None if row is None else interval_of(row_intervals(row, np.random.default_rng(CHANCE))["accuracy"])


def _steps(less: Mapping[str, RowOutcomes], more: Mapping[str, RowOutcomes]) -> list[CurveStep]:
    pairs = judge_pairs([(more[name], less[name]) for name in more if name in less])
    steps = [
        CurveStep(name=pair.first, gain=pair.accuracy, shown=pair.different and pair.accuracy.value > 0)
        for pair in pairs
    ]
    return sorted(steps, key=lambda step: -step.gain.value)


def _ahead(
    steps: Sequence[CurveStep], less: Mapping[str, RowOutcomes], more: Mapping[str, RowOutcomes]
) -> Interval | None:
    """Test the two largest gains against each other, each seed's answers with those of the same seed."""
    if len(steps) < _TWO:
        return None
    rows = [(more[step.name], less[step.name]) for step in steps[:_TWO]]
    if any(row.repeated for pair in rows for row in pair):
        return None
    (first, clusters, row_ids), (second, _, other_ids) = (_gains(a.parts[0], b.parts[0]) for a, b in rows)
    if not np.array_equal(row_ids, other_ids):
        return None
    steady = tuple(row.method in STEADY_METHODS for row, _ in rows)
    return interval_of(paired_test(first, second, clusters, steady=(steady[0], steady[1])).effect)


def _gains(more: Outcomes, less: Outcomes) -> tuple[Floats, Ints, Ints]:
    """Return what more training rows changed, shape (seeds, rows), with the rows' clusters and numbers."""
    a, b = shared(more, less)
    seeds = min(len(a.predicted), len(b.predicted))
    return a.correct[:seeds] - b.correct[:seeds], a.clusters, a.row_ids
