import re

import pytest
from pydantic import ValidationError

from showdown.verdict.pareto import dominates, pareto
from showdown.verdict.recommend import Limits, excess, misses, recommend


def row(name, accuracy, *, f1=None, low=None, memory=10.0, cost=1.0, alike=(), latency=20.0, seconds=60.0):
    f1 = accuracy if f1 is None else f1
    return {
        "name": name,
        "accuracy": accuracy,
        "f1_macro": f1,
        "f1_macro_low": f1 - 0.03 if low is None else low,
        "memory_gb": memory,
        "cost": cost,
        "latency_ms": latency,
        "train_seconds": seconds,
        "not_told_apart": list(alike),
    }


FULL = row("full", 0.95, memory=60.0, cost=3.0)
LORA = row("lora", 0.92, memory=20.0, cost=1.0)
TFIDF = row("tfidf", 0.80, memory=0.5, cost=0.001)


def test_without_limits_the_best_is_taken():
    assert recommend([TFIDF, FULL, LORA], Limits()).chosen == "full"


def test_limits_reject_and_say_what_would_flip_the_choice():
    found = recommend([TFIDF, FULL, LORA], Limits(max_memory_gb=16, min_f1_macro=0.75))
    assert found.chosen == "tfidf"
    assert {item.name for item in found.rejected} == {"full", "lora"}
    assert "With max_memory_gb 20 GB, lora would be chosen." in found.flips
    assert "With max_memory_gb 60 GB, full would be chosen." in found.flips
    assert "memory 0.5 GB" in found.reasons[0]


@pytest.mark.parametrize("cost", [1.2341, 0.9996, 3.0e-5])
@pytest.mark.parametrize("f1", [0.4486, 0.8999, 0.0004])
def test_the_limit_that_is_said_to_flip_the_choice_does(cost, f1):
    dear = row("dear", 0.9, cost=cost)
    (said,) = [text for text in recommend([dear], Limits(max_cost=1e-9)).flips if "would qualify" in text]
    assert recommend([dear], Limits(max_cost=float(said.split("max_cost ")[1].rstrip(".")))).chosen == "dear"
    weak = row("weak", 0.9, f1=f1)
    (said,) = [text for text in recommend([weak], Limits(min_f1_macro=0.95)).flips if "would qualify" in text]
    least = float(said.split("min_f1_macro ")[1].rstrip("."))
    assert least == 0.0 or recommend([weak], Limits(min_f1_macro=least)).chosen == "weak"


def test_stricter_limits_that_would_flip_the_choice_are_said():
    found = recommend([row("tfidf", 0.80, memory=0.5, cost=0.001, latency=1.0, seconds=0.5), FULL, LORA], Limits())
    (said,) = [text for text in found.flips if text.startswith("A stricter limit")]
    assert said == (
        "A stricter limit would lead elsewhere: max_memory_gb under 60 GB to lora; max_cost under 3 to lora; "
        "max_latency_ms under 20 ms to tfidf; max_train_seconds under 60 s to tfidf."
    )
    better_f1 = recommend([row("a", 0.9, f1=0.8), row("b", 0.85, f1=0.84)], Limits())
    assert "A stricter limit would lead elsewhere: min_f1_macro over 0.800 to b." in better_f1.flips


def test_the_next_that_cannot_be_told_apart_is_said_so():
    near = recommend([row("a", 0.9, alike=["b"]), row("b", 0.85, alike=["a"])], Limits()).flips
    assert "Next comes b, 5.0 points below in accuracy, and the two cannot be told apart." in near
    apart = recommend([row("a", 0.9), row("b", 0.85)], Limits()).flips
    assert "Next comes b, 5.0 points below in accuracy, and the two were told apart." in apart
    equal = recommend([row("a", 0.9, alike=["b"]), row("b", 0.9, alike=["a"], cost=2.0)], Limits())
    assert equal.reasons[0].endswith("no row has a higher accuracy.")
    assert "Next comes b, equal in accuracy, and the two cannot be told apart." in equal.flips


def test_none_qualifies_names_the_nearest_and_its_misses():
    found = recommend([TFIDF, FULL, LORA], Limits(max_memory_gb=16, min_f1_macro=0.9))
    # tfidf misses 0.9 by 12.5 %, lora 16 GB by 25 %, full by 275 %.
    assert (found.chosen, found.nearest) == (None, "tfidf")
    assert "None qualifies; the nearest is tfidf: macro F1 0.800 where the limit is 0.900" in found.reasons[0]


