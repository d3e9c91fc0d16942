"""The learning curve: whether more labels would help, and which arm gains most."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from showdown.core.metric import ACCURACY, Metric
from showdown.core.record import Results
from showdown.verdict.arm_intervals import arm_intervals
from showdown.verdict.model import Curve, CurveStep, Interval
from showdown.verdict.outcomes import ArmOutcomes, on_common_rows
from showdown.verdict.paired import contrast_test
from showdown.verdict.pairs import interval_of, judge_pairs, side_of
from showdown.verdict.scored import outcomes_by
from showdown.verdict.spread import reruns_of

_TWO = 2


def judge_curve(results: Results, folder: Path, metric: Metric = ACCURACY) -> Curve | None:
    """Judge the runs on parts of the training rows; None where a comparison has none that completed.

    Args:
        results: all runs.
        folder: the comparison's folder, where the predictions files lie.
        metric: what the curve is of.

    """
    done = [run for run in results.runs if run.status == "completed"]
    fractions = sorted({run.spec.train_fraction for run in done})
    if len(fractions) < _TWO:
        return None
    by_fraction = [outcomes_by(metric, _of_fraction(results, fraction), folder) for fraction in fractions]
    steps = _steps(by_fraction[-2], by_fraction[-1], metric)
    return Curve(
        metric=metric.key,
        fractions=fractions,
        scores={
            name: [_score(found.get(name), list(found.values()), metric) for found in by_fraction]
            for name in dict.fromkeys(run.name for run in results.runs)
        },
        steps=steps,
        ahead=_ahead(steps, by_fraction[-2], by_fraction[-1], metric),
    )


def _of_fraction(results: Results, fraction: float) -> Results:
    runs = [run for run in results.runs if run.status == "completed" and run.spec.train_fraction == fraction]
    return results.model_copy(update={"runs": runs})


def _score(row: ArmOutcomes | None, among: Sequence[ArmOutcomes], metric: Metric) -> Interval | None:
    return None if row is None else interval_of(arm_intervals(row, among, metric)["score"])


def _steps(less: Mapping[str, ArmOutcomes], more: Mapping[str, ArmOutcomes], metric: Metric) -> list[CurveStep]:
    pairs = judge_pairs([(more[name], less[name]) for name in more if name in less], metric=metric)
    steps = [
        CurveStep(name=pair.first, gain=pair.score, shown=pair.different and pair.score.value > 0) for pair in pairs
    ]
    return sorted(steps, key=lambda step: -step.gain.value)


def _ahead(
    steps: Sequence[CurveStep], less: Mapping[str, ArmOutcomes], more: Mapping[str, ArmOutcomes], metric: Metric
) -> Interval | None:
    """Test the two largest gains against each other, each the mean over its seeds on common test rows."""
    if len(steps) < _TWO:
        return None
    rows = [row for step in steps[:_TWO] for row in (more[step.name], less[step.name])]
    if any(row.repeated for row in rows):
        return None
    common, _ = on_common_rows({f"{place}": row for place, row in enumerate(rows)})
    if len(common) < len(rows):
        return None
    among = [*less.values(), *more.values()]
    parts = [next(iter(row.parts.values())) for row in common.values()]
    sides = [side_of(metric, part, reruns_of(row, among)) for part, row in zip(parts, rows, strict=True)]
    most, least, next_most, next_least = sides
    return interval_of(contrast_test([most, next_least], [least, next_most], parts[0].clusters).effect)
