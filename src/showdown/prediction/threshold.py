"""Which predictions of a saved model are sure enough: by thresholds that its run chose on validation rows."""

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.record import Confidence, ScoreKind
from showdown.tasks.classification.confidence import confidence_of


def confidences(scores: npt.NDArray[np.float64], kind: ScoreKind) -> list[float]:
    """Return how sure a model is of each prediction.

    Args:
        scores: shape (rows, labels).
        kind: what they are.

    """
    return [float(value) for value in confidence_of(scores, kind)]


def least_confidence(
    name: str, confidence: Confidence | None, *, coverage: float | None, threshold: float | None
) -> float:
    """Return the least confidence of a sure prediction; minus infinity where all are sure.

    Args:
        name: of the arm.
        confidence: what scoring measured of the model.
        coverage: see `threshold_of`.
        threshold: that confidence itself.

    Raises:
        UserError: as `threshold_of`; and for both, or a threshold that is no number.

    """
    if threshold is None:
        return threshold_of(name, confidence, coverage)
    if coverage is not None:
        raise UserError("--threshold and --coverage both say when a prediction is sure; give one of them")
    if not np.isfinite(threshold):
        raise UserError(f"--threshold {threshold}: give a number")
    return threshold


def threshold_of(name: str, confidence: Confidence | None, coverage: float | None) -> float:
    """Return the least confidence of a sure prediction; minus infinity where all are sure.

    Args:
        name: of the arm.
        confidence: what scoring measured of the model.
        coverage: share of texts to answer, one of those for which a threshold was kept; None for all.

    Raises:
        UserError: for another share, or a model without thresholds.

    """
    if coverage is None:
        return -np.inf
    points = {point.coverage: point.threshold for point in confidence.points} if confidence else {}
    if not points:
        raise UserError(
            f"the run of `{name}` kept no thresholds (it is of an older version, or its scores are not finite); "
            "run the comparison again in a new folder, or leave --coverage out"
        )
    if coverage not in points:
        raise UserError(f"--coverage {coverage:g}: thresholds are kept for {', '.join(f'{one:g}' for one in points)}")
    return points[coverage]
