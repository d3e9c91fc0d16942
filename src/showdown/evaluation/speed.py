"""How fast a predictor answers: one text at a time, and at its best batch size."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from showdown.core.predictor import Predictor
from showdown.core.record import BUSY_OTHERS_SHARE, PredictionSpeed

_SINGLE_CALLS = 20
_BATCHES = (4, 16, 64)
_ENOUGH_SECONDS = 0.5
"""Time spent on one batch size; a larger batch size is tried only while the last one was faster."""
_LEAST_SINGLE_CALLS = 5
"""Two calls that were held up do not move the median of five."""
_MOST_SECONDS = 5.0
"""That single calls may take until there are five."""
_MOST_ATTEMPTS = 3
_WARM_SECONDS = 2.0
"""Where a call takes longer, a larger batch is not warmed up: what its first call costs does not count beside that."""


def undisturbed_speeds(
    predictor: Predictor,
    texts: Sequence[str],
    synchronize: Callable[[], None],
    others_share: Callable[[], float | None],
    timed: Callable[[int, object], None] = lambda _, __: None,
) -> tuple[list[PredictionSpeed], float | None]:
    """Measure speeds, up to three times where other processes were busy, and keep the quietest attempt.

    The attempt is chosen by the load of other processes and never by its speed, which would be biased.

    Args:
        predictor: what answers.
        texts: texts to answer in turn.
        synchronize: waits for the device.
        others_share: returns the share of the processors that others used since its last call, 0 to 1, or None where
            that is unknown.
        timed: told the batch size and the answers of every call whose time counts.

    Returns:
        What `prediction_speeds` returns, and the share of the processors that others used meanwhile.

    """
    attempts: list[tuple[float | None, list[PredictionSpeed]]] = []
    while len(attempts) < _MOST_ATTEMPTS:
        speeds = prediction_speeds(predictor, texts, synchronize, timed)
        share = others_share()
        attempts.append((share, speeds))
        if share is None or share < BUSY_OTHERS_SHARE:
            break
    share, speeds = min(attempts, key=lambda attempt: 1.0 if attempt[0] is None else attempt[0])
    return speeds, share


def prediction_speeds(
    predictor: Predictor,
    texts: Sequence[str],
    synchronize: Callable[[], None],
    timed: Callable[[int, object], None] = lambda _, __: None,
) -> list[PredictionSpeed]:
    """Time batch 1, and the best of growing batches, after warm-up: two entries, batch 1 first.

    Args:
        predictor: what answers; the time includes everything from the text to the answer.
        texts: texts to answer in turn.
        synchronize: waits for the device.
        timed: told the batch size and the answers of every call whose time counts.

    Returns:
        Batch 1 and the best batch; its rows per second and its latency for one call in milliseconds.

    """
    single = _time_batch(predictor, texts, 1, synchronize, timed, warm_up=True)
    best = single
    for batch_rows in _BATCHES:
        if batch_rows > len(texts):
            break
        warm_up = best.latency_p50_ms < 1000 * _WARM_SECONDS
        found = _time_batch(predictor, texts, batch_rows, synchronize, timed, warm_up=warm_up)
        if found.rows_per_second <= best.rows_per_second:
            break
        best = found
    return [single, best]


def measuring_seconds(call_seconds: Callable[[int], float], rows: int) -> float:
    """Return how long `prediction_speeds` takes; for a forecast.

    Args:
        call_seconds: of one call with so many texts.
        rows: texts that there are.

    """

    def timed(batch_rows: int) -> float:
        seconds: list[float] = []
        while len(seconds) < _SINGLE_CALLS and not _are_enough(seconds, batch_rows):
            seconds.append(call_seconds(batch_rows))
        return sum(seconds)

    total, best, rate = call_seconds(1) + timed(1), call_seconds(1), 1 / call_seconds(1)
    for batch_rows in (size for size in _BATCHES if size <= rows):
        once = call_seconds(batch_rows)
        total += (once if best < _WARM_SECONDS else 0.0) + timed(batch_rows)
        if batch_rows / once <= rate:
            break
        best, rate = once, batch_rows / once
    return total


def _time_batch(
    predictor: Predictor,
    texts: Sequence[str],
    batch_rows: int,
    synchronize: Callable[[], None],
    timed: Callable[[int, object], None],
    *,
    warm_up: bool,
) -> PredictionSpeed:
    calls = [texts[start : start + batch_rows] for start in range(0, len(texts) - batch_rows + 1, batch_rows)]
    if warm_up:
        predictor.answer(calls[0], batch_rows=batch_rows)
    at_most = _SINGLE_CALLS
    for _ in range(predictor.warm_up_rounds):  # of the very calls that are timed: each text may have a size of its own
        at_most = len(_seconds_of(predictor, calls, batch_rows, synchronize, at_most, lambda _, __: None))
    seconds = _seconds_of(predictor, calls, batch_rows, synchronize, at_most, timed)
    return PredictionSpeed(
        batch_rows=batch_rows,
        rows_per_second=round(batch_rows * len(seconds) / sum(seconds), 3),
        latency_p50_ms=round(float(np.percentile(seconds, 50)) * 1000, 3),
        latency_p95_ms=round(float(np.percentile(seconds, 95)) * 1000, 3),
    )


def _seconds_of(
    predictor: Predictor,
    calls: Sequence[Sequence[str]],
    batch_rows: int,
    synchronize: Callable[[], None],
    at_most: int,
    timed: Callable[[int, object], None],
) -> list[float]:
    """Return the seconds of each call, one after another until there are enough."""
    seconds: list[float] = []
    while len(seconds) < at_most and not _are_enough(seconds, batch_rows):
        synchronize()
        start = time.perf_counter()
        answers = predictor.answer(calls[len(seconds) % len(calls)], batch_rows=batch_rows)
        synchronize()
        seconds.append(time.perf_counter() - start)
        timed(batch_rows, answers)
    return seconds


def _are_enough(seconds: Sequence[float], batch_rows: int) -> bool:
    spent = sum(seconds)
    few = batch_rows == 1 and len(seconds) < _LEAST_SINGLE_CALLS and spent < _MOST_SECONDS
    return spent >= _ENOUGH_SECONDS and not few
