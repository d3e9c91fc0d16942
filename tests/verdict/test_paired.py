import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.macro_f1 import f1_difference
from showdown.verdict.classification.mcnemar import mcnemar_exact, paired_test
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.paired import (
    ALPHA,
    Side,
    contrast_test,
    corrected_resampled_t,
    holm,
    holm_levels,
    reach_of,
    tail_of,
)
from showdown.verdict.pairs import compare
from showdown.verdict.simulation import SIMULATED, Trainings, World, simulate
from showdown.verdict.spread import STEADY, Reruns, moderated, seen_reruns

RNG = np.random.default_rng
ROWS = (100, 300, 1000, 3000, 30_000, 100_000)


def discordant(only_first, only_second, both, seeds=1):
    first = np.r_[np.ones(only_first), np.zeros(only_second), np.ones(both)]
    second = np.r_[np.zeros(only_first), np.ones(only_second), np.ones(both)]
    return np.tile(first, (seeds, 1)), np.tile(second, (seeds, 1)), np.arange(len(first))


def side_of(correct, clusters, *, steady=False, folds=None):
    """A method of which nothing else is known."""
    rows = np.arange(correct.shape[1])
    part = Answers(
        predicted=correct.astype(np.int64), true=np.ones_like(rows), clusters=clusters, row_ids=rows, folds=folds
    )
    return Side(values=correct, reruns=STEADY if steady else moderated(seen_reruns(part)), folds=folds)


def compared(first, second, clusters, **known):
    return paired_test(side_of(first, clusters, **known), side_of(second, clusters, **known), clusters)


def drawn_pair():
    trainings = Trainings(spread=0.01, seeds=3)
    return simulate(RNG(4), World(), accuracies=np.array([0.7, 0.8]), rows=200, trainings=trainings).correct


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
    found = compared(*discordant(20, 8, 72), steady=True)
    p12, p21 = 21 / 102, 9 / 102
    error = np.sqrt((p12 + p21 - (p12 - p21) ** 2) / 102)
    # The product's variance has 101 below the line, and Student's t: both make it a little wider.
    assert found.effect.low == pytest.approx(p12 - p21 - 1.96 * error, abs=0.003)
    assert found.effect.high == pytest.approx(p12 - p21 + 1.96 * error, abs=0.003)
    assert found.effect.value == pytest.approx(0.12)


def test_one_seed_each_must_also_pass_mcnemar():
    found = compared(*discordant(5, 0, 500), steady=True)
    assert found.p_value >= found.exact_p == pytest.approx(0.0625)


def test_one_unknown_seed_cannot_claim_what_a_steady_method_can():
    assert compared(*discordant(35, 15, 450), steady=True).p_value < 0.01
    assert compared(*discordant(35, 15, 450)).p_value > 0.05


def test_swapping_the_two_turns_the_effect_and_keeps_the_p_value():
    first, second = drawn_pair()
    there, back = compared(first, second, np.arange(200)), compared(second, first, np.arange(200))
    assert there.p_value == pytest.approx(back.p_value)
    assert there.effect.low == pytest.approx(-back.effect.high)
    assert there.p_above(0.02) == pytest.approx(back.p_below(-0.02))


def test_order_of_rows_and_numbers_of_clusters_do_not_matter():
    first, second = drawn_pair()
    clusters = np.arange(200) // 2
    order = RNG(0).permutation(200)
    one = compared(first, second, clusters)
    other = compared(first[:, order], second[:, order], clusters[order] * 7 + 3)
    assert one.p_value == pytest.approx(other.p_value)


def test_copies_of_rows_prove_nothing_more():
    first, second, rows = discordant(20, 8, 72, seeds=2)
    once = compared(first, second, rows, steady=True)
    copied = compared(*(np.repeat(x, 5, axis=1) for x in (first, second)), np.repeat(rows, 5), steady=True)
    assert copied.p_value == pytest.approx(once.p_value)
    assert copied.rows == 100


def test_equal_answers_have_an_interval_and_no_difference():
    ones = np.ones((5, 100))
    found = compared(ones, ones, np.arange(100), steady=True)
    assert found.p_value == 1.0
    assert found.effect.low < 0 < found.effect.high


def test_one_sided_p_values_and_reach_agree_with_the_interval():
    found = compared(*discordant(20, 8, 72, seeds=3))
    assert found.p_above(found.effect.low) == pytest.approx(0.025, rel=1e-3)
    assert found.p_below(found.effect.high) == pytest.approx(0.025, rel=1e-3)
    assert found.centre + found.reach(0.95) == pytest.approx(found.effect.high)
    assert found.p_above(0.03) + found.p_below(0.03) == pytest.approx(1.0)
    assert found.p_above(-0.1) < found.p_above(0.0) < found.p_above(0.1)
    assert 2 * found.p_above(0.0) == pytest.approx(found.p_value)
    assert found.p_above(found.centre) == pytest.approx(0.5)


