"""What a size of a comparison can decide, against the verdict's own arithmetic and a simulation."""

from dataclasses import replace

import numpy as np
import pytest

from showdown.planning.power import ASSUMED_ACCURACY, ASSUMED_DIFFERING, Size, detectable, power
from showdown.verdict.paired import ALPHA, reach_of
from showdown.verdict.spread import PRIOR_SPREAD

SIZE = Size(rows=400, seeds=3, folds=5)


def test_the_least_difference_is_found_with_power_080() -> None:
    assert power(SIZE, detectable(SIZE, 21), 21) == pytest.approx(0.8, abs=1e-6)


def test_power_rises_with_the_difference_from_the_level_of_the_test() -> None:
    chances = [power(SIZE, points / 100, 1) for points in (0.0, 1.0, 2.0, 5.0, 20.0)]
    assert chances[0] == pytest.approx(ALPHA / 2, abs=1e-6)
    assert chances == sorted(chances)
    assert chances[-1] > 0.999


@pytest.mark.parametrize("more", [{"rows": 800}, {"seeds": 5}, {"folds": 10}])
def test_more_of_anything_finds_smaller_differences(more: dict[str, int]) -> None:
    assert detectable(replace(SIZE, **more), 3) < detectable(SIZE, 3)


def test_more_pairs_hide_more() -> None:
    assert detectable(SIZE, 21) > detectable(SIZE, 1)


def test_a_simulation_of_the_same_assumptions_finds_as_often() -> None:
    """Differences of the assumed variance are drawn, and the test's own reach is asked of each."""
    size = Size(rows=2_000, seeds=5, folds=10)
    rng = np.random.default_rng(0)
    accuracy = ASSUMED_ACCURACY
    rows = ASSUMED_DIFFERING * 2 * accuracy * (1 - accuracy) / size.rows
    reruns = 2 * (2 * PRIOR_SPREAD) ** 2 * accuracy * (1 - accuracy) / (size.seeds * size.folds)
    drawn = 0.03 + rng.normal(0.0, np.sqrt(rows + reruns), 20_000)
    seen = float((drawn > reach_of(size.parts, ALPHA / 2)).mean())
    assert power(size, 0.03, 1) == pytest.approx(seen, abs=0.02)
