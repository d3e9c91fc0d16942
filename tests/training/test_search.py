"""The search for a learning rate on curves whose best rate is known."""

import math
from collections.abc import Callable

import pytest

from showdown.stages.results import TuneProgress
from showdown.training.search import (
    MAX_WIDENINGS,
    Proposal,
    SearchPlan,
    Trial,
    at_edge,
    best_trial,
    propose,
    span,
)


def plan(**changed: object) -> SearchPlan:
    given = {"low": 1e-5, "high": 1e-3, "trials": 6, "epochs": 3, "widen": True, "seed": 0, **changed}
    return SearchPlan(**given)  # type: ignore[arg-type]


def hill(best: float) -> Callable[[float], float]:
    """A macro F1 that falls by 0.2 for each decade away from the best rate."""
    return lambda rate: 0.9 - 0.2 * abs(math.log10(rate / best))


def trial(proposal: Proposal, f1_macro: float, state: str = "completed") -> Trial:
    done = state == "completed"
    return Trial(
        number=proposal.number,
        learning_rate=proposal.learning_rate,
        origin=proposal.origin,
        state=state,  # type: ignore[arg-type]
        converged=True if done else None,
        metric_by_epoch=[f1_macro / 2, f1_macro],
        loss_by_epoch=[1.0, 0.5],
        metric=f1_macro if done else None,
        loss=0.5 if done else None,
        score=f1_macro if done else None,
        seconds=1.0,
    )


def searched(asked: SearchPlan, curve: Callable[[float], float], trials: list[Trial] | None = None) -> list[Trial]:
    trials = list(trials or [])
    while proposal := propose(asked, trials):
        trials.append(trial(proposal, curve(proposal.learning_rate)))
    return trials


@pytest.mark.parametrize("count", [3, 4, 6, 9, 15])
def test_budget_is_spent_to_the_trial_wherever_the_best_is(count: int) -> None:
    for best in (1e-7, 1e-5, 1e-4, 1e-3, 1e-1):
        assert len(searched(plan(trials=count), hill(best))) == count


def test_the_middle_of_the_range_comes_first_then_both_ends_and_what_lies_between() -> None:
    """The middle is the method's own rate: a search that is cut short has tried that one."""
    rates = [found.learning_rate for found in searched(plan(), hill(1e-4))[:5]]
    assert rates[0] == pytest.approx(1e-4)
    assert sorted(rates) == pytest.approx([1e-5, 10**-4.5, 1e-4, 10**-3.5, 1e-3], rel=1e-4)
    assert {1e-5, 1e-3} == set(rates[3:])


@pytest.mark.parametrize(("trials", "on_the_grid"), [(3, 3), (4, 3), (5, 3), (6, 5), (8, 5), (9, 7)])
def test_some_of_the_budget_is_left_for_what_the_grid_shows(trials: int, on_the_grid: int) -> None:
    found = searched(plan(trials=trials), hill(1e-4))
    assert [one.origin == "grid" for one in found] == [True] * on_the_grid + [False] * (trials - on_the_grid)


def test_best_in_the_middle_is_refined_within_the_range() -> None:
    trials = searched(plan(trials=12), hill(1e-4))
    assert {found.origin for found in trials} == {"grid", "parzen"}
    assert all(1e-5 <= found.learning_rate <= 1e-3 for found in trials)
    best = best_trial(trials)
    assert best is not None
    assert abs(math.log10(best.learning_rate / 1e-4)) < 0.2
    assert at_edge(plan(trials=12), trials) is None


@pytest.mark.parametrize(("peak", "edge"), [(1e-7, "low"), (0.05, "high")])
def test_best_at_the_edge_widens_the_range_at_most_twice(peak: float, edge: str) -> None:
    asked = plan(trials=12)
    trials = searched(asked, hill(peak))
    widened = [found for found in trials if found.origin == "widened"]
    assert len(widened) == MAX_WIDENINGS
    low, high = span(asked, trials)
    assert (low, high) == pytest.approx((1e-6, 1e-3) if edge == "low" else (1e-5, 1e-2))
    assert at_edge(asked, trials) == edge


def test_range_that_may_not_be_widened_or_ends_at_one() -> None:
    assert all(found.origin != "widened" for found in searched(plan(widen=False), hill(1e-9)))
    trials = searched(plan(low=1e-2, high=0.8, trials=9), hill(100.0))
    assert [found.learning_rate for found in trials if found.origin == "widened"] == [1.0]


def test_a_search_goes_on_as_if_it_had_never_stopped() -> None:
    asked, curve = plan(trials=9, seed=4), hill(3e-4)
    whole = searched(asked, curve)
    for kept in range(9):
        assert searched(asked, curve, whole[:kept]) == whole
    assert searched(plan(trials=9, seed=5), curve) != whole


def test_diverged_trials_never_win() -> None:
    asked, trials = plan(), []
    while proposal := propose(asked, trials):
        good = proposal.learning_rate < 1e-4
        trials.append(trial(proposal, 0.6 if good else 0.99, "completed" if good else "diverged"))
    best = best_trial(trials)
    assert best is not None
    assert best.metric == 0.6
    nothing = [found.model_copy(update={"state": "diverged", "score": None}) for found in trials[:5]]
    assert best_trial(nothing) is None
    found = propose(asked, nothing)
    assert found is not None
    assert (found.origin, found.learning_rate) == ("widened", pytest.approx(1e-5 / math.sqrt(10)))


def test_equal_scores_are_decided_by_the_loss() -> None:
    first, second = searched(plan(), lambda _: 0.5)[:2]
    assert best_trial([first, second]) == first
    assert best_trial([first, second.model_copy(update={"loss": 0.4})]) == second.model_copy(update={"loss": 0.4})


def test_files_keep_the_names_of_earlier_versions() -> None:
    written = {
        "number": 0, "learning_rate": 1e-4, "origin": "grid", "state": "completed", "converged": True,
        "f1_macro_by_epoch": [0.1, 0.6], "loss_by_epoch": [1.0, 0.5], "f1_macro": 0.6, "loss": 0.5,
        "true_label_probability": 0.55, "seconds": 1.0,
    }  # fmt: skip
    read = Trial.model_validate(written)
    assert (read.metric, read.score, read.metric_by_epoch) == (0.6, 0.55, [0.1, 0.6])
    stage = TuneProgress(trials=[read], phases=[], notes=[])
    assert stage.model_dump()["trials"] == [written]
