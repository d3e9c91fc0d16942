"""Calibration against simulated truth, thresholds against counts."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from showdown.core.calibration import BINS, calibration_error, error_if_calibrated, pooled_bins
from showdown.core.record import ScoreKind
from showdown.tasks.classification.confidence import (
    COVERAGES,
    brier_score,
    confidence_of,
    measure_confidence,
    reliability_bins,
    threshold_for,
)

LABELS = 5


def drawn(
    rows: int, *, sharpness: float, temperature: float, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities that a model says, and true labels from what they are at ``temperature``: 1 is calibrated."""
    logits = sharpness * chance.normal(size=(rows, LABELS))
    said = _softmax(logits)
    true = (_softmax(logits / temperature).cumsum(axis=1) < chance.random((rows, 1))).sum(axis=1)
    return said, np.minimum(true, LABELS - 1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def errors_of(said: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    bins = reliability_bins(said.max(axis=1), said.argmax(axis=1) == true)
    return calibration_error(bins), error_if_calibrated(bins)


@pytest.mark.parametrize("sharpness", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("rows", [64, 500])
def test_a_calibrated_model_shows_the_error_that_chance_makes(rows: int, sharpness: float) -> None:
    chance = np.random.default_rng(7)
    found = [errors_of(*drawn(rows, sharpness=sharpness, temperature=1.0, chance=chance)) for _ in range(300)]
    measured, expected = np.mean(found, axis=0)
    assert measured == pytest.approx(expected, rel=0.12)
    assert measured > 0.01, "few rows make it too high, and that is what is said"


def test_a_calibrated_model_with_many_rows_has_next_to_no_error() -> None:
    chance = np.random.default_rng(7)
    measured, expected = errors_of(*drawn(200_000, sharpness=3.0, temperature=1.0, chance=chance))
    assert measured < 0.004
    assert expected < 0.004


def test_an_overconfident_model_shows_the_gap_that_was_built_in() -> None:
    chance = np.random.default_rng(7)
    said, true = drawn(200_000, sharpness=3.0, temperature=3.0, chance=chance)
    rows = np.arange(len(said))
    logits = np.log(said)
    gap = (said.max(axis=1) - _softmax(logits / 3.0)[rows, said.argmax(axis=1)]).mean()
    measured, expected = errors_of(said, true)
    assert gap > 0.2
    assert measured == pytest.approx(gap, abs=0.01)
    assert expected < 0.01


def test_bins_by_hand() -> None:
    # 15 bins of 1/15: 0.4 is the upper end of the sixth, which holds it; 0.41 is in the seventh; 1 in the last.
    found = reliability_bins(np.array([0.4, 0.41, 1.0, 0.95]), np.array([True, False, True, False]))
    assert [(one.rows, one.confidence, one.accuracy) for one in found] == [
        (1, 0.4, 1.0),
        (1, 0.41, 0.0),
        (2, 0.975, 0.5),
    ]
    assert [round(BINS * one.high) for one in found] == [6, 7, 15]
    assert calibration_error(found) == pytest.approx((0.6 + 0.41 + 2 * 0.475) / 4)
    assert found[0].variance == pytest.approx(0.24)
    assert error_if_calibrated(found[:1]) == pytest.approx(math.sqrt(2 * 0.24 / math.pi))


def test_the_bins_of_folds_add_up_to_those_of_all_rows() -> None:
    chance = np.random.default_rng(1)
    said, true = drawn(300, sharpness=3.0, temperature=2.0, chance=chance)
    sure, right = said.max(axis=1), said.argmax(axis=1) == true
    folds = [reliability_bins(sure[part], right[part]) for part in (slice(0, 70), slice(70, 71), slice(71, 300))]
    for pooled, whole in zip(
        pooled_bins([one for fold in folds for one in fold]), reliability_bins(sure, right), strict=True
    ):
        assert pooled.model_dump() == pytest.approx(whole.model_dump())


def test_brier_is_the_sum_over_labels() -> None:
    two = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    true = np.array([0, 0, 1])
    assert brier_score(two, true) == pytest.approx(2 * brier_score_loss(true, two[:, 1]))
    worst = np.eye(3)[[0, 1]]
    assert brier_score(worst, np.array([1, 2])) == pytest.approx(2.0)


def test_confidence_is_the_probability_or_else_the_lead() -> None:
    scores = np.array([[0.2, 0.7, 0.1], [-3.0, -1.0, -1.5]])
    assert confidence_of(scores, "probability") == pytest.approx([0.7, -1.0])
    for kind in ("decision score", "similarity", "log-likelihood"):
        assert confidence_of(scores, kind) == pytest.approx([0.5, 0.5])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("coverage", "rows", "kept"),
    [(0.9, 10, 9), (0.9, 11, 10), (0.7, 10, 7), (0.29, 100, 29), (0.01, 3, 1), (1.0, 4, 4)],
)
def test_a_threshold_lets_its_share_of_validation_rows_through(coverage: float, rows: int, kept: int) -> None:
    confidences = np.random.default_rng(0).permutation(np.arange(rows) / rows)
    assert (confidences >= threshold_for(coverage, confidences)).sum() == kept


def test_alike_confidences_are_all_answered() -> None:
    same = np.full(30, 1 / 3)
    assert (same >= threshold_for(0.5, same)).all()


def test_the_threshold_comes_from_validation_rows_alone() -> None:
    chance = np.random.default_rng(3)
    validation, _ = drawn(200, sharpness=3.0, temperature=2.0, chance=chance)
    test, true = drawn(400, sharpness=3.0, temperature=2.0, chance=chance)
    found = measure_confidence("probability", validation, test, true.tolist())
    other_truth = measure_confidence("probability", validation, test, true[::-1].tolist())
    other_rows = measure_confidence("probability", validation, test[:50], true[:50].tolist())
    assert found and other_truth and other_rows
    thresholds = [point.threshold for point in found.points]
    assert thresholds == [point.threshold for point in other_truth.points]
    assert thresholds == [point.threshold for point in other_rows.points]
    assert thresholds == sorted(thresholds, reverse=True)
    assert [point.coverage for point in found.points] == list(COVERAGES)
    point = next(point for point in found.points if point.coverage == 0.9)
    answered = test.max(axis=1) >= point.threshold
    assert point.answered_rows == answered.sum()
    assert point.answered_rows / 400 == pytest.approx(0.9, abs=0.06)
    assert point.accuracy == pytest.approx((test.argmax(axis=1) == true)[answered].mean())
    assert (found.rows, found.validation_rows) == (400, 200)


def test_nobody_is_answered_where_every_test_row_is_less_sure() -> None:
    sure, unsure = np.array([[0.99, 0.01]] * 10), np.array([[0.6, 0.4]] * 5)
    found = measure_confidence("probability", sure, unsure, [0] * 5)
    assert found is not None
    assert {(point.answered_rows, point.accuracy) for point in found.points} == {(0, None)}


@pytest.mark.parametrize("kind", ["decision score", "similarity", "log-likelihood"])
def test_scores_that_are_no_probabilities_give_an_order_and_no_calibration(kind: ScoreKind) -> None:
    chance = np.random.default_rng(5)
    scores = chance.normal(size=(60, 3))
    found = measure_confidence(kind, scores[:30], scores[30:], scores[30:].argmax(axis=1).tolist())
    assert found is not None
    assert (found.kind, found.bins) == ("margin", [])
    assert found.expected_calibration_error is None
    assert found.expected_calibration_error_if_calibrated is None
    assert found.brier_score is None
    assert {point.accuracy for point in found.points} == {1.0}


def test_surer_answers_are_right_more_often() -> None:
    chance = np.random.default_rng(11)
    validation, _ = drawn(500, sharpness=2.0, temperature=1.0, chance=chance)
    test, true = drawn(5000, sharpness=2.0, temperature=1.0, chance=chance)
    found = measure_confidence("probability", validation, test, true.tolist())
    assert found is not None
    by_coverage = [point.accuracy or 0.0 for point in found.points]
    assert by_coverage == sorted(by_coverage, reverse=True)
    assert by_coverage[0] > by_coverage[-1] + 0.1


def test_a_score_that_is_not_finite_has_no_order() -> None:
    broken = np.array([[0.5, np.nan], [0.2, 0.8]])
    fine = np.array([[0.5, 0.5]])
    assert measure_confidence("probability", broken, fine, [0]) is None
    assert measure_confidence("log-likelihood", fine, broken - np.inf, [0, 1]) is None
