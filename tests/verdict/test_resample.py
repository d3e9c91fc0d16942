import numpy as np
import pytest
from sklearn.metrics import f1_score

from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.macro_f1 import f1_jackknife, macro_f1

RNG = np.random.default_rng


def test_macro_f1_is_that_of_scikit_learn_also_under_weights():
    rng = RNG(1)
    true, predicted = rng.integers(0, 4, 50), rng.integers(0, 5, (3, 50))
    weights = rng.integers(0, 3, (6, 50)).astype(float)
    found = macro_f1(weights, true, predicted)
    assert found.shape == (6, 3)
    for replicate, run in [(0, 0), (3, 1), (5, 2)]:
        rows = np.repeat(np.arange(50), weights[replicate].astype(int))
        expected = f1_score(true[rows], predicted[run][rows], average="macro", zero_division=0)
        assert found[replicate, run] == pytest.approx(expected)


def test_macro_f1_by_hand():
    true, predicted = np.array([0, 0, 1]), np.array([[0, 1, 1]])
    assert macro_f1(np.ones((1, 3)), true, predicted)[0, 0] == pytest.approx((2 / 3 + 2 / 3) / 2)


def outcomes(true, predicted, clusters):
    true, clusters = np.asarray(true), np.asarray(clusters)
    return Answers(predicted=np.asarray(predicted), true=true, clusters=clusters, row_ids=np.arange(len(true)))


@pytest.mark.parametrize("copies", [1, 3])
def test_each_cluster_is_left_out_in_turn(copies):
    rng = RNG(7)
    true, predicted = rng.integers(0, 6, 30), rng.integers(0, 7, (2, 30))
    clusters = np.arange(30) // copies * 5 + 2
    by_seed, left_out = f1_jackknife(outcomes(true, predicted, clusters))
    assert by_seed == pytest.approx(macro_f1(np.ones((1, 30)), true, predicted)[0])
    kept = (clusters != np.unique(clusters)[:, None]).astype(float)
    assert left_out == pytest.approx(macro_f1(kept, true, predicted))


def test_a_label_that_vanishes_with_its_only_cluster_no_longer_counts():
    _, left_out = f1_jackknife(outcomes([0, 0, 1], [[0, 0, 0]], [0, 1, 2]))
    assert left_out[2, 0] == 1.0


def test_one_cluster_alone_leaves_nothing():
    _, left_out = f1_jackknife(outcomes([0, 0], [[0, 1]], [4, 4]))
    assert left_out.tolist() == [[0.0]]
