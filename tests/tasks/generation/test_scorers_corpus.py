"""Scores of all answers together, and their interval by the bootstrap over duplicate groups."""

import math
import random

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from benchmarks.statistics.bootstrap_coverage import coverage, mean_loss, simulated
from showdown.tasks.generation.scorers import bootstrap
from showdown.tasks.generation.scorers.bootstrap import bootstrap_interval
from showdown.tasks.generation.scorers.corpus import (
    ORDER,
    chrf_of_sums,
    chrf_statistics,
    perplexity_of_sums,
    perplexity_statistics,
)


def random_texts(generator: random.Random, count: int) -> list[str]:
    return ["".join(generator.choices("abc é\t", k=generator.randint(0, 30))) for _ in range(count)]


def test_corpus_chrf_is_that_of_the_library() -> None:
    generator = random.Random(0)
    for rows in (1, 2, 40):
        wanted, written = random_texts(generator, rows), random_texts(generator, rows)
        found = chrf_of_sums(chrf_statistics(wanted, written).sum(axis=0))
        assert 100 * float(found) == pytest.approx(CHRF().corpus_score(written, [wanted]).score)


def test_corpus_chrf_of_many_sums_at_once() -> None:
    generator = random.Random(1)
    statistics = chrf_statistics(random_texts(generator, 12), random_texts(generator, 12))
    together = chrf_of_sums(statistics.reshape(3, 4, 3 * ORDER))
    assert together.shape == (3, 4)
    assert together.ravel() == pytest.approx([float(chrf_of_sums(row)) for row in statistics])


def test_corpus_chrf_of_nothing_is_zero() -> None:
    assert chrf_statistics([], []).shape == (0, 3 * ORDER)
    assert float(chrf_of_sums(chrf_statistics(["abc"], [""]).sum(axis=0))) == 0.0
    with pytest.raises(ValueError, match="zip"):
        chrf_statistics(["a", "b"], ["a"])


def test_perplexity_is_of_all_tokens() -> None:
    """Six nats over three tokens: the long row counts twice."""
    statistics = perplexity_statistics([2.0, 4.0], [1, 2])
    assert float(perplexity_of_sums(statistics.sum(axis=0))) == pytest.approx(math.exp(2))
    assert perplexity_of_sums(statistics) == pytest.approx([math.exp(2), math.exp(2)])
    assert float(perplexity_of_sums(np.array([1e6, 1.0]))) == math.inf


@pytest.mark.parametrize("clusters", [12, 50])
def test_the_interval_holds_the_truth_as_often_as_it_says(clusters: int) -> None:
    """The standard error of a coverage of 95 % over 250 trials is 1.4 %."""
    assert 0.91 <= coverage(clusters, together=True, trials=250) <= 0.99


def test_rows_of_a_cluster_as_if_each_told_something_new_would_not() -> None:
    assert coverage(50, together=False, trials=80) < 0.85


def test_many_clusters_give_the_interval_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 3000)
    statistics = np.stack([values, np.ones(3000)], axis=1)
    found = bootstrap_interval(statistics, mean_loss, np.arange(3000), seed=0)
    assert found is not None
    reach = 1.96 * values.std(ddof=1) / math.sqrt(3000)
    assert found == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.1 * reach)


def test_few_clusters_reach_further_out() -> None:
    """Student's quantile with 9 degrees of freedom is 2.262; times sqrt(10 / 9) it is 2.384, and beyond lie 0.86 %."""
    assert bootstrap._tail(10) == pytest.approx(0.00856, abs=5e-5)
    assert bootstrap._tail(10**6) == pytest.approx(0.025, abs=1e-5)


def test_the_same_seed_gives_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics, index = simulated(np.random.default_rng(0), 30)
    found = bootstrap_interval(statistics, mean_loss, index, seed=1)
    assert found == bootstrap_interval(statistics, mean_loss, index, seed=1)
    assert found != bootstrap_interval(statistics, mean_loss, index, seed=2)
    shuffled = np.random.default_rng(0).permutation(len(index))
    assert found == pytest.approx(bootstrap_interval(statistics[shuffled], mean_loss, 7 * index[shuffled], seed=1))
    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 1000)
    assert found == pytest.approx(bootstrap_interval(statistics, mean_loss, index, seed=1))


def test_one_cluster_has_no_interval() -> None:
    assert bootstrap_interval(np.ones((3, 2)), mean_loss, np.zeros(3, dtype=np.int64), seed=0) is None
    assert bootstrap_interval(np.ones((0, 2)), mean_loss, np.zeros(0, dtype=np.int64), seed=0) is None


def test_an_interval_of_corpus_chrf_and_of_perplexity() -> None:
    generator = random.Random(2)
    wanted = ["".join(generator.choices("abcdef", k=20)) for _ in range(30)]
    written = [text[: generator.randint(5, 20)] for text in wanted]
    statistics = chrf_statistics(wanted, written)
    low, high = bootstrap_interval(statistics, chrf_of_sums, np.arange(30), seed=0) or (0.0, 0.0)
    assert 0.0 < low < float(chrf_of_sums(statistics.sum(axis=0))) < high < 1.0
    losses, index = simulated(np.random.default_rng(4), 30)
    low, high = bootstrap_interval(losses, perplexity_of_sums, index, seed=0) or (0.0, 0.0)
    assert 1.0 < low < float(perplexity_of_sums(losses.sum(axis=0))) < high
