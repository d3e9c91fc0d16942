"""Calibration of confidences, from bins of test rows. Bins of several runs can be pooled over folds."""

import math
from collections.abc import Sequence

from showdown.core.record import ReliabilityBin

BINS = 15
"""Number of bins of equal width over 0 to 1. Guo et al. (ICML 2017, arXiv 1706.04599) use 15, so figures compare."""


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error, 0 to 1: the mean gap between confidence and accuracy, weighted by rows.

    Guo et al. (2017), equation 5. It is biased upwards on few rows, because gaps that are due to chance count too.
    """
    return sum(one.rows * abs(one.accuracy - one.confidence) for one in bins) / sum(one.rows for one in bins)


def error_if_calibrated(bins: Sequence[ReliabilityBin]) -> float:
    """Return the calibration error that a perfectly calibrated model with these confidences has by chance, 0 to 1.

    In a bin, the number of correct answers minus the sum of confidences then has the variance of independent draws. The
    mean of its absolute value is approximated by that of a normal variable, sqrt(2 variance / pi). Broecker and Smith
    (Weather and Forecasting 22(3), 2007) proposed such a reference under calibration.
    """
    gaps = sum(math.sqrt(2 * one.rows * one.variance / math.pi) for one in bins)
    return gaps / sum(one.rows for one in bins)


def pooled_bins(bins: Sequence[ReliabilityBin]) -> list[ReliabilityBin]:
    """Pool the bins of several runs that cover the same range of confidence; sorted by that range."""
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
