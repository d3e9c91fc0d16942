import itertools

import numpy as np
import pytest
from scipy import stats

from showdown.verdict.outcomes import Outcomes
from showdown.verdict.paired import (
    ALPHA,
    corrected_resampled_t,
    f1_difference,
    holm,
    mcnemar_exact,
    paired_test,
    rows_to_decide,
)
from showdown.verdict.simulation import World, simulate

RNG = np.random.default_rng
DRIFTING, STEADY = (False, False), (True, True)


def discordant(only_first, only_second, both, seeds=1):
    first = np.r_[np.ones(only_first), np.zeros(only_second), np.ones(both)]
    second = np.r_[np.zeros(only_first), np.ones(only_second), np.ones(both)]
    return np.tile(first, (seeds, 1)), np.tile(second, (seeds, 1)), np.arange(len(first))


def test_mcnemar_by_hand():
    first, second, _ = discordant(6, 0, 94)
    assert mcnemar_exact(first[0], second[0]) == pytest.approx(2 * 0.5**6)
    assert mcnemar_exact(first[0], first[0]) == 1.0
    first, second, _ = discordant(8, 2, 90)
    assert mcnemar_exact(first[0], second[0]) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar_exact(first[0], second[0]) == pytest.approx(stats.binomtest(8, 10).pvalue)
    first, second, _ = discordant(5, 5, 90)
    assert mcnemar_exact(first[0], second[0]) == 1.0


def test_interval_is_that_of_bonett_and_price():
    first, second, rows = discordant(20, 8, 72)
    found = paired_test(first, second, rows, steady=STEADY)
    p12, p21 = 21 / 102, 9 / 102
    error = np.sqrt((p12 + p21 - (p12 - p21) ** 2) / 102)
    # The product's variance has 101 below the line, and Student's t: both make it a little wider.
    assert found.effect.low == pytest.approx(p12 - p21 - 1.96 * error, abs=0.003)
    assert found.effect.high == pytest.approx(p12 - p21 + 1.96 * error, abs=0.003)
    assert found.effect.value == pytest.approx(0.12)


def test_one_seed_each_must_also_pass_mcnemar():
    first, second, rows = discordant(5, 0, 500)
    found = paired_test(first, second, rows, steady=STEADY)
    assert found.p_value >= found.mcnemar_p == pytest.approx(0.0625)


def test_one_unknown_seed_cannot_claim_what_a_steady_method_can():
    first, second, rows = discordant(45, 15, 440)
    assert paired_test(first, second, rows, steady=STEADY).p_value < 0.001
    assert paired_test(first, second, rows, steady=DRIFTING).p_value > 0.05


def test_swapping_the_two_turns_the_effect_and_keeps_the_p_value():
    drawn = simulate(RNG(4), World(), accuracies=np.array([0.7, 0.8]), spread=0.01, seeds=3, rows=200)
    first, second = drawn.correct
    there = paired_test(first, second, np.arange(200), steady=DRIFTING)
    back = paired_test(second, first, np.arange(200), steady=DRIFTING)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.effect.low == pytest.approx(-back.effect.high)


def test_order_of_rows_and_numbers_of_clusters_do_not_matter():
    drawn = simulate(RNG(4), World(), accuracies=np.array([0.7, 0.8]), spread=0.01, seeds=3, rows=200)
    first, second = drawn.correct
    clusters = np.arange(200) // 2
    order = RNG(0).permutation(200)
    one = paired_test(first, second, clusters, steady=DRIFTING)
    other = paired_test(first[:, order], second[:, order], clusters[order] * 7 + 3, steady=DRIFTING)
    assert one.p_value == pytest.approx(other.p_value)


def test_copies_of_rows_prove_nothing_more():
    first, second, rows = discordant(20, 8, 72, seeds=2)
    once = paired_test(first, second, rows, steady=STEADY)
    copied = paired_test(*(np.repeat(x, 5, axis=1) for x in (first, second)), np.repeat(rows, 5), steady=STEADY)
    assert copied.p_value == pytest.approx(once.p_value)
    assert copied.rows == 100


def test_equal_answers_have_an_interval_and_no_difference():
    ones = np.ones((5, 100))
    found = paired_test(ones, ones, np.arange(100), steady=STEADY)
    assert found.p_value == 1.0
    assert found.effect.low < 0 < found.effect.high
    assert rows_to_decide(found, pairs=1) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_corrected_resampled_t_by_hand():
    differences = np.array([0.01, 0.03, 0.05, 0.03])
    found = corrected_resampled_t(differences, test_over_train=0.25, rows=100)
    t = 0.03 / np.sqrt((1 / 4 + 0.25) * differences.var(ddof=1))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 3))
    plain = corrected_resampled_t(differences, test_over_train=0.0, rows=100)
    assert plain.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert corrected_resampled_t(np.zeros(4), test_over_train=0.2, rows=50).p_value == 1.0


