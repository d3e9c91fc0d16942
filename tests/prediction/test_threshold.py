"""The threshold of a coverage is the run's own, and another coverage is refused."""

import numpy as np
import pytest

from showdown.core.errors import UserError
from showdown.core.record import Confidence
from showdown.prediction.threshold import threshold_of
from showdown.tasks.classification.confidence import COVERAGES, measure_confidence


@pytest.fixture(scope="module")
def measured() -> Confidence:
    sure = np.linspace(0.5, 0.99, 50)
    scores = np.stack([sure, 1 - sure], axis=1)
    found = measure_confidence("probability", scores, scores, [0] * 50)
    assert found is not None
    return found


def test_every_coverage_that_is_kept_has_its_threshold(measured: Confidence) -> None:
    found = [threshold_of("mine", measured, coverage) for coverage in COVERAGES]
    assert found == sorted(found, reverse=True)
    assert found[COVERAGES.index(0.9)] == pytest.approx(0.55)
    assert threshold_of("mine", measured, None) == -np.inf


@pytest.mark.parametrize("coverage", [0.87, 1.0, 0.0, -1.0, float("nan")])
def test_another_coverage_is_refused_with_those_that_are_kept(measured: Confidence, coverage: float) -> None:
    with pytest.raises(UserError, match=r"thresholds are kept for 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99$"):
        threshold_of("mine", measured, coverage)


def test_a_model_without_thresholds_is_refused() -> None:
    with pytest.raises(UserError, match="the run of `mine` kept no thresholds"):
        threshold_of("mine", None, 0.9)
    assert threshold_of("mine", None, None) == -np.inf
