import numpy as np
import pytest
from sklearn.metrics import f1_score

from showdown.verdict.outcomes import Outcomes
from showdown.verdict.resample import cluster_weights, f1_replicates, macro_f1

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


def test_whole_clusters_are_drawn():
    clusters = np.array([7, 7, 7, 2, 5, 5])
    weights = cluster_weights(clusters, 200, RNG(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 4] == weights[:, 5]).all()
    assert (weights[:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert weights[:, 0].mean() == pytest.approx(1.0, abs=0.2)


def test_methods_see_the_same_rows_and_blocks_change_nothing_of_the_shape():
    rng = RNG(3)
    rows = np.arange(40)
    one = Outcomes(predicted=rng.integers(0, 3, (2, 40)), true=rng.integers(0, 3, 40), clusters=rows, row_ids=rows)
    first, second = f1_replicates((one, one), 30, RNG(0))
    assert first.shape == (30, 2)
    assert np.array_equal(first, second)


def test_large_tests_are_resampled_in_blocks(monkeypatch):
    monkeypatch.setattr("showdown.verdict.resample._BLOCK_CELLS", 100)
    rows = np.arange(40)
    one = Outcomes(predicted=rows[None] % 3, true=rows % 2, clusters=rows, row_ids=rows)
    assert f1_replicates((one,), 31, RNG(0))[0].shape == (31, 1)
