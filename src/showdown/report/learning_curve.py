"""Accuracy by the number of training rows: whether more labels would help, and which method most."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.record import Results, RunRecord
from showdown.report.pool import pooled_scores
from showdown.verdict.model import Curve, Interval


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """A small table and its sentences."""

    headings: list[str]
    rows: list[list[str]]
    """Accuracy in percent with its interval, over all tested rows, the mean over seeds; `-` where no run completed."""
    sentence: str


def learning_curve(results: Results, judged: Curve | None = None) -> LearningCurve | None:
    """Lay out the learning curve; None where the comparison has no subsets or no run of them completed.

    Args:
        results: all runs.
        judged: its curve as the verdict has it; without it there are no intervals.

    """
    done = [run for run in results.runs if run.status == "completed"]
    fractions = sorted({run.spec.train_fraction for run in done})
    if len(fractions) < 2:
        return None
    names = list(dict.fromkeys(run.name for run in results.runs))
    accuracy = {
        name: [
            _accuracy([run for run in done if (run.name, run.spec.train_fraction) == (name, fraction)])
            for fraction in fractions
        ]
        for name in names
    }
    return LearningCurve(
        headings=["Method", *(_heading(done, fraction) for fraction in fractions)],
        rows=[
            [name, *(_cell(value, interval) for value, interval in zip(accuracy[name], intervals, strict=True))]
            for name in names
            for intervals in [judged.scores[name] if judged else [None] * len(fractions)]
        ],
        sentence=_judged(judged) if judged and judged.steps else _sentence(accuracy, fractions),
    )


def _cell(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" + (f" ({100 * interval.low:.0f} to {100 * interval.high:.0f})" if interval else "")


def _points(interval: Interval) -> str:
    return f"{100 * interval.value:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def _judged(curve: Curve) -> str:
    """State which arms the last step helped, and whether one more than the others."""
    step = f"from {100 * curve.fractions[-2]:g} to {100 * curve.fractions[-1]:g} % of the training rows"
    helped = [item for item in curve.steps if item.shown]
    best = curve.steps[0]
    if not helped:
        return (
            f"More labels were not shown to help any method {step}; the largest gain is that of {best.name}, "
            f"{_points(best.gain)}."
        )
    text = f"More labels helped {step}: {'; '.join(f'{item.name} {_points(item.gain)}' for item in helped)}."
    if curve.ahead is not None:
        second = curve.steps[1].name
        if curve.ahead.low > 0.0:
            text += f" {best.name} gains most, {_points(curve.ahead)} more than {second}."
        else:
            text += f" It was not shown that {best.name} gains more than {second}: {_points(curve.ahead)}."
    return f"{text} The curve is measured and not projected: what further rows would bring is a guess."


def _accuracy(runs: Sequence[RunRecord]) -> float | None:
    return fmean(scores.accuracy for scores in pooled_scores(runs)) if runs else None


def _heading(done: Sequence[RunRecord], fraction: float) -> str:
    """Return the share with the rows that it came to, the mean over folds."""
    rows = [run.train_rows for run in done if run.spec.train_fraction == fraction and run.train_rows is not None]
    return f"{100 * fraction:g} %" + (f" ({fmean(rows):.0f} rows)" if rows else "")


def _sentence(accuracy: dict[str, list[float | None]], fractions: Sequence[float]) -> str:
    """Name the method that the last step of the curve, to all training rows, helped most."""
    steps = {name: (found[-2], found[-1]) for name, found in accuracy.items()}
    gains = {name: more - less for name, (less, more) in steps.items() if less is not None and more is not None}
    step = f"from {100 * fractions[-2]:g} to {100 * fractions[-1]:g} % of the training rows"
    if not gains:
        return f"No method completed both ends of the last step, {step}."
    name = max(gains, key=lambda candidate: gains[candidate])
    if gains[name] <= 0.0:
        return f"No method gains accuracy {step}: more labels like these may not help."
    return (
        f"{name} gains most {step}: {100 * gains[name]:.1f} points of accuracy. The curve is measured and not"
        " projected: what further rows would bring is a guess."
    )
