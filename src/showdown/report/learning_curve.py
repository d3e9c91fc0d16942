"""Accuracy, or the metric of written answers, by the number of training rows: whether more would help, and whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.metric import ACCURACY, Metric
from showdown.core.own_metric import metric_with
from showdown.core.record import Results, RunRecord
from showdown.report.pool import pooled_scores
from showdown.verdict.model import Curve, Interval


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """A small table and its sentences."""

    metric: Metric
    headings: list[str]
    rows: list[list[str]]
    """The score with its interval, over all tested rows, the mean over seeds; `-` where no run completed."""
    sentence: str

    @property
    def title(self) -> str:
        """Return what stands above the table."""
        return f"{self.metric.heading} by training rows"


def learning_curve(results: Results, judged: Curve | None = None) -> LearningCurve | None:
    """Lay out the learning curve; None where the comparison has no subsets or no run of them completed.

    Args:
        results: all runs.
        judged: its curve as the verdict has it; without it there are no intervals, and none of written answers.

    """
    metric = metric_with(judged.metric, results.own_score) if judged else ACCURACY
    done = [run for run in results.runs if run.status == "completed"]
    fractions = sorted({run.spec.train_fraction for run in done})
    if len(fractions) < 2:
        return None
    names = list(dict.fromkeys(run.name for run in results.runs))
    intervals = {name: judged.scores[name] if judged else [None] * len(fractions) for name in names}
    if metric.is_of_writing:
        values = {name: [None if found is None else found.value for found in intervals[name]] for name in names}
    else:
        values = {
            name: [
                _accuracy([run for run in done if (run.name, run.spec.train_fraction) == (name, fraction)])
                for fraction in fractions
            ]
            for name in names
        }
    return LearningCurve(
        metric=metric,
        headings=["Method", *(_heading(done, fraction) for fraction in fractions)],
        rows=[
            [name, *(_cell(metric, *pair) for pair in zip(values[name], intervals[name], strict=True))]
            for name in names
        ],
        sentence=_judged(judged, metric) if judged and judged.steps else _sentence(values, fractions, metric),
    )


def _cell(metric: Metric, value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "-"
    return metric.cell(value) + (f" ({metric.short_ends(interval.low, interval.high)})" if interval else "")


def _gain(metric: Metric, interval: Interval) -> str:
    """Return a gain with its interval; where less is better, it is by how much less."""
    unit = "points" if metric.in_points else metric.unit
    better = "" if metric.direction == "higher" else "better"
    text = " ".join(filter(None, (metric.signed(interval.value), unit, better)))
    return f"{text} ({metric.signed(interval.low)} to {metric.signed(interval.high)})"


def _judged(curve: Curve, metric: Metric) -> str:
    """State which arms the last step helped, and whether one more than the others."""
    more = "More rows with answers" if metric.is_of_writing else "More labels"
    step = f"from {100 * curve.fractions[-2]:g} to {100 * curve.fractions[-1]:g} % of the training rows"
    helped = [item for item in curve.steps if item.shown]
    best = curve.steps[0]
    if not helped:
        return (
            f"{more} were not shown to help any method {step}; the largest gain is that of {best.name}, "
            f"{_gain(metric, best.gain)}."
        )
    text = f"{more} helped {step}: {'; '.join(f'{item.name} {_gain(metric, item.gain)}' for item in helped)}."
    if curve.ahead is not None:
        second = curve.steps[1].name
        if curve.ahead.low > 0.0:
            text += f" {best.name} gains most, {_gain(metric, curve.ahead)} more than {second}."
        else:
            text += f" It was not shown that {best.name} gains more than {second}: {_gain(metric, curve.ahead)}."
    return f"{text} The curve is measured and not projected: what further rows would bring is a guess."


def _accuracy(runs: Sequence[RunRecord]) -> float | None:
    return fmean(scores.accuracy for scores in pooled_scores(runs)) if runs else None


def _heading(done: Sequence[RunRecord], fraction: float) -> str:
    """Return the share with the rows that it came to, the mean over folds."""
    rows = [run.train_rows for run in done if run.spec.train_fraction == fraction and run.train_rows is not None]
    return f"{100 * fraction:g} %" + (f" ({fmean(rows):.0f} rows)" if rows else "")


def _sentence(values: dict[str, list[float | None]], fractions: Sequence[float], metric: Metric) -> str:
    """Name the method that the last step of the curve, to all training rows, helped most."""
    steps = {name: (found[-2], found[-1]) for name, found in values.items()}
    gains = {
        name: metric.sign * (more - less)
        for name, (less, more) in steps.items()
        if less is not None and more is not None
    }
    step = f"from {100 * fractions[-2]:g} to {100 * fractions[-1]:g} % of the training rows"
    if not gains:
        return f"No method completed both ends of the last step, {step}."
    name = max(gains, key=lambda candidate: gains[candidate])
    if gains[name] <= 0.0:
        rows = "rows with answers" if metric.is_of_writing else "labels"
        return f"No method gains {metric.title} {step}: more {rows} like these may not help."
    return (
        f"{name} gains most {step}: {metric.size(gains[name])} of {metric.title}. The curve is measured and not"
        " projected: what further rows would bring is a guess."
    )
