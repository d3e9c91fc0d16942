"""Scores that are any number, as those of generated texts are: the same functions judge them as right and wrong."""

import numpy as np
import pytest

from showdown.core.metric import Metric
from showdown.verdict.arm_intervals import arm_intervals
from showdown.verdict.intervals import mean_variance
from showdown.verdict.margin import most_worse, with_margin
from showdown.verdict.outcomes import ArmOutcomes, Floats, Outcomes, on_common_rows
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.simulation import DETERMINISTIC, SIMULATED

OVERLAP = Metric(key="overlap", title="overlap", mean_over_rows=True)
"""From 0 to 1, as ROUGE is."""
LOSS = Metric(key="loss", title="loss", direction="lower", lowest=-np.inf, highest=np.inf, mean_over_rows=True)
"""Without bounds, and less is better."""


def arm(name: str, values: Floats, metric: Metric, *, parts: int = 1, deterministic: bool = False) -> ArmOutcomes:
    """Return an arm from what its rows score: shape (seeds, rows), or (repeats, seeds, rows)."""
    every = values[None] if parts == 1 else values
    rows = np.arange(every.shape[-1])
    return ArmOutcomes(
        name=name,
        traits=DETERMINISTIC if deterministic else SIMULATED,
        parts={
            key: Outcomes(values=part, clusters=rows // 2, row_ids=rows, lowest=metric.lowest, highest=metric.highest)
            for key, part in enumerate(every)
        },
        seeds=every.shape[1],
        test_over_train=0.2 if parts > 1 else 0.0,
    )


def scored(metric: Metric, gap: float, *, parts: int = 1, seed: int = 0) -> list[ArmOutcomes]:
    """Draw two arms on the same rows; by ``gap`` the first scores more."""
    draw = np.random.default_rng(seed)
    shape = (3, 400) if parts == 1 else (parts, 3, 400)
    hard = draw.normal(0.0, 0.1, 400)
    first, second = (0.5 + hard + draw.normal(0.0, 0.05, shape) for _ in range(2))
    spread = 1.0 if metric is OVERLAP else 7.0
    return [arm("a", spread * (first + gap), metric, parts=parts), arm("b", spread * second, metric, parts=parts)]


@pytest.mark.parametrize("parts", [1, 5])
@pytest.mark.parametrize("metric", [OVERLAP, LOSS], ids=lambda metric: metric.key)
@pytest.mark.parametrize("gap", [0.0, 0.08])
def test_a_planted_difference_is_found_and_none_is_where_there_is_none(metric: Metric, gap: float, parts: int) -> None:
    a, b = scored(metric, gap, parts=parts)
    (pair,) = with_margin(judge_pairs([(a, b)], [a, b], metric), 0.5)
    spread = 1.0 if metric is OVERLAP else 7.0
    true = metric.sign * spread * gap
    assert pair.different == (gap > 0)
    assert pair.score.low <= true <= pair.score.high
    assert pair.score.value == pytest.approx(true, abs=0.02 * spread)
    assert pair.score.high - pair.score.low < 0.25 * spread
    assert (pair.accuracy, pair.f1_macro, pair.mcnemar_p) == (None, None, None)
    assert pair.within is not None
    if gap:
        assert (pair.score.value > 0) == (metric.direction == "higher"), "above 0 where the first is better"
        assert pair.lead is not None
        assert abs(pair.lead.value) <= abs(pair.score.value)
    else:
        assert pair.clusters_to_decide is None or pair.clusters_to_decide[0] > pair.clusters


def test_no_bound_of_shares_cuts_a_loss() -> None:
    a, b = scored(LOSS, 0.4)
    (pair,) = judge_pairs([(a, b)], [a, b], LOSS)
    assert pair.score.value == pytest.approx(-2.8, abs=0.1)
    assert most_worse(pair) < -2.0
    assert -3.5 < pair.score.low < pair.score.high < -2.0


def test_equal_arms_are_rarely_told_apart() -> None:
    """At most in one of twenty comparisons, and some chance: 2 of 60 is the expected number at 5 %."""
    found = 0
    for seed in range(60):
        a, b = scored(LOSS, 0.0, seed=seed)
        found += judge_pairs([(a, b)], [a, b], LOSS)[0].different
    assert found <= 6


@pytest.mark.parametrize("metric", [OVERLAP, LOSS], ids=lambda metric: metric.key)
def test_the_interval_of_an_arm_holds_its_mean(metric: Metric) -> None:
    for parts in (1, 4):
        row = scored(metric, 0.0, parts=parts)[0]
        found = arm_intervals(row, [row], metric)
        assert found.keys() == {"score"}
        spread = 1.0 if metric is OVERLAP else 7.0
        assert found["score"].low < 0.5 * spread < found["score"].high
        assert found["score"].high - found["score"].low < 0.4 * spread


def test_rows_that_all_score_alike_are_equal_and_not_infinitely_different() -> None:
    same = [arm(name, np.full((2, 30), 1.5), LOSS, deterministic=True) for name in "ab"]
    (pair,) = judge_pairs([(same[0], same[1])], same, LOSS)
    assert not pair.different
    assert pair.p_value == 1.0
    assert pair.clusters_to_decide is None
    better = arm("c", np.full((2, 30), 1.25), LOSS, deterministic=True)
    (pair,) = judge_pairs([(better, same[0])], same, LOSS)
    assert pair.different
    assert pair.score.value == pytest.approx(0.25)


def test_the_variance_of_a_mean_counts_duplicate_groups() -> None:
    values = np.array([0.0, 2.0, 4.0, 6.0])
    assert mean_variance(values, np.arange(4)) == pytest.approx(values.var(ddof=1) / 4)
    assert mean_variance(np.repeat(values, 3), np.repeat(np.arange(4), 3)) == pytest.approx(values.var(ddof=1) / 4)


def test_common_rows_keep_the_bounds_of_what_is_scored() -> None:
    rows = on_common_rows({row.name: row for row in scored(LOSS, 0.0)})[0]
    assert rows["a"].parts[0].lowest == -np.inf
    assert rows["a"].parts[0].at(np.array([3, 5])).values.shape == (3, 2)
