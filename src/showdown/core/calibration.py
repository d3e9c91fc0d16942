"""Calibration of confidences from bins of rows. Bins of several runs add up, so that folds can be pooled."""

import math
from collections.abc import Sequence

from showdown.core.record import ReliabilityBin

BINS = 15
"""Of equal width over 0 to 1: what Guo et al. (ICML 2017, arXiv 1706.04599) report, so that figures compare."""


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error, 0 to 1: the gap between confidence and accuracy, a mean over rows.

    Guo et al. (2017), equation 5. It is biased upwards on few rows: chance alone makes gaps, and all count.
    """
    return sum(one.rows * abs(one.accuracy - one.confidence) for one in bins) / sum(one.rows for one in bins)


def error_if_calibrated(bins: Sequence[ReliabilityBin]) -> float:
    """Return the calibration error that a perfectly calibrated model with these confidences has by chance, 0 to 1.

    In a bin, right answers less the sum of confidences then has the variance of independent draws; the mean of its
    absolute value is that of a normal variable, sqrt(2 variance / pi). The idea of a reference under calibration is
    that of Broecker and Smith (Weather and Forecasting 22(3), 2007).
    """
    gaps = sum(math.sqrt(2 * one.rows * one.variance / math.pi) for one in bins)
    return gaps / sum(one.rows for one in bins)


def pooled_bins(bins: Sequence[ReliabilityBin]) -> list[ReliabilityBin]:
    """Join bins of the same part of the range, as if their rows were of one run; rising."""
    parts: dict[tuple[float, float], list[ReliabilityBin]] = {}
    for one in bins:
        parts.setdefault((one.low, one.high), []).append(one)
    return [_joined(parts[part]) for part in sorted(parts)]


def _joined(bins: Sequence[ReliabilityBin]) -> ReliabilityBin:
    rows = sum(one.rows for one in bins)
    return ReliabilityBin(
        low=bins[0].low,
        high=bins[0].high,
        rows=rows,
        confidence=sum(one.rows * one.confidence for one in bins) / rows,
        accuracy=sum(one.rows * one.accuracy for one in bins) / rows,
        variance=sum(one.rows * one.variance for one in bins) / rows,
    )
