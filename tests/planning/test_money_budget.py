"""What a budget buys: costs by hand, the choice among sizes, and what is left undecided."""

from pathlib import Path
from typing import Any

import pytest

from forecasts import about, arm, forecast
from showdown.core.errors import UserError
from showdown.core.spec import Comparison
from showdown.data.prepare import Prepared, prepare
from showdown.planning.budget import BudgetPlan, budget_plan
from showdown.planning.terminal import budget_lines
from showdown.runner.prepared import Ready, ready
from tiny_pretrained import separable_rows, write_csv


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "rows.csv", separable_rows(120))


def asked(source: Path, **more: Any) -> tuple[Ready, Prepared]:
    protocol = {"split": {"kind": "single"}, "tuning": None, **more.pop("protocol", {})}
    given = {"methods": {"tfidf": {}, "lora": {}}, "seeds": [0], "data": {"source": str(source)}, "protocol": protocol}
    comparison = Comparison.model_validate({**given, **more})
    prepared = prepare(comparison.data, comparison.protocol.split)
    return ready(comparison, prepared, []), prepared


def plan_for(source: Path, budget: float, **more: Any) -> BudgetPlan:
    arms = [arm("tfidf", seconds={"training": 0.0}), arm("lora", peak_gb=10.0, seconds={"training": 100.0})]
    found, prepared = asked(source, **more)
    return budget_plan(found, prepared, forecast(*arms, cost=about(1.0)), budget)


def test_the_comparison_as_it_is_costs_what_was_forecast(source: Path) -> None:
    found = plan_for(source, 100.0).asked
    assert (found.seeds, found.folds, found.trials, found.settings) == (1, 1, 0, [])
    assert found.cost == about(1.0)


def test_a_budget_buys_seeds_folds_and_trials_by_their_cost(source: Path) -> None:
    """A training of 100 s costs 1, k folds train on 0.85 - 1 / k of the rows, and each trial is a training more."""
    rich = plan_for(source, 1000.0)
    assert [one.trials for one in rich.fits] == [4, 0], "they find the same, and a search is no worse"
    for best in rich.fits:
        assert best.seeds > 1
        assert best.folds > 1
        one = (0.85 - 1 / best.folds) / 0.7
        assert best.cost.expected == pytest.approx(best.seeds * best.folds * one * (1 + best.trials), rel=0.02)
        seeds = ",".join(map(str, range(best.seeds)))
        assert best.settings[:2] == [f"seeds=[{seeds}]", f"protocol.split={{kind: kfold, folds: {best.folds}}}"]
    assert rich.fits[0].settings[-1] == "protocol.tuning={trials: 4}"
    poor = plan_for(source, 1.0)
    assert [(one.seeds, one.folds, one.trials) for one in poor.fits] == [(1, 1, 0)]
    assert all(one.cost.expected <= 1.0 for one in poor.fits)


def test_more_money_never_decides_less(source: Path) -> None:
    found = [plan_for(source, budget).fits[0].detectable_points for budget in (1.0, 3.0, 10.0, 60.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_too_little_money_names_the_least_that_it_takes(source: Path) -> None:
    found = plan_for(source, 0.5)
    assert found.fits == []
    assert "Nothing fits: the smallest size costs 1 US dollars" in " ".join(budget_lines(found))


def test_what_is_left_undecided_is_said_at_the_differences_that_matter(source: Path) -> None:
    found = plan_for(source, 20.0, margin_points=3.0)
    assert list(found.asked.power) == ["1", "2", "3", "5"]
    assert list(found.asked.power.values()) == sorted(found.asked.power.values())
    lines = " ".join(budget_lines(found))
    assert f"under {found.fits[0].detectable_points:.1f} points" in lines
    assert "assumed: 80 % accuracy" in lines


def test_trials_that_are_asked_for_are_costed_by_their_share(source: Path) -> None:
    arms = [arm("lora", peak_gb=10.0, seconds={"tuning": 600.0, "training": 100.0})]
    found, prepared = asked(source, methods={"lora": {}}, protocol={"tuning": {"trials": 6}})
    plan = budget_plan(found, prepared, forecast(*arms, cost=about(7.0)), 1.1)
    assert plan.asked.trials == 6
    (without,) = plan.fits
    assert (without.trials, without.cost.expected) == (0, pytest.approx(1.0))


def test_repeats_and_given_files_keep_their_split(source: Path) -> None:
    found = plan_for(source, 1000.0, protocol={"split": {"kind": "repeated", "repeats": 3}})
    assert {one.folds for one in found.fits} == {3}


def test_arms_that_do_not_fit_are_named_and_cost_nothing(source: Path) -> None:
    arms = [arm("full", peak_gb=200.0, fits=False), arm("lora", peak_gb=10.0)]
    found, prepared = asked(source, methods={"full": {}, "lora": {}})
    plan = budget_plan(found, prepared, forecast(*arms), 5.0)
    assert plan.left_out == ["full"]
    assert "Not counted, since they do not fit: full" in budget_lines(plan)


def test_a_budget_needs_a_price(source: Path) -> None:
    found, prepared = asked(source)
    with pytest.raises(UserError, match="give yours with --price-per-hour"):
        budget_plan(found, prepared, forecast(arm("lora"), cost=None, currency=None), 5.0)
