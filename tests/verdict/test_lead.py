import numpy as np
import pytest
from scipy import stats

from showdown.verdict.lead import lead_of
from showdown.verdict.paired import ALPHA, PairTest


def seen(value, error=0.01):
    """Return a difference with a known standard error, of which nothing but rows is unsure."""
    return PairTest(value=value, centre=value, row_variance=error**2 * 1e9, rows=10**9, rows_degrees=None, reruns=())


def test_a_clear_lead_is_left_as_it_is():
    found = lead_of(seen(0.2), ALPHA)
    assert found.value == pytest.approx(0.2, abs=1e-4)
    assert (found.low, found.high) == (pytest.approx(0.2 - 0.0196, abs=1e-4), pytest.approx(0.2 + 0.0196, abs=1e-4))


def test_a_lead_that_only_just_passed_is_shrunk():
    found = lead_of(seen(0.0197), ALPHA)
    assert 0.005 < found.value < 0.015
    assert found.low == 0.0
    assert found.high == pytest.approx(0.0197 + 0.0196, abs=1e-4)


def test_a_stricter_level_shrinks_more():
    among_one, among_many = (lead_of(seen(0.035), level) for level in (ALPHA, ALPHA / 21))
    assert among_many.value < among_one.value < 0.035
    assert among_many.low < among_one.low


def test_a_loss_is_a_lead_of_the_other():
    there, back = lead_of(seen(0.03), ALPHA), lead_of(seen(-0.03), ALPHA)
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)


@pytest.mark.parametrize("true", [0.1, 0.5, 1.0, 2.0, 3.0, 5.0])
def test_printed_leads_hold_the_truth(true):
    """True differences of a tenth to five standard errors: of those that pass the test, at least 93 % hold it."""
    drawn = np.random.default_rng(1).normal(true, 1.0, 400_000)
    passed = drawn[drawn > stats.norm.ppf(0.975)][:600]
    printed = [lead_of(seen(0.01 * value), ALPHA) for value in passed]
    held = np.mean([found.low <= 0.01 * true <= found.high for found in printed])
    plain = np.mean(np.abs(passed - true) <= 1.96)
    assert held >= 0.93
    assert true > 1.0 or plain < 0.93
    assert np.mean([found.value for found in printed]) < 0.01 * passed.mean()
