"""What answering costs a method that trains no network: what it reads, and what stands before its prompts."""

from typing import Any

import pytest
from test_forecast_arms import forecast

from showdown.core.method import FittedMethod
from showdown.core.network_reads import NetworkReads
from showdown.methods.table import build


def reads(name: str, settings: dict[str, Any], *, train: int = 100, validation: int = 50) -> NetworkReads:
    method = build(name, settings)
    assert isinstance(method, FittedMethod)
    return method.network_reads(train=train, validation=validation)


def test_what_methods_read() -> None:
    assert reads("zero-shot", {}) == NetworkReads(ranks_labels=True)
    assert reads("frozen", {}) == NetworkReads(fit_rows=100)
    assert reads("knn", {}) == NetworkReads(fit_rows=150)
    assert reads("static", {}) == NetworkReads(vocabulary=True)
    assert reads("setfit", {"rounds": 2}) == NetworkReads(fit_rows=100 * (1 + 2 * 9) + 50)
    assert reads("few-shot", {"examples": 3}) == NetworkReads(ranks_labels=True, shared_examples=3)
    assert reads("few-shot", {"examples": 3, "choose": "nearest"}, train=2) == NetworkReads(
        ranks_labels=True, examples=2
    )


def test_a_search_reads_the_rows_of_its_rounds() -> None:
    """Four prompts by 8 rows, then two by 16 in all."""
    found = reads("prompt-search", {"trials": 4, "validation_rows": 16, "examples": [0, 5]})
    assert found == NetworkReads(fit_rows=4 * 8 + 2 * 8, examples=5)


def test_longer_prompts_and_answers_take_longer_and_a_floor_reads_nothing() -> None:
    methods = {
        "most-common": {},
        "zero-shot": {},
        "few-shot": {},
        "nearest": {"method": "few-shot", "choose": "nearest"},
        "prompt-search": {"trials": 4},
    }
    arms = forecast(methods, task="generation")
    seconds = [arms[name].seconds["prediction"].expected for name in ("zero-shot", "few-shot", "nearest")]
    assert seconds == sorted(set(seconds))
    assert arms["prompt-search"].seconds["training"].expected > arms["nearest"].seconds["training"].expected
    assert arms["most-common"].seconds == forecast(methods, task="generation", tokens=80)["most-common"].seconds
    longer = forecast(methods, task="generation", tokens=80)["zero-shot"].seconds
    assert all(longer[phase].expected > arms["zero-shot"].seconds[phase].expected for phase in ("prediction", "speed"))


def test_labels_that_are_told_apart_by_likelihood_take_a_pass_each() -> None:
    once, twice = (forecast({method: {}})[method].seconds["prediction"].expected for method in ("frozen", "zero-shot"))
    assert twice == pytest.approx(2 * once, rel=0.01)


def test_a_method_that_reads_the_vocabulary_answers_without_the_network() -> None:
    found = forecast({"static": {}, "frozen": {}})
    assert found["static"].seconds["prediction"].expected == 0 < found["frozen"].seconds["prediction"].expected
    assert found["static"].seconds["training"].expected > 0


def test_a_method_that_trains_by_itself_is_fitted_again_for_each_trial() -> None:
    once, tuned = (forecast({"setfit": {}, "knn": {}}, tuning=tuning) for tuning in (None, {"trials": 3, "epochs": 6}))
    assert tuned["setfit"].seconds["training"].expected == pytest.approx(
        4 * once["setfit"].seconds["training"].expected
    )
    assert tuned["knn"].seconds == once["knn"].seconds