def test_of_equals_the_cheaper_is_taken():
    near = row("dora", 0.925, cost=2.0, alike=["lora"])
    cheap = row("lora", 0.920, cost=1.0, alike=["dora"])
    found = recommend([near, cheap], Limits())
    assert found.chosen == "lora"
    assert "dora measured 0.5 points more, cannot be told apart" in found.reasons[1]
    assert recommend([near, {**cheap, "accuracy": 0.910}], Limits()).chosen == "dora"
    assert recommend([{**near, "not_told_apart": []}, cheap], Limits()).chosen == "dora"


def test_without_a_price_the_faster_training_decides_between_equals():
    near = row("dora", 0.925, cost=None, alike=["lora"], seconds=100)
    fast = row("lora", 0.920, cost=None, alike=["dora"], seconds=50)
    assert recommend([near, fast], Limits()).chosen == "lora"


def test_what_was_not_measured_does_not_qualify():
    unknown = row("zero", 0.99, cost=None)
    (miss,) = misses(unknown, Limits(max_cost=2))
    assert miss.measured is None
    assert excess(miss) == float("inf")
    assert recommend([unknown, LORA], Limits(max_cost=2)).chosen == "lora"
    assert "was not measured" in recommend([unknown], Limits(max_cost=2)).reasons[0]


@pytest.mark.parametrize(
    ("limit", "value", "kept"),
    [
        ("max_memory_gb", 10.0, True),
        ("max_memory_gb", 9.9, False),
        ("max_cost", 0.5, False),
        ("min_f1_macro", 0.9, True),
        ("min_f1_macro", 0.91, False),
        ("max_latency_ms", 19.0, False),
        ("max_train_seconds", 60.0, True),
    ],
)
def test_each_limit(limit, value, kept):
    assert (misses(row("a", 0.9), Limits(**{limit: value})) == []) is kept


def test_an_interval_that_reaches_below_the_limit_is_said():
    found = recommend([row("lora", 0.9, low=0.82)], Limits(min_f1_macro=0.85))
    assert any("reaches down to 0.820" in sentence for sentence in found.flips)


def test_nothing_to_choose_from():
    assert recommend([], Limits()).chosen is None


def test_limits_are_checked():
    with pytest.raises(ValidationError):
        Limits(max_memory_gb=-1)
    with pytest.raises(ValidationError):
        Limits(min_f1_macro=85)


def test_pareto_by_hand():
    rows = [
        ("full", {"accuracy": 0.95, "memory_gb": 60.0}),
        ("lora", {"accuracy": 0.92, "memory_gb": 20.0}),
        ("dora", {"accuracy": 0.92, "memory_gb": 25.0}),
        ("tfidf", {"accuracy": 0.80, "memory_gb": 1.0}),
    ]
    found = pareto(rows)
    assert found.front == ["full", "lora", "tfidf"]
    assert [(item.name, item.by) for item in found.dominated] == [("dora", ["lora"])]
    assert found.measures == ["accuracy", "memory_gb"]


def test_equals_do_not_dominate_and_missing_measures_are_passed_over():
    assert not dominates({"accuracy": 0.9}, {"accuracy": 0.9})
    assert dominates({"accuracy": 0.9, "cost": None}, {"accuracy": 0.8, "cost": 1.0})
    assert not dominates({"cost": 1.0}, {"accuracy": 0.8})


def test_no_amount_has_an_exponent():
    dear = row("dear", 0.9, cost=1.2e-3, seconds=31_470.0, latency=2_345.0, memory=1_234.0, alike=["cheap"])
    cheap = row("cheap", 0.895, cost=6.45e-5, seconds=3_147.0, latency=1_234.0, memory=1_000.0, alike=["dear"])
    limits = Limits(max_cost=10, max_train_seconds=50_000, max_latency_ms=5_000, max_memory_gb=5_000)
    found = recommend([dear, cheap], limits)
    none = recommend([dear, cheap], Limits(max_cost=1e-6, max_train_seconds=100))
    said = "\n".join([*found.reasons, *found.flips, *none.reasons, *none.flips, *none.warnings])
    assert not re.search(r"\d[eE][+-]?\d", said), said
    assert "cheaper (0.0000645 against 0.0012)" in said
    assert "training time 3150 s" in said
