"""The threshold of a coverage is the run's own, and another coverage is refused."""

import numpy as np
import pytest

from showdown.core.errors import UserError
from showdown.core.record import Confidence, RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.methods.lora import Lora
from showdown.predict.threshold import threshold_of
from showdown.tasks.classification.confidence import COVERAGES, measure_confidence


def record(confidence: Confidence | None) -> RunRecord:
    spec = RunSpec(
        name="mine",
        method="lora",
        settings={},
        model=ModelSpec(id="tiny/model", revision="0"),
        protocol=SharedProtocol(),
        seed=0,
        data_fingerprint="f" * 64,
    )
    return RunRecord(
        run_id=spec.run_id,
        name="mine",
        method="lora",
        title="LoRA",
        traits=Lora.traits,
        seed=0,
        partition=0,
        status="completed",
        accuracy=0.5,
        spec=spec,
        confidence=confidence,
    )


@pytest.fixture(scope="module")
def measured() -> RunRecord:
    sure = np.linspace(0.5, 0.99, 50)
    scores = np.stack([sure, 1 - sure], axis=1)
    return record(measure_confidence("probability", scores, scores, [0] * 50))


def test_every_coverage_that_is_kept_has_its_threshold(measured: RunRecord) -> None:
    found = [threshold_of(measured, coverage) for coverage in COVERAGES]
    assert found == sorted(found, reverse=True)
    assert found[COVERAGES.index(0.9)] == pytest.approx(0.55)
    assert threshold_of(measured, None) == -np.inf


@pytest.mark.parametrize("coverage", [0.87, 1.0, 0.0, -1.0, float("nan")])
def test_another_coverage_is_refused_with_those_that_are_kept(measured: RunRecord, coverage: float) -> None:
    with pytest.raises(UserError, match=r"thresholds are kept for 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99$"):
        threshold_of(measured, coverage)


def test_a_run_without_thresholds_says_so() -> None:
    with pytest.raises(UserError, match="the run of `mine` kept no thresholds"):
        threshold_of(record(None), 0.9)
    assert threshold_of(record(None), None) == -np.inf