def test_rows_to_decide_finds_what_it_promises():
    rng, world = RNG(8), World()
    drawn = simulate(rng, world, accuracies=np.array([0.75, 0.80]), spread=0.0, seeds=5, rows=300)
    pilot = paired_test(*drawn.correct, np.arange(300), steady=STEADY)
    rows = rows_to_decide(pilot, pairs=1)
    gap = abs(pilot.effect.value)
    accuracies = np.array([0.75, 0.75 + gap])
    found = 0
    for _ in range(120):
        again = simulate(rng, world, accuracies=accuracies, spread=0.0, seeds=5, rows=rows)
        found += paired_test(*again.correct, np.arange(rows), steady=STEADY).p_value <= ALPHA
    assert 0.66 <= found / 120 <= 0.93


def test_more_rows_cannot_mend_reruns_that_spread():
    first, second, rows = discordant(14, 10, 176)
    assert rows_to_decide(paired_test(first, second, rows, steady=DRIFTING), pairs=1) is None
    assert rows_to_decide(paired_test(first, second, rows, steady=STEADY), pairs=1) > 200
    few = rows_to_decide(paired_test(first, second, rows, steady=STEADY), pairs=1)
    assert rows_to_decide(paired_test(first, second, rows, steady=STEADY), pairs=21) > few


def test_few_degrees_of_freedom_are_not_mended_by_rows():
    """Two single seeds, 15 points apart, among 15 pairs: their spread is assumed, and no number of rows measures it."""
    first, second, rows = discordant(450, 150, 1400)
    found = paired_test(first, second, rows, steady=DRIFTING)
    assert holm([found.p_value, *[1.0] * 14])[0] > ALPHA
    assert rows_to_decide(found, pairs=15) is None
    more_seeds = paired_test(*discordant(450, 150, 1400, seeds=5), steady=DRIFTING)
    assert rows_to_decide(more_seeds, pairs=15) < 2000


def test_what_was_not_decided_needs_more_rows_than_were_tested():
    first, second, rows = discordant(5, 0, 95)
    found = paired_test(first, second, rows, steady=STEADY)
    assert found.p_value > ALPHA
    assert rows_to_decide(found, pairs=1, beyond=found.rows) > 100


def test_rows_for_repeated_splits_keep_their_degrees_of_freedom():
    differences = np.array([0.01, 0.05, 0.02, -0.01])
    found = corrected_resampled_t(differences, test_over_train=0.25, rows=100)
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    by_normal = found.row_variance * (z / found.effect.value) ** 2
    t = stats.t.ppf(0.975, 3) + stats.t.ppf(0.8, 3)
    assert rows_to_decide(found, pairs=1) == pytest.approx(by_normal * (t / z) ** 2, rel=0.02)


def test_f1_difference_pairs_the_rows():
    rng = RNG(6)
    true = rng.integers(0, 4, 300)
    wrong = np.where(rng.random(300) < 0.3, (true + 1) % 4, true)
    rows = np.arange(300)
    one = Outcomes(predicted=wrong[None], true=true, clusters=rows, row_ids=rows)
    same = f1_difference(one, one, RNG(0))
    assert same.value == 0.0
    assert -0.02 < same.low < 0 < same.high < 0.02
    better = Outcomes(predicted=true[None], true=true, clusters=rows, row_ids=rows)
    assert f1_difference(better, one, RNG(0)).low > 0.2


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.02), (3, 0.02), (5, 0.0)])
def test_false_differences_in_miniature(seeds, spread):
    rng, false, plain, times = RNG(21), 0, 0, 80
    for _ in range(times):
        drawn = simulate(rng, World(), accuracies=np.full(3, 0.8), spread=spread, seeds=seeds, rows=500).correct
        pairs = list(itertools.combinations(drawn, 2))
        tested = [paired_test(a, b, np.arange(500), steady=DRIFTING).p_value for a, b in pairs]
        false += min(holm(tested)) <= ALPHA
        plain += min(holm([mcnemar_exact(a[0], b[0]) for a, b in pairs])) <= ALPHA
    assert false / times <= 0.1
    assert spread == 0.0 or plain / times > 0.15


def test_power_in_miniature():
    rng, found = RNG(22), 0
    for _ in range(100):
        drawn = simulate(
            rng,
            World(row_share=0.35, method_share=0.2),
            accuracies=np.array([0.75, 0.85]),
            spread=0.02,
            seeds=5,
            rows=500,
        ).correct
        found += paired_test(*drawn, np.arange(500), steady=DRIFTING).p_value <= ALPHA
    assert found >= 88


def test_one_sided_p_values_and_reach_agree_with_the_interval():
    first, second, rows = discordant(20, 8, 72, seeds=3)
    found = paired_test(first, second, rows, steady=DRIFTING)
    assert found.p_above(found.effect.low) == pytest.approx(0.025, rel=1e-3)
    assert found.p_below(found.effect.high) == pytest.approx(0.025, rel=1e-3)
    assert found.centre + found.reach(0.95) == pytest.approx(found.effect.high)
    assert found.p_above(0.03) + found.p_below(0.03) == pytest.approx(1.0)
    assert found.p_above(-0.1) < found.p_above(0.0) < found.p_above(0.1)
    assert 2 * found.p_above(0.0) == pytest.approx(found.p_value)