def test_reach_of_one_source_is_students_and_tails_invert_it():
    assert reach_of([(0.04, 5.0)], 0.025) == pytest.approx(0.2 * stats.t.ppf(0.975, 5))
    two = [(0.04, 5.0), (0.01, 50.0)]
    expected = np.sqrt(0.04 * stats.t.ppf(0.99, 5) ** 2 + 0.01 * stats.t.ppf(0.99, 50) ** 2)
    assert reach_of(two, 0.01) == pytest.approx(expected)
    for tail in (0.4, 0.025, 1e-6, 1e-30):
        assert tail_of(two, reach_of(two, tail)) == pytest.approx(tail, rel=1e-6)
    assert tail_of(two, 0.0) == 0.5
    assert tail_of(two, 1e300) > 0.0


def apart(rows, gap, seeds, *, other_seeds=None, spread=0.01):
    """Test two methods of which one errs in a tenth of the rows, another in ``gap`` more; seeds lie ``spread`` off."""

    def side(wrong, count):
        shares = wrong + spread * np.linspace(-1, 1, count) if count > 1 else np.array([wrong])
        correct = np.array([np.arange(rows) >= round(share * rows) for share in shares], dtype=np.float64)
        return Side(values=correct, reruns=Reruns(relative=0.002, degrees=4.0 + count - 1))

    return paired_test(side(0.1, seeds), side(0.1 + gap, other_seeds or seeds), np.arange(rows))


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("gap", [0.03, 0.08, 0.18])
def test_more_rows_never_make_a_difference_harder_to_show(gap, seeds):
    found = [apart(rows, gap, seeds) for rows in ROWS]
    for fewer, more in itertools.pairwise(found):
        assert more.p_value <= fewer.p_value
        assert more.p_above(0.01) <= fewer.p_above(0.01)
        assert all(more.reach(level) <= fewer.reach(level) for level in (0.5, 0.9, 0.95, 0.999))


def times_over(row, times):
    """Repeat a row's test rows, each as a text of its own."""
    part = row.parts[0]
    rows = np.arange(len(part.true) * times)
    more = Answers(
        predicted=np.tile(part.predicted, (1, times)),
        true=np.tile(part.true, times),
        clusters=rows,
        row_ids=rows,
        folds=None if part.folds is None else np.tile(part.folds, times),
    )
    return replace(row, parts={0: more})


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize(("folds", "spread", "gap"), [(1, 0.0, 0.1), (1, 0.02, 0.18), (5, 0.02, 0.03), (5, 0.0, 0.18)])
def test_neither_do_more_rows_that_answer_alike(seeds, folds, spread, gap):
    """From the answers to the verdict: what is measured of the reruns changes too.

    Folds of one seed are left out here: repeated rows make chance differences between folds look real.
    """
    folds = folds if seeds > 1 else 1
    for chance in range(4):
        trainings = Trainings(spread=spread, seeds=seeds, folds=folds)
        drawn = simulate(RNG(chance), World(), accuracies=np.array([0.7, 0.7 + gap]), rows=150, trainings=trainings)
        first, second = drawn.row(0), drawn.row(1)
        found = [compare(times_over(first, times), times_over(second, times)).test for times in (1, 3, 10, 40)]
        assert all(more.p_value <= fewer.p_value for fewer, more in itertools.pairwise(found))
        assert all(more.reach(0.95) <= fewer.reach(0.95) for fewer, more in itertools.pairwise(found))


@pytest.mark.parametrize("gap", [0.03, 0.18])
def test_nor_do_more_rows_in_folds_of_one_seed(gap):
    """Folds that are alike, from the answers to the verdict."""

    def row(wrong, rows, name):
        predicted = (np.arange(rows) // 5 * 5 >= round(wrong * rows)).astype(np.int64)[None]
        part = Answers(
            predicted=predicted,
            true=np.ones(rows, dtype=np.int64),
            clusters=np.arange(rows),
            row_ids=np.arange(rows),
            folds=np.arange(rows) % 5,
        )
        return ArmOutcomes(name=name, traits=SIMULATED, parts={0: part}, seeds=1, test_over_train=0.0)

    found = [compare(row(0.1, rows, "a"), row(0.1 + gap, rows, "b")).test for rows in ROWS]
    assert all(more.p_value <= fewer.p_value for fewer, more in itertools.pairwise(found))
    assert all(more.reach(0.95) <= fewer.reach(0.95) for fewer, more in itertools.pairwise(found))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("other", [1, None])
def test_more_seeds_never_make_a_difference_harder_to_show(rows, other):
    """Also where the other method keeps its one seed."""
    found = [apart(rows, 0.1, seeds, other_seeds=other, spread=0.0) for seeds in (1, 2, 3, 5, 10)]
    for fewer, more in itertools.pairwise(found):
        assert more.p_value <= fewer.p_value
        assert all(more.reach(level) <= fewer.reach(level) for level in (0.5, 0.9, 0.95, 0.999))


@pytest.mark.parametrize("rows", [100, 3000])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_larger_gap_is_never_harder_to_show(rows, seeds):
    found = [apart(rows, gap, seeds) for gap in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)]
    assert all(more.p_value <= less.p_value for less, more in itertools.pairwise(found))
    assert all(more.p_above(0.01) <= less.p_above(0.01) for less, more in itertools.pairwise(found))


