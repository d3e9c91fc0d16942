import numpy as np
import pytest

from showdown.verdict.classification.answers import Answers
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.simulation import DETERMINISTIC, SIMULATED, Trainings, World, simulate
from showdown.verdict.spread import (
    COMPARISON_WORTH,
    NARROWING_WORTH,
    PRIOR_SPREAD,
    PRIOR_WORTH,
    Reruns,
    fold_variance,
    moderated,
    net_rerun_variance,
    reruns_of,
    seen_reruns,
    share_squared,
)

RNG = np.random.default_rng
EXPECTED = PRIOR_SPREAD**2 / 0.25


def outcomes(correct, folds=None):
    correct = np.asarray(correct, dtype=np.int64)
    rows = np.arange(correct.shape[1])
    return Answers(predicted=correct, true=np.ones_like(rows), clusters=rows, row_ids=rows, folds=folds)


def row(part, traits=SIMULATED):
    return ArmOutcomes(name="a", traits=traits, parts={0: part}, seeds=len(part.predicted), test_over_train=0.0)


def test_rerun_variance_by_hand():
    # Two runs, one right everywhere, one wrong everywhere: no row flips by itself, all is between the runs.
    assert net_rerun_variance(np.array([[1.0] * 10, [0.0] * 10])) == pytest.approx(0.5)
    # Two runs equally good on other rows: all is flipping rows, and more than all.
    assert net_rerun_variance(np.array([[1.0, 0.0] * 5, [0.0, 1.0] * 5])) < 0.0


def test_each_fold_is_a_training_of_its_own():
    # In one fold the first seed is right everywhere, in the other the second: the means over folds are equal.
    correct = np.array([[1.0] * 10 + [0.0] * 10, [0.0] * 10 + [1.0] * 10])
    folds = np.repeat([3, 8], 10)
    assert net_rerun_variance(correct) < 0.0
    assert net_rerun_variance(correct, folds) == pytest.approx(0.5)
    assert seen_reruns(outcomes(correct, folds)).degrees == 2.0
    assert share_squared(folds) == 0.5
    assert share_squared(None) == 1.0
    assert share_squared(np.array([1, 2, 2, 2])) == pytest.approx(10 / 16)


@pytest.mark.parametrize("folds", [1, 5])
def test_the_spread_of_one_training_is_found(folds):
    drawn = simulate(
        RNG(3),
        World(),
        accuracies=np.full(40, 0.8),
        rows=500 * folds,
        trainings=Trainings(spread=0.03, seeds=5, folds=folds),
    )
    found = [net_rerun_variance(drawn.correct[method], drawn.folds) for method in range(40)]
    assert np.sqrt(np.mean(found)) == pytest.approx(0.03, rel=0.1)


def test_what_is_expected_stands_alone_with_one_seed_and_fades_with_more():
    assert seen_reruns(outcomes(np.ones((1, 50)))) is None
    assert moderated(None) == Reruns(relative=pytest.approx(EXPECTED), degrees=PRIOR_WORTH)
    eleven = moderated(Reruns(relative=0.0, degrees=10.0))
    assert eleven.relative == pytest.approx(EXPECTED * PRIOR_WORTH / (PRIOR_WORTH + 10))
    assert eleven.degrees == PRIOR_WORTH + 10


def test_what_is_expected_does_not_hide_what_was_seen():
    more = moderated(Reruns(relative=5 * EXPECTED, degrees=4.0))
    assert more.relative == pytest.approx(EXPECTED * (NARROWING_WORTH + 20) / (NARROWING_WORTH + 4))
    assert more.degrees == PRIOR_WORTH + 4
    as_expected = moderated(Reruns(relative=EXPECTED, degrees=4.0))
    assert as_expected.relative == pytest.approx(EXPECTED)


def test_other_methods_tell_what_to_expect():
    others = [Reruns(relative=4 * EXPECTED, degrees=4.0), Reruns(relative=2 * EXPECTED, degrees=2.0)]
    found = moderated(None, others)
    assert found.relative == pytest.approx(EXPECTED * (COMPARISON_WORTH + 20) / (COMPARISON_WORTH + 6))
    assert found.degrees == PRIOR_WORTH
    collapsing = moderated(None, [Reruns(relative=1000 * EXPECTED, degrees=4.0)])
    assert collapsing.relative <= 4 * EXPECTED
    calm = moderated(None, [Reruns(relative=-3 * EXPECTED, degrees=4.0)])
    assert calm.relative == 0.0


def test_a_row_is_not_told_by_itself_nor_by_methods_without_seeds():
    wild = row(outcomes(np.repeat([[1], [0], [1]], 40, axis=1)))
    alone = reruns_of(wild)
    assert reruns_of(wild, [wild, wild]) == alone
    assert reruns_of(wild, [row(outcomes(np.ones((3, 40))), DETERMINISTIC)]) == alone
    calm = row(outcomes(np.tile(np.arange(40) % 2, (3, 1))))
    assert reruns_of(wild, [wild, calm]).relative < alone.relative
    assert reruns_of(calm, [wild, calm, wild]) == reruns_of(calm, [wild])


def test_folds_of_one_seed_tell_of_a_training_that_went_wrong():
    correct = np.ones(200)
    correct[::5] = 0.0
    folds = np.arange(200) // 40
    collapsed = np.where(folds == 2, np.arange(200) % 5 == 0, correct)
    assert fold_variance(correct, folds) is None
    assert fold_variance(collapsed, folds) > 0.05
    calm, wild = (reruns_of(row(outcomes(values[None], folds))) for values in (correct, collapsed))
    assert calm == Reruns(relative=pytest.approx(EXPECTED), degrees=PRIOR_WORTH)
    assert wild.degrees == PRIOR_WORTH + 4
    assert wild.relative > 20 * calm.relative
    assert reruns_of(row(outcomes(collapsed[None]))).relative == pytest.approx(EXPECTED)
    assert reruns_of(row(outcomes(collapsed[None], np.arange(200)))).relative == pytest.approx(EXPECTED)


def test_methods_without_seeds_have_no_assumed_spread():
    assert reruns_of(row(outcomes(np.ones((1, 50))), DETERMINISTIC)).relative == 0.0
    assert reruns_of(row(outcomes(np.ones((3, 50))), DETERMINISTIC)).relative == 0.0
