"""How confident a classifier is: calibration, and which answers to keep when the others go to a person."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from showdown.core.calibration import BINS, calibration_error, error_if_calibrated
from showdown.core.record import Confidence, CoveragePoint, ReliabilityBin, ScoreKind

Scores2D = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""For which a threshold is kept, and measured on the test rows."""
_ROUNDING = 1e-9


def confidence_of(scores: Scores2D, kind: ScoreKind) -> Values:
    """Return the confidence of each answer: shape (rows,).

    Of probabilities it is that of the answer (Hendrycks and Gimpel, ICLR 2017). Decision scores, similarities and
    log-likelihoods are no probabilities, and neither is a softmax of them, since their scale is not that of log-odds.
    They give an order: the best score minus the second best (Luo et al., JMLR 6, 2005).

    Args:
        scores: shape (rows, labels), at least two labels.
        kind: what the scores are.

    """
    if kind == "probability":
        return np.asarray(scores.max(axis=1))
    second, best = np.partition(scores, -2, axis=1)[:, -2:].T
    return np.asarray(best - second)


def measure_confidence(
    kind: ScoreKind, validation: Scores2D, test: Scores2D, targets: Sequence[int]
) -> Confidence | None:
    """Measure on the test rows how far confidences can be trusted, with thresholds from the validation rows alone.

    Args:
        kind: what the scores are.
        validation: scores of the validation rows: shape (rows, labels).
        test: scores of the test rows: shape (rows, labels).
        targets: true labels of the test rows, indices into the labels.

    Returns:
        The measurement; None where a score is not finite, so that answers have no order.

    """
    if not (np.isfinite(validation).all() and np.isfinite(test).all()):
        return None
    true = np.asarray(targets)
    right = test.argmax(axis=1) == true
    confidences, held_out = confidence_of(test, kind), confidence_of(validation, kind)
    is_probability = kind == "probability"
    bins = reliability_bins(confidences, right) if is_probability else []
    return Confidence(
        kind="probability" if is_probability else "margin",
        rows=len(true),
        validation_rows=len(held_out),
        expected_calibration_error=calibration_error(bins) if is_probability else None,
        expected_calibration_error_if_calibrated=error_if_calibrated(bins) if is_probability else None,
        brier_score=brier_score(test, true) if is_probability else None,
        bins=bins,
        points=[_point(coverage, threshold_for(coverage, held_out), confidences, right) for coverage in COVERAGES],
    )


def brier_score(probabilities: Scores2D, targets: npt.NDArray[np.int64]) -> float:
    """Return the mean over rows of the squared errors summed over the labels: 0 to 2.

    The original form for several labels (Brier, Monthly Weather Review 78(1), 1950); scikit-learn's for two labels is
    half of it.

    Args:
        probabilities: shape (rows, labels), each row sums to one.
        targets: indices of the true labels: shape (rows,).

    """
    errors = probabilities.copy()
    errors[np.arange(len(targets)), targets] -= 1.0
    return float((errors**2).sum(axis=1).mean())


def reliability_bins(confidences: Values, right: npt.NDArray[np.bool_]) -> list[ReliabilityBin]:
    """Sort rows into `BINS` parts of equal width by their confidence, 0 to 1; parts without a row are left out.

    Args:
        confidences: shape (rows,).
        right: whether each answer is right: shape (rows,).

    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    places = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, BINS - 1)
    found = []
    for place in np.unique(places):
        inside = places == place
        of_bin = confidences[inside]
        found.append(
            ReliabilityBin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                rows=int(inside.sum()),
                confidence=float(of_bin.mean()),
                accuracy=float(right[inside].mean()),
                variance=float((of_bin * (1.0 - of_bin)).mean()),
            )
        )
    return found


def threshold_for(coverage: float, confidences: Values) -> float:
    """Return the largest threshold that lets at least a share of rows through.

    Args:
        coverage: the share, over 0 to 1.
        confidences: of the validation rows: shape (rows,). Chosen on test rows, it would flatter what is measured
            there.

    """
    kept = max(1, math.ceil(coverage * len(confidences) - _ROUNDING))
    return float(np.sort(confidences)[-kept])


def _point(coverage: float, threshold: float, confidences: Values, right: npt.NDArray[np.bool_]) -> CoveragePoint:
    answered = confidences >= threshold
    return CoveragePoint(
        coverage=coverage,
        threshold=threshold,
        answered_rows=int(answered.sum()),
        accuracy=float(right[answered].mean()) if answered.any() else None,
    )
