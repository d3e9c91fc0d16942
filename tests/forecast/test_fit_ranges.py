"""The rule by which the widths of the forecast's ranges follow from the errors of its calibration."""

import math

import pytest

from benchmarks.lib.forecast_fit import between


def test_a_range_holds_nine_of_ten_of_the_measurements_to_either_side() -> None:
    errors = [math.log(1 + place / 100) for place in range(-50, 50)]  # of forecast over measured
    low, high = between(errors, narrowest=0.01)
    held = sum(low <= math.exp(-error) <= high for error in errors)
    assert 90 <= held < 95


def test_few_cells_give_the_largest_error_to_both_sides() -> None:
    assert between([math.log(1.2), 0.0, math.log(0.9)], narrowest=0.01) == pytest.approx([1 / 1.2, 1.2], abs=1e-3)


def test_no_range_is_narrower_than_what_is_known() -> None:
    assert between([0.0] * 100, narrowest=0.1) == pytest.approx([math.exp(-0.1), math.exp(0.1)], abs=1e-3)
