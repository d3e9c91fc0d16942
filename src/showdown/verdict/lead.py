"""Estimate of a difference that passed its test: on average smaller than measured."""

import numpy as np
from scipy import optimize, special

from showdown.verdict.intervals import CONFIDENCE, Estimate
from showdown.verdict.paired import PairTest

_GRID = 2001
_FAR = 5.0
"""Standard errors above what was seen up to which true differences are weighed."""
_TAIL = (1 - CONFIDENCE) / 2


def lead_of(test: PairTest, level: float) -> Estimate:
    """Return a shown difference, shrunk for having been shown, with an interval that holds the truth when printed.

    A difference is printed where it passed a test, and those that pass came out too large on average. The value is the
    mean of the likelihood given that it passed, over differences of the same sign (Zhong and Prentice 2008). The lower
    end of the interval is conditional on passing, but not below zero, which the test excludes; the upper is the plain
    one, which passing does not bias.

    Args:
        test: a difference that was shown.
        level: two-sided level at which it was tested.

    """
    seen, reach = abs(test.centre), test.reach(CONFIDENCE)
    error = reach / float(special.ndtri(1 - _TAIL))
    if error == 0.0:  # every row says the same
        return Estimate(value=test.centre, low=test.centre, high=test.centre)
    needed = min(seen, test.reach(1 - level))
    high = min(test.largest, seen + reach)
    low = _low(seen / error, needed / error) * error
    value = min(high, max(low, _mean(seen / error, needed / error) * error))
    return (
        Estimate(value=value, low=low, high=high) if test.centre > 0 else Estimate(value=-value, low=-high, high=-low)
    )


def _passes(true: float, needed: float) -> float:
    """Chance that a difference of ``true`` standard errors comes out ``needed`` or more of them from none."""
    return float(special.ndtr(true - needed) + special.ndtr(-true - needed))


def _low(seen: float, needed: float) -> float:
    def surplus(true: float) -> float:
        return _passes(true, seen) / _passes(true, needed) - _TAIL

    return 0.0 if surplus(0.0) >= 0 else float(optimize.brentq(surplus, 0.0, seen))


def _mean(seen: float, needed: float) -> float:
    true = np.linspace(0.0, seen + _FAR, _GRID)
    likelihood = np.exp(-((seen - true) ** 2) / 2) / (special.ndtr(true - needed) + special.ndtr(-true - needed))
    return float((true * likelihood).sum() / likelihood.sum())
