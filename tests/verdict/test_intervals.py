import numpy as np
import pytest
from scipy import stats

from showdown.verdict.intervals import (
    accuracy_interval,
    f1_interval,
    rare_label_inflation,
    repeated_interval,
    score_interval,
    wilson,
)
from showdown.verdict.outcomes import Outcomes
from showdown.verdict.resample import cluster_weights, macro_f1
from showdown.verdict.simulation import World, simulate, true_macro_f1
from showdown.verdict.spread import PRIOR_SPREAD, net_rerun_variance, rerun_spread, row_variance

RNG = np.random.default_rng


def rows_right(right, total):
    return (np.arange(total) < right).astype(float)[None]


def test_wilson_by_a_published_example():
    # Newcombe 1998, table I: 81 of 263, score method: 0.2553 to 0.3662.
    found = wilson(81 / 263, units=263, quantile=stats.norm.ppf(0.975))
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_one_run_on_different_rows_gives_wilsons_interval():
    found = accuracy_interval(rows_right(130, 166), np.arange(166))
    expected = wilson(130 / 166, units=165, quantile=stats.t.ppf(0.975, 165))
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


@pytest.mark.parametrize("right", [0, 166])
def test_never_of_zero_width(right):
    found = accuracy_interval(np.repeat(rows_right(right, 166), 5, axis=0), np.arange(166))
    assert found.high - found.low == pytest.approx(0.0229, abs=0.001)  # z^2 / (n + z^2)
    true = np.arange(166) % 5
    one = Outcomes(predicted=true[None], true=true, clusters=np.arange(166), row_ids=np.arange(166))
    perfect = f1_interval(one, RNG(0))
    assert perfect.value == 1.0
    assert perfect.low < 0.98


def test_copies_of_rows_add_nothing():
    once = rows_right(70, 100)
    alone = accuracy_interval(once, np.arange(100))
    copied = accuracy_interval(np.repeat(once, 6, axis=1), np.repeat(np.arange(100), 6))
    assert copied.low == pytest.approx(alone.low, abs=1e-9)
    assert copied.high == pytest.approx(alone.high, abs=1e-9)


def test_row_variance_is_what_the_cluster_bootstrap_gives():
    rng = RNG(5)
    clusters = np.repeat(np.arange(60), 3)
    values = rng.random(180) + np.repeat(rng.random(60), 3)
    weights = cluster_weights(clusters, 20000, rng)
    drawn = (weights @ values) / weights.sum(axis=1)
    assert row_variance(values, clusters) * 59 / 60 == pytest.approx(drawn.var(), rel=0.05)


def test_rerun_variance_by_hand():
    # Two runs, one right everywhere, one wrong everywhere: no row flips by itself, all is between the runs.
    assert net_rerun_variance(np.array([[1.0] * 10, [0.0] * 10])) == pytest.approx(0.5)
    # Two runs equally good on other rows: all is flipping rows.
    assert net_rerun_variance(np.array([[1.0, 0.0] * 5, [0.0, 1.0] * 5])) == 0.0


def test_the_prior_stands_alone_with_one_seed_and_fades_with_more():
    one = rerun_spread(np.ones((1, 50)), steady=False)
    assert one.variance == pytest.approx(PRIOR_SPREAD**2)
    assert rerun_spread(np.ones((1, 50)), steady=True).variance == 0.0
    many = rerun_spread(np.ones((11, 50)), steady=False)
    assert many.variance == pytest.approx(2 * PRIOR_SPREAD**2 / 12 / 11)
    assert many.degrees == 12


def test_spread_between_seeds_widens():
    steady = np.tile(rows_right(80, 100), (3, 1))
    moving = np.concatenate([rows_right(70, 100), rows_right(80, 100), rows_right(90, 100)])
    narrow, wide = (accuracy_interval(runs, np.arange(100)) for runs in (steady, moving))
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_score_interval_uses_students_quantile_of_the_reruns():
    found = score_interval(0.5, rows_part=0.0, reruns_part=1e-4, clusters=10**6, seeds=5)
    assert found.high - 0.5 == pytest.approx(stats.t.ppf(0.975, 4) * 0.01, rel=0.01)


def test_rare_label_inflation_by_hand():
    true, clusters = np.array([0, 1, 1]), np.array([0, 1, 2])
    assert rare_label_inflation(true, clusters) == pytest.approx((2 / 1 + 3 / 4) / (1 + 1 / 2))
    assert rare_label_inflation(np.zeros(1000, dtype=int), np.arange(1000)) == pytest.approx(1.001)


def test_repeats_are_corrected_for_shared_training_rows():
    values = np.array([0.80, 0.82, 0.84, 0.86])
    loose = repeated_interval(values, test_over_train=0.25, clusters=1000)
    tight = repeated_interval(values, test_over_train=1e-9, clusters=1000)
    # The variance is doubled: (1/4 + 1/4) against 1/4.
    assert (loose.high - loose.low) / (tight.high - tight.low) == pytest.approx(np.sqrt(2), abs=0.06)
    assert repeated_interval(np.ones(3), test_over_train=0.2, clusters=50).low < 0.9


@pytest.mark.parametrize(("accuracy", "seeds", "spread"), [(0.6, 1, 0.0), (0.95, 5, 0.02), (0.8, 5, 0.0)])
def test_coverage_in_miniature(accuracy, seeds, spread):
    rng, world, hits = RNG(11), World(), 0
    for _ in range(300):
        drawn = simulate(rng, world, accuracies=np.array([accuracy]), spread=spread, seeds=seeds, rows=166)
        found = accuracy_interval(drawn.correct[0], np.arange(166))
        hits += found.low <= accuracy <= found.high
    assert 0.92 <= hits / 300 <= 0.985


def test_macro_f1_coverage_in_miniature():
    rng, world, hits = RNG(12), World(labels=25, rarity=0.7), 0
    truth = true_macro_f1(world, 0.8)
    for _ in range(150):
        drawn = simulate(rng, world, accuracies=np.array([0.8]), spread=0.0, seeds=1, rows=166)
        rows = np.arange(166)
        one = Outcomes(predicted=drawn.predicted[0], true=drawn.true, clusters=rows, row_ids=rows)
        found = f1_interval(one, rng)
        hits += found.low <= truth <= found.high
    assert 0.90 <= hits / 150 <= 0.99


def test_simulated_truth_is_what_is_drawn():
    world = World(labels=6)
    drawn = simulate(RNG(2), world, accuracies=np.array([0.7, 0.9]), spread=0.0, seeds=1, rows=200_000)
    assert drawn.correct.mean(axis=(1, 2)) == pytest.approx([0.7, 0.9], abs=0.005)
    one = Outcomes(predicted=drawn.predicted[0], true=drawn.true, clusters=drawn.true, row_ids=drawn.true)
    assert macro_f1(np.ones((1, 200_000)), one.true, one.predicted)[0, 0] == pytest.approx(
        true_macro_f1(world, 0.7), abs=0.005
    )
    assert np.corrcoef(drawn.correct[0, 0], drawn.correct[1, 0])[0, 1] > 0.15
