"""Which answers of a saved model are sure enough to be given: by thresholds that its run chose on validation rows."""

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.record import RunRecord, ScoreKind
from showdown.tasks.classification.confidence import confidence_of


def confidences(scores: npt.NDArray[np.float64], kind: ScoreKind) -> list[float]:
    """Return how sure a model is of each answer.

    Args:
        scores: shape (rows, labels).
        kind: what they are.

    """
    return [float(value) for value in confidence_of(scores, kind)]


def threshold_of(record: RunRecord, coverage: float | None) -> float:
    """Return the least confidence of an answer that is given; minus infinity where all are.

    Args:
        record: the run whose model answers.
        coverage: share of texts to answer, one of those for which the run kept a threshold; None for all.

    Raises:
        UserError: for another share, or a run without thresholds.

    """
    if coverage is None:
        return -np.inf
    points = {point.coverage: point.threshold for point in record.confidence.points} if record.confidence else {}
    if not points:
        raise UserError(
            f"the run of `{record.name}` kept no thresholds (it is of an older version, or its scores are not finite); "
            "run the comparison again in a new folder, or leave --coverage out"
        )
    if coverage not in points:
        raise UserError(f"--coverage {coverage:g}: thresholds are kept for {', '.join(f'{one:g}' for one in points)}")
    return points[coverage]
