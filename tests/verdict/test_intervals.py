import itertools

import numpy as np
import pytest
from scipy import stats

from showdown.verdict.arm_intervals import accuracy_interval, arm_intervals, no_f1_interval
from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.macro_f1 import f1_interval, f1_reruns, macro_f1, macro_f1_of, rare_labels
from showdown.verdict.intervals import jackknife, repeated_interval, rows_share, score_interval, wilson
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.simulation import SIMULATED, Trainings, World, simulate, true_macro_f1
from showdown.verdict.spread import STEADY, Reruns, moderated, seen_reruns

RNG = np.random.default_rng


def part(correct, clusters=None):
    """Answers of which these are right; all rows have one label."""
    correct = np.asarray(correct, dtype=np.int64)
    rows = np.arange(correct.shape[1])
    return Answers(
        predicted=correct, true=np.ones_like(rows), clusters=rows if clusters is None else clusters, row_ids=rows
    )


def rows_right(right, total):
    return (np.arange(total) < right).astype(float)[None]


def width(found):
    return found.high - found.low


def test_wilson_by_a_published_example():
    # Newcombe 1998, table I: 81 of 263, score method: 0.2553 to 0.3662.
    found = wilson(81 / 263, square=stats.norm.ppf(0.975) ** 2 / 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_one_run_on_different_rows_gives_wilsons_interval():
    found = accuracy_interval(part(rows_right(130, 166)), STEADY)
    expected = wilson(130 / 166, square=stats.t.ppf(0.975, 165) ** 2 / 166)
    assert found.low == pytest.approx(expected.low, abs=5e-4)
    assert found.high == pytest.approx(expected.high, abs=5e-4)


@pytest.mark.parametrize("right", [0, 166])
def test_never_of_zero_width(right):
    found = accuracy_interval(part(np.repeat(rows_right(right, 166), 5, axis=0)), STEADY)
    assert width(found) == pytest.approx(0.0229, abs=0.001)  # z^2 / (n + z^2)
    true = np.arange(166) % 5
    one = Answers(predicted=true[None], true=true, clusters=np.arange(166), row_ids=np.arange(166))
    perfect = f1_interval(one, STEADY)
    assert perfect.value == 1.0
    assert perfect.low < 0.98


@pytest.mark.parametrize(("rows", "seeds"), [(40, 5), (50, 2), (166, 5), (1000, 3)])
def test_one_more_error_does_not_narrow_an_interval_near_all_right(rows, seeds):
    """Wrong answers of one seed each, on rows of their own: from none to five of them."""
    true = np.arange(rows) % 2
    for interval in (accuracy_interval, f1_interval):
        found = []
        for wrong in range(6):
            predicted = np.tile(true, (seeds, 1))
            for place in range(wrong):
                predicted[place % seeds, place] = 1 - true[place]
            answers = Answers(predicted=predicted, true=true, clusters=np.arange(rows), row_ids=np.arange(rows))
            found.append(interval(answers, STEADY))
        # What all right gives may be exceeded by a trifle, and is given up again by the next errors.
        assert all(more.low <= found[0].low + 0.005 for more in found)
        assert all(more.high <= less.high for less, more in itertools.pairwise(found))


def test_copies_of_rows_add_nothing():
    once = rows_right(70, 100)
    alone = accuracy_interval(part(once), STEADY)
    copied = accuracy_interval(part(np.repeat(once, 6, axis=1), np.repeat(np.arange(100), 6)), STEADY)
    assert copied.low == pytest.approx(alone.low, abs=1e-9)
    assert copied.high == pytest.approx(alone.high, abs=1e-9)


def test_share_of_the_rows_is_what_the_cluster_bootstrap_gives():
    rng = RNG(5)
    clusters = np.repeat(np.arange(400), 3)
    values = np.clip(0.8 + 0.2 * rng.standard_normal(1200) + 0.2 * np.repeat(rng.standard_normal(400), 3), 0, 1)
    by_cluster = values.reshape(400, 3).mean(axis=1)
    drawn = [by_cluster[rng.integers(0, 400, 400)].mean() for _ in range(10_000)]
    mean = values.mean()
    assert rows_share(values, clusters) == pytest.approx(np.var(drawn) / (mean * (1 - mean)), rel=0.08)


def test_spread_between_seeds_widens():
    steady = part(np.tile(rows_right(80, 100), (3, 1)))
    moving = part(np.concatenate([rows_right(70, 100), rows_right(80, 100), rows_right(90, 100)]))
    narrow, wide = (accuracy_interval(found, moderated(seen_reruns(found))) for found in (steady, moving))
    assert wide.value == pytest.approx(narrow.value)
    assert width(wide) > 1.2 * width(narrow)


def test_one_seed_speaks_of_the_method_and_not_of_that_run():
    one = part(rows_right(2400, 3000))
    assumed, run = accuracy_interval(one, moderated(None)), accuracy_interval(one, STEADY)
    assert width(assumed) > 3 * width(run)


def test_parts_have_quantiles_of_their_own():
    found = score_interval(0.5, [(0.0, 10.0), (4e-4, 4.0)])
    assert found.high - 0.5 == pytest.approx(stats.t.ppf(0.975, 4) * 0.01, rel=0.01)
    both = score_interval(0.5, [(3e-4, 50.0), (4e-4, 4.0)])
    reach = np.sqrt(stats.t.ppf(0.975, 50) ** 2 * 3e-4 / 4 + stats.t.ppf(0.975, 4) ** 2 * 1e-4)
    assert both.high - 0.5 == pytest.approx(reach, rel=0.01)


def test_repeats_are_corrected_for_shared_training_rows():
    values = np.array([0.80, 0.82, 0.84, 0.86])
    loose = repeated_interval(values, test_over_train=0.25, clusters=1000)
    tight = repeated_interval(values, test_over_train=1e-9, clusters=1000)
    # The variance is doubled: (1/4 + 1/4) against 1/4.
    assert width(loose) / width(tight) == pytest.approx(np.sqrt(2), abs=0.06)


def test_repeats_that_agree_by_chance_are_no_surer_than_their_rows():
    perfect, close, one_wrong = (
        repeated_interval(np.array(values), test_over_train=0.2, clusters=50)
        for values in ([1.0, 1.0, 1.0], [0.9, 0.9, 0.9], [1.0, 1.0, 0.98])
    )
    assert perfect.low < 0.9
    assert width(close) > 0.1
    assert one_wrong.low <= perfect.low


def test_jackknife_of_a_mean_is_its_variance_without_bias():
    values = RNG(2).random(30)
    variance, bias = jackknife((values.sum() - values) / 29, values.mean())
    assert variance == pytest.approx(values.var(ddof=1) / 30)
    assert bias == pytest.approx(0.0, abs=1e-9)


def test_macro_f1_knows_the_reruns():
    rng = RNG(4)
    drawn = simulate(
        rng, World(labels=6), accuracies=np.array([0.8]), rows=1500, trainings=Trainings(spread=0.04, seeds=6)
    )
    answers = drawn.outcomes(0)
    found = f1_reruns(macro_f1_of(answers), Reruns(relative=0.0, degrees=4.0), None)
    assert 0.01 < np.sqrt(found.relative * 0.16) < 0.06
    assert found.degrees == 9.0
    assert f1_reruns(macro_f1_of(answers), STEADY, None) == STEADY
    one = Answers(
        predicted=answers.predicted[:1], true=answers.true, clusters=answers.clusters, row_ids=answers.row_ids
    )
    alone, method = (f1_interval(one, reruns) for reruns in (STEADY, moderated(None)))
    assert width(method) > 1.3 * width(alone)


def labelled(true):
    true = np.asarray(true)
    rows = np.arange(len(true))
    return Answers(predicted=true[None], true=true, clusters=rows, row_ids=rows)


def test_macro_f1_of_a_label_with_one_test_row_has_no_interval():
    assert rare_labels(labelled([0, 0, 1, 1, 2, 2])) is None
    assert rare_labels(labelled([0, 0, 1, 1, 2])) == "1 of 3 labels have fewer than 2 different test texts"
    copies = Answers(
        predicted=np.array([[0, 0, 1, 1]]), true=np.array([0, 0, 1, 1]), clusters=np.array([1, 2, 3, 3]),
        row_ids=np.arange(4),
    )  # fmt: skip
    assert rare_labels(copies) is not None
    only_predicted = Answers(
        predicted=np.array([[0, 0, 0, 9]]),
        true=np.zeros(4, dtype=np.int64),
        clusters=np.arange(4),
        row_ids=np.arange(4),
    )
    assert rare_labels(only_predicted) is not None
    many = np.repeat(np.arange(20), 3)
    assert rare_labels(labelled([*many, 20])) is None
    row = ArmOutcomes(name="a", traits=SIMULATED, parts={0: labelled([0, 0, 1])}, seeds=1, test_over_train=0.0)
    assert no_f1_interval(row) == "1 of 2 labels have fewer than 2 different test texts"
    assert arm_intervals(row)["f1_macro"].value == 1.0


@pytest.mark.parametrize(
    ("accuracy", "seeds", "spread", "rows"),
    [(0.6, 1, 0.0, 166), (0.95, 5, 0.02, 166), (0.8, 5, 0.0, 166), (0.97, 5, 0.0, 50), (0.8, 2, 0.02, 3000)],
)
def test_coverage_in_miniature(accuracy, seeds, spread, rows):
    rng, hits = RNG(11), 0
    for _ in range(300):
        trainings = Trainings(spread=spread, seeds=seeds)
        drawn = simulate(rng, World(), accuracies=np.array([accuracy]), rows=rows, trainings=trainings).outcomes(0)
        found = accuracy_interval(drawn, moderated(seen_reruns(drawn)) if spread else STEADY)
        hits += found.low <= accuracy <= found.high
    assert 0.9 <= hits / 300 <= 0.99


@pytest.mark.parametrize(
    ("labels", "rarity", "accuracy", "rows"), [(25, 0.7, 0.8, 166), (77, 0.0, 0.9, 770), (77, 1.0, 0.8, 3080)]
)
def test_macro_f1_coverage_in_miniature(labels, rarity, accuracy, rows):
    rng, world, hits = RNG(12), World(labels=labels, rarity=rarity), 0
    truth = true_macro_f1(world, accuracy)
    for _ in range(150):
        drawn = simulate(rng, world, accuracies=np.array([accuracy]), rows=rows).outcomes(0)
        found = f1_interval(drawn, STEADY)
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 150 <= 0.995


def test_simulated_truth_is_what_is_drawn():
    world = World(labels=6)
    drawn = simulate(RNG(2), world, accuracies=np.array([0.7, 0.9]), rows=200_000)
    assert drawn.correct.mean(axis=(1, 2)) == pytest.approx([0.7, 0.9], abs=0.005)
    one = drawn.predicted[0]
    assert macro_f1(np.ones((1, 200_000)), drawn.true, one)[0, 0] == pytest.approx(true_macro_f1(world, 0.7), abs=0.005)
    assert np.corrcoef(drawn.correct[0, 0], drawn.correct[1, 0])[0, 1] > 0.15


def test_simulated_trainings_spread_collapse_and_have_folds():
    drawn = simulate(
        RNG(2),
        World(),
        accuracies=np.array([0.9]),
        rows=20_000,
        trainings=Trainings(spread=0.01, seeds=100, folds=2, collapsing=0.2, tails=4.0),
        copies=2,
    )
    by_training = np.array([drawn.correct[0][:, drawn.folds == fold].mean(axis=1) for fold in (0, 1)])
    collapsed = by_training < 0.5
    assert 0.1 < collapsed.mean() < 0.3
    assert by_training[collapsed].mean() == pytest.approx(1 / 5, abs=0.02)
    assert 0.005 < by_training[~collapsed].std() < 0.02
    assert (drawn.true[::2] == drawn.true[1::2]).all()
    assert len(np.unique(drawn.clusters)) == 10_000