def test_a_gap_of_18_points_with_one_seed_holds_among_many_pairs():
    """Frozen embeddings against one seed of LoRA on 3,080 rows: shown also where seven methods are compared."""
    first, second, rows = discordant(661, 94, 2325)
    found = paired_test(side_of(first, rows, steady=True), side_of(second, rows), rows)
    assert found.value == pytest.approx(0.184, abs=0.001)
    assert holm([found.p_value, *[1.0] * 20])[0] < ALPHA


def test_folds_divide_what_one_training_adds():
    first, second, rows = discordant(80, 20, 300)
    once, folded = (compared(first, second, rows, folds=folds) for folds in (None, rows % 5))
    assert folded.parts[1][0] == pytest.approx(once.parts[1][0] / 5)
    assert folded.p_value < once.p_value


def test_a_contrast_of_gains_by_hand():
    sides = [Side(values=RNG(place).integers(0, 2, (2, 400)).astype(float), reruns=STEADY) for place in range(4)]
    found = contrast_test(sides[:2], sides[2:], np.arange(400))
    means = [side.values.mean(axis=0) for side in sides]
    values = means[0] + means[1] - means[2] - means[3]
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std() / 20, rel=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm_levels([0.01, 0.04, 0.03, 0.005]) == pytest.approx([ALPHA / 3, ALPHA, ALPHA / 2, ALPHA / 4])


def test_corrected_resampled_t_by_hand():
    differences = np.array([0.01, 0.03, 0.05, 0.03])
    found = corrected_resampled_t(differences, test_over_train=0.25, rows=100)
    t = 0.03 / np.sqrt((1 / 4 + 0.25) * differences.var(ddof=1))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 3))
    plain = corrected_resampled_t(differences, test_over_train=0.0, rows=100)
    assert plain.p_value == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert corrected_resampled_t(np.zeros(4), test_over_train=0.2, rows=50).p_value == 1.0


def test_f1_difference_pairs_the_rows():
    rng = RNG(6)
    true = rng.integers(0, 4, 300)
    wrong = np.where(rng.random(300) < 0.3, (true + 1) % 4, true)
    rows = np.arange(300)
    one = Answers(predicted=wrong[None], true=true, clusters=rows, row_ids=rows)
    same = f1_difference(one, one, (STEADY, STEADY))
    assert same.value == 0.0
    assert -0.02 < same.low < 0 < same.high < 0.02
    better = Answers(predicted=true[None], true=true, clusters=rows, row_ids=rows)
    known = f1_difference(better, one, (STEADY, STEADY))
    assert known.low > 0.2
    assert f1_difference(better, one, (moderated(None), moderated(None))).low < known.low - 0.02


def test_f1_differences_know_the_reruns_in_miniature():
    rng, hits, times = RNG(9), 0, 80
    trainings = Trainings(spread=0.02, seeds=3)
    for _ in range(times):
        drawn = simulate(rng, World(labels=6), accuracies=np.array([0.8, 0.8]), rows=1500, trainings=trainings)
        found = compare(drawn.row(0), drawn.row(1)).f1_macro
        hits += found.low <= 0.0 <= found.high
    assert hits / times >= 0.9


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.02), (3, 0.02), (5, 0.0)])
def test_false_differences_in_miniature(seeds, spread):
    rng, false, plain, times = RNG(21), 0, 0, 80
    trainings = Trainings(spread=spread, seeds=seeds)
    for _ in range(times):
        drawn = simulate(rng, World(), accuracies=np.full(3, 0.8), rows=500, trainings=trainings).correct
        pairs = list(itertools.combinations(drawn, 2))
        false += min(holm([compared(a, b, np.arange(500)).p_value for a, b in pairs])) <= ALPHA
        plain += min(holm([mcnemar_exact(a[0], b[0]) for a, b in pairs])) <= ALPHA
    assert false / times <= 0.1
    assert spread == 0.0 or plain / times > 0.15


@pytest.mark.parametrize(("rows", "folds", "seeds"), [(500, 1, 5), (425, 5, 3), (425, 5, 1)])
def test_power_at_ten_points_in_miniature(rows, folds, seeds):
    rng, found = RNG(22), 0
    world, trainings = World(row_share=0.35, method_share=0.2), Trainings(spread=0.02, seeds=seeds, folds=folds)
    for _ in range(100):
        drawn = simulate(rng, world, accuracies=np.array([0.75, 0.85]), rows=rows, trainings=trainings)
        found += compared(*drawn.correct, np.arange(rows), folds=drawn.folds).p_value <= ALPHA
    assert found >= 85


def test_98_against_99_percent_is_found_in_miniature():
    rng, found = RNG(23), 0
    trainings = Trainings(spread=0.003, seeds=5)
    for _ in range(60):
        drawn = simulate(rng, World(), accuracies=np.array([0.98, 0.99]), rows=3000, trainings=trainings)
        found += compare(drawn.row(0), drawn.row(1)).test.p_value <= ALPHA
    assert found >= 48
