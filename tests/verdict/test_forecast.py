import numpy as np
import pytest
from scipy import stats

from showdown.verdict.forecast import plausible_sizes, rows_to_decide, seeds_to_decide
from showdown.verdict.paired import ALPHA, PairTest, RerunsPart, corrected_resampled_t, reach_of
from showdown.verdict.pairs import compare
from showdown.verdict.simulation import DETERMINISTIC, Trainings, World, simulate

RNG = np.random.default_rng


def seen(value, *, rows=300, reruns=0.0, seeds=3, trainings=1):
    part = RerunsPart(
        variance=reruns, flips=0.0, degrees=4.0 + trainings * (seeds - 1), seeds=seeds, trainings=trainings
    )
    return PairTest(value=value, centre=value, row_variance=0.25, rows=rows, rows_degrees=None, reruns=(part, part))


def test_plausible_sizes_are_quartiles_of_what_the_difference_may_be():
    far = seen(0.5)
    assert plausible_sizes(far) == pytest.approx((0.5 - 0.6745 * far.error, 0.5 + 0.6745 * far.error), abs=1e-4)
    assert plausible_sizes(seen(-0.5)) == pytest.approx(plausible_sizes(far))
    none = seen(0.0)
    expected = [none.error * stats.norm.ppf(share) for share in (0.625, 0.875)]
    assert plausible_sizes(none) == pytest.approx(expected, rel=1e-3)


def test_rows_at_the_ends_find_the_differences_at_the_ends():
    test = seen(0.04)
    fewest, most = rows_to_decide(test, pairs=3)
    assert test.rows < fewest < most
    small, large = plausible_sizes(test)
    for size, rows in ((large, fewest), (small, most)):
        enough, short = (
            reach_of(test.parts_with(count), ALPHA / 6) + reach_of(test.parts_with(count), 0.2)
            for count in (rows, rows - 1)
        )
        assert enough <= size < short


def test_more_pairs_ask_for_more():
    few, many = (rows_to_decide(seen(0.04), pairs=pairs) for pairs in (1, 21))
    assert few[0] < many[0]
    assert few[1] < many[1]


def test_rows_cannot_mend_reruns_that_spread():
    calm, wild = (rows_to_decide(seen(0.02, reruns=reruns), pairs=1) for reruns in (0.0, 4e-3))
    assert calm is not None
    assert wild is None
    between = rows_to_decide(seen(0.06, reruns=1e-4), pairs=1)
    assert between[1] is None


def test_seeds_mend_what_rows_cannot():
    test = seen(0.02, rows=10_000, reruns=2e-4)
    rows = rows_to_decide(test, pairs=1)
    assert rows is None or rows[1] is None
    fewest, most = seeds_to_decide(test, pairs=1)
    assert fewest > 3
    assert most is None or fewest < most


def test_seeds_cannot_mend_too_few_rows():
    assert seeds_to_decide(seen(0.02), pairs=1) is None
    assert seeds_to_decide(seen(0.001, rows=100, reruns=1e-6), pairs=1) is None


def test_folds_count_as_trainings_of_a_seed():
    one, five = (
        seeds_to_decide(seen(0.03, rows=10_000, reruns=2e-4, trainings=trainings), pairs=21) for trainings in (1, 5)
    )
    assert five[0] <= one[0]


def test_rows_for_repeated_splits_keep_their_degrees_of_freedom():
    found = corrected_resampled_t(np.array([0.01, 0.05, 0.02, -0.01]), test_over_train=0.25, rows=100)
    t = stats.t.ppf(0.975, 3) + stats.t.ppf(0.8, 3)
    large = plausible_sizes(found)[1]
    assert rows_to_decide(found, pairs=1)[0] == pytest.approx(found.row_variance * (t / large) ** 2, rel=0.02)
    assert seeds_to_decide(found, pairs=1) is None


def test_rows_find_what_they_promise_in_miniature():
    """Where the true difference is the larger plausible one, the fewest rows find it four times in five."""
    rng = RNG(8)

    def drawn(better, rows):
        both = simulate(rng, World(), accuracies=np.array([0.75, better]), rows=rows, trainings=Trainings(seeds=5))
        return compare(both.row(0, DETERMINISTIC), both.row(1, DETERMINISTIC)).test

    pilot = drawn(0.78, 300)
    rows, _ = rows_to_decide(pilot, pairs=1)
    size = plausible_sizes(pilot)[1]
    found = sum(drawn(0.75 + size, rows).p_value <= ALPHA for _ in range(120))
    assert 0.66 <= found / 120 <= 0.93
