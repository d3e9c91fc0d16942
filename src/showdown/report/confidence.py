"""How far each arm's confidence can be trusted, over all test rows of a seed: a small table, and the data of figures.

Bins and counts of the folds of a seed add up; seeds, and repeats, whose test rows overlap, are averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.calibration import BINS, calibration_error, error_if_calibrated, pooled_bins
from showdown.core.record import Confidence, ReliabilityBin, Results, RunRecord
from showdown.report.pool import pooled_scores, tested_together
from showdown.report.small_table import SmallTable

COVERAGE = 0.9
"""The one that the table shows."""
HEADINGS = [
    "Method",
    "Confidence",
    "Test rows",
    "Calibration error",
    "Error by chance",
    "Brier score",
    "Accuracy %",
    "Answered %",
    "Their accuracy %",
]
_CALIBRATION = (
    f"Calibration error: the expected calibration error in {BINS} bins of equal width (Guo et al. 2017), the mean gap "
    "between the probability of an answer and how often it is right. Chance makes it larger on few rows: the error by "
    "chance is what a perfectly calibrated model with these confidences would show on as many. It ranks no method."
)
_BRIER = (
    "Brier score: squared errors of the probabilities, summed over the labels, the mean over rows. 0 is best, 2 worst."
)
_MARGIN = (
    "A margin is the lead of the best score over the second, where scores are no probabilities. It puts answers in an "
    "order and so has a threshold, but it has no calibration."
)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What an arm's thresholds for one coverage gave on the test rows. Shares are 0 to 1."""

    asked: float
    answered: float
    accuracy: float | None
    """On the answered rows; None where there are none."""


@dataclass(frozen=True, kw_only=True)
class ArmConfidence:
    """One arm."""

    kind: str
    """`probability` or `margin`."""
    rows: int
    """Test rows of a seed, or of a repeat."""
    accuracy: float
    """On all of them."""
    error: float | None
    """Expected calibration error, 0 to 1; None for a margin. So for the next two."""
    error_if_calibrated: float | None
    brier_score: float | None
    bins: list[ReliabilityBin]
    """Over all runs."""
    wholes: int
    """Times that these hold each test row: seeds, or repeats."""
    coverages: list[Coverage]
    """Rising."""

    def at(self, coverage: float) -> Coverage | None:
        """Return the result at one coverage; None where no threshold was kept for it."""
        return next((one for one in self.coverages if one.asked == coverage), None)


def arm_confidences(results: Results) -> dict[str, ArmConfidence]:
    """Return the confidence of each arm; an arm with a run that was not measured is left out."""
    done: dict[str, list[RunRecord]] = {}
    for run in results.full_size.runs:
        if run.status == "completed":
            done.setdefault(run.name, []).append(run)
    return {name: _row(runs) for name, runs in done.items() if all(run.confidence for run in runs)}


def confidence_table(results: Results) -> SmallTable | None:
    """Lay out the table; None where nothing was measured."""
    found = arm_confidences(results)
    if not found:
        return None
    return SmallTable(
        headings=HEADINGS,
        rows=[_cells(name, row) for name, row in found.items()],
        notes=_notes(list(found.values())),
        words=2,
    )


def _row(runs: Sequence[RunRecord]) -> ArmConfidence:
    wholes = [[run.confidence for run in found if run.confidence] for found in tested_together(runs)]
    bins = [pooled_bins([part for one in whole for part in one.bins]) for whole in wholes]
    calibrated = all(bins)
    return ArmConfidence(
        kind=wholes[0][0].kind,
        rows=max(sum(one.rows for one in whole) for whole in wholes),
        accuracy=fmean(scores.accuracy for scores in pooled_scores(runs)),
        error=fmean(map(calibration_error, bins)) if calibrated else None,
        error_if_calibrated=fmean(map(error_if_calibrated, bins)) if calibrated else None,
        brier_score=fmean(map(_brier_score, wholes)) if calibrated else None,
        bins=pooled_bins([part for whole in bins for part in whole]),
        wholes=len(wholes),
        coverages=[_coverage(requested, wholes) for requested in (point.coverage for point in wholes[0][0].points)],
    )


def _brier_score(whole: Sequence[Confidence]) -> float:
    return sum(one.rows * (one.brier_score or 0.0) for one in whole) / sum(one.rows for one in whole)


def _coverage(requested: float, wholes: Sequence[Sequence[Confidence]]) -> Coverage:
    """Average the coverage over seeds, each over its folds, which have thresholds of their own."""
    answered, right = [], []
    for whole in wholes:
        points = [point for one in whole for point in one.points if point.coverage == requested]
        given = sum(point.answered_rows for point in points)
        answered.append(given / sum(one.rows for one in whole))
        if given:
            right.append(sum(point.answered_rows * (point.accuracy or 0.0) for point in points) / given)
    return Coverage(asked=requested, answered=fmean(answered), accuracy=fmean(right) if right else None)


def _cells(name: str, row: ArmConfidence) -> list[str]:
    point = row.at(COVERAGE)
    return [
        name,
        row.kind,
        f"{row.rows:,}",
        _shown(row.error),
        _shown(row.error_if_calibrated),
        _shown(row.brier_score),
        _percent(row.accuracy),
        _percent(point.answered if point else None),
        _percent(point.accuracy if point else None),
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _notes(rows: Sequence[ArmConfidence]) -> list[str]:
    requested = f"{100 * COVERAGE:g} %"
    found = [
        f"Answered: test rows whose confidence reaches the threshold that lets {requested} of the validation "
        "rows through. "
        f"The others would go to a person; `showdown predict --coverage {COVERAGE:g}` does so with new texts."
    ]
    if any(row.error is not None for row in rows):
        found += [_CALIBRATION, _BRIER]
    if any(row.error is None for row in rows):
        found.append(_MARGIN)
    return found
