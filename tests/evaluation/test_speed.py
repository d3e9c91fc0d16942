"""A measurement of speed that was disturbed is made again, and the quietest is kept, however fast it was."""

from collections.abc import Sequence

import numpy as np
import pytest

from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.evaluation import speed
from showdown.evaluation.speed import undisturbed_speeds


class Slowing(Classifier):
    """Takes a second more with each round of calls, by a clock of its own."""

    score_kind: ScoreKind = "probability"

    def __init__(self) -> None:
        self.now = 0.0
        self.round = 0

    def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
        self.now += 1.0 + self.round
        return np.zeros((batch_rows, 2))


@pytest.mark.parametrize(
    ("shares", "attempts", "kept"),
    [
        ([0.02], 1, 0),
        ([None], 1, 0),
        ([0.5, 0.04], 2, 1),
        ([0.5, 0.3, 0.4], 3, 1),
        ([0.3, 0.5, 0.4], 3, 0),
        ([0.6, 0.5, 0.2], 3, 2),
        ([0.6, None], 2, 0),
    ],
)
def test_the_quietest_attempt_is_kept(
    monkeypatch: pytest.MonkeyPatch, shares: Sequence[float | None], attempts: int, kept: int
) -> None:
    classifier = Slowing()
    monkeypatch.setattr(speed.time, "perf_counter", lambda: classifier.now)
    left = list(shares)

    def others_share() -> float | None:
        classifier.round += 1
        return left.pop(0)

    (single, _), share = undisturbed_speeds(classifier, ["a text"] * 3, lambda: None, others_share)
    assert (len(shares) - len(left), share) == (attempts, shares[kept])
    assert single.latency_p50_ms == pytest.approx(1000.0 * (1 + kept))


class Held(Classifier):
    """Takes as long as it is told, by a clock of its own; the first call warms up."""

    score_kind: ScoreKind = "probability"

    def __init__(self, seconds: Sequence[float]) -> None:
        self.now = 0.0
        self.left = [0.0, *seconds]

    def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
        self.now += self.left.pop(0)
        return np.zeros((batch_rows, 2))


@pytest.mark.parametrize(
    ("seconds", "calls", "median_ms"),
    [
        ([0.6, 0.9, 0.1, 0.1, 0.1, 9.0], 5, 100.0),  # two of five were held up
        ([0.01] * 30, 20, 10.0),
        ([0.1] * 30, 5, 100.0),
        ([2.0] * 9, 3, 2000.0),
        ([7.0] * 9, 1, 7000.0),
    ],
)
def test_the_latency_is_a_median_of_calls_that_are_not_too_few(
    monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float], calls: int, median_ms: float
) -> None:
    classifier = Held(seconds)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: classifier.now)
    single, _ = speed.prediction_speeds(classifier, ["a text"] * 3, lambda: None)
    assert len(seconds) - len(classifier.left) == calls
    assert single.latency_p50_ms == pytest.approx(median_ms)


@pytest.mark.parametrize(("single_seconds", "calls_of_four"), [(2.5, 1), (1.5, 2)])
def test_a_larger_batch_is_warmed_up_only_where_calls_are_short(
    monkeypatch: pytest.MonkeyPatch, single_seconds: float, calls_of_four: int
) -> None:
    clock, batches = 0.0, []

    class Steady(Classifier):
        score_kind: ScoreKind = "probability"

        def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
            nonlocal clock
            clock += single_seconds
            batches.append(batch_rows)
            return np.zeros((batch_rows, 2))

    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock)
    speed.prediction_speeds(Steady(), ["a text"] * 9, lambda: None)
    assert batches.count(4) == calls_of_four


@pytest.mark.parametrize(
    "seconds", [(0.01, 0.02, 0.06, 0.11), (0.4, 0.8, 2.0, 6.0), (3.0, 4.0, 6.0, 9.0), (7.0, 40.0, 99.0, 99.0)]
)
def test_what_measuring_takes_is_known_beforehand(monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float]) -> None:
    """A forecast counts the very calls that are made; the last case stops at batches of four, which are no faster."""
    clock, took = 0.0, dict(zip((1, 4, 16, 64), seconds, strict=True))

    class Steady(Classifier):
        score_kind: ScoreKind = "probability"

        def scores(self, texts: object, *, batch_rows: int) -> np.ndarray:
            nonlocal clock
            clock += took[batch_rows]
            return np.zeros((batch_rows, 2))

    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock)
    speed.prediction_speeds(Steady(), ["a text"] * 70, lambda: None)
    assert speed.measuring_seconds(took.__getitem__, 70) == pytest.approx(clock)
