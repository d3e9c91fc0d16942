"""Scores against values worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics

from showdown.core.metric import METRICS
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.evaluation.speed import prediction_speeds
from showdown.tasks.classification.metrics import score


def test_scores_of_five_rows() -> None:
    # Label a: 2 of 3 found, 1 false alarm: precision 2/3, recall 2/3. Label b: 1 of 2 found, 1 false alarm: 1/2, 1/2.
    found = score([0, 0, 0, 1, 1], [0, 0, 1, 1, 0], ["a", "b", "never seen"])
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.f1_macro == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.f1_weighted == pytest.approx((3 * 2 / 3 + 2 * 1 / 2) / 5)
    assert found.precision_weighted == pytest.approx((3 * 2 / 3 + 2 * 1 / 2) / 5)
    assert found.recall_weighted == pytest.approx(3 / 5)
    assert found.confusion_matrix == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert [(one.label, one.rows, one.f1) for one in found.per_class][2] == ("never seen", 0, 0.0)


def test_every_metric_of_the_table_is_in_the_record() -> None:
    draw = np.random.default_rng(0)
    true, predicted = (draw.integers(0, 4, 50).tolist() for _ in range(2))
    found = score(true, predicted, ["a", "b", "c", "d", "never seen"])
    known = {
        "accuracy": metrics.accuracy_score(true, predicted),
        "f1_macro": metrics.f1_score(true, predicted, average="macro"),
        "mcc": metrics.matthews_corrcoef(true, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(true, predicted),
        "f1_weighted": metrics.f1_score(true, predicted, average="weighted"),
        "precision_weighted": metrics.precision_score(true, predicted, average="weighted"),
        "recall_weighted": metrics.recall_score(true, predicted, average="weighted"),
    }
    held = {key: getattr(found, key) for key in METRICS if key in type(found).model_fields} | found.scores
    assert held.keys() == {key for key, one in METRICS.items() if one.is_of_all_labels}
    assert held == {key: pytest.approx(known[key]) for key in held}


def test_no_rows_are_no_score() -> None:
    with pytest.raises(ValueError, match="no rows to score"):
        score([], [], ["a", "b"])


class Counting(Classifier):
    """Notes the size of each call."""

    score_kind: ScoreKind = "probability"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
        self.calls.append(len(texts))  # type: ignore[arg-type]
        assert batch_rows == len(texts)  # type: ignore[arg-type]
        return np.zeros((batch_rows, 2))


def test_speed_is_taken_of_one_text_and_of_a_whole_batch() -> None:
    classifier = Counting()
    single, best = prediction_speeds(classifier, ["a text"] * 9, lambda: None)
    assert single.batch_rows == 1
    assert best.batch_rows in (1, 4)
    assert set(classifier.calls) <= {1, 4}
    assert single.latency_p50_ms <= single.latency_p95_ms


def test_a_classifier_that_says_so_is_warmed_up_with_the_calls_that_are_timed() -> None:
    plain, warmed = Counting(), Counting()
    warmed.warm_up_rounds = 2
    for classifier in (plain, warmed):
        prediction_speeds(classifier, ["a text"] * 3, lambda: None)
    assert (len(plain.calls), len(warmed.calls)) == (1 + 20, 1 + 3 * 20)


def test_what_is_timed_was_warmed_up_though_warming_up_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"seconds": 0.0}
    monkeypatch.setattr("showdown.evaluation.speed.time.perf_counter", lambda: clock["seconds"])

    class Slow(Counting):
        warm_up_rounds = 2

        def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
            clock["seconds"] += 0.2 if len(self.calls) < 4 else 0.001
            return super().scores(texts, batch_rows=batch_rows)

    classifier = Slow()
    prediction_speeds(classifier, ["a text"] * 3, lambda: None)
    assert len(classifier.calls) == 1 + 3 * 5, "five calls are enough for the first round, and no other is timed"
