import re

import pytest
from pydantic import ValidationError

from showdown.verdict.pareto import dominates, pareto
from showdown.verdict.recommend import Limits, excess, misses, recommend


def row(name, accuracy, *, f1=None, low=None, memory=10.0, cost=1.0, latency=20.0, seconds=60.0, **more):
    f1 = accuracy if f1 is None else f1
    return {
        "name": name,
        "score": accuracy,
        "floor": False,
        "accuracy": accuracy,
        "f1_macro": f1,
        "f1_macro_low": f1 - 0.03 if low is None else low,
        "memory_gb": memory,
        "cost": cost,
        "latency_ms": latency,
        "train_seconds": seconds,
        "runs": 1,
        "diverged": 0,
        "cut_short": False,
        "beside": {},
        **more,
    }


def beside(standing="worse", *, worse_by=0.05, p=0.0, margin=0.01):
    """How a row stands beside another one."""
    return {
        "standing": standing,
        "margin": margin,
        "may_be_worse_by": worse_by,
        "p_of_lead": p,
        "different": standing == "worse",
    }


UNDECIDED = beside("may be worse", worse_by=0.023, p=0.3)
GOOD_ENOUGH = beside("non-inferior", worse_by=0.008, p=0.3)


def together(*rows, **others):
    """Compare all rows: each is shown to differ from each, save those given as `LESS_MORE=beside(...)`."""
    for one in rows:
        for other in rows:
            if one is not other:
                one["beside"][other["name"]] = others.get(f"{one['name']}_{other['name']}", beside())
    return list(rows)


def three():
    return together(
        row("tfidf", 0.80, memory=0.5, cost=0.001),
        row("full", 0.95, memory=60.0, cost=3.0),
        row("lora", 0.92, memory=20.0, cost=1.0),
    )


def test_without_limits_the_best_is_taken():
    assert recommend(three(), Limits()).chosen == "full"


def test_limits_reject_and_say_what_would_flip_the_choice():
    found = recommend(three(), Limits(max_memory_gb=16, min_f1_macro=0.75))
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
    rows = three()
    rows[0] |= {"latency_ms": 1.0, "train_seconds": 0.5}
    found = recommend(rows, Limits())
    (said,) = [text for text in found.flips if text.startswith("A stricter limit")]
    assert said == (
        "A stricter limit would lead elsewhere: max_memory_gb under 60 GB to lora; max_cost under 3 to lora; "
        "max_latency_ms under 20 ms to tfidf; max_train_seconds under 60 s to tfidf."
    )
    better_f1 = recommend(together(row("a", 0.9, f1=0.8), row("b", 0.85, f1=0.84)), Limits())
    assert "A stricter limit would lead elsewhere: min_f1_macro over 0.800 to b." in better_f1.flips


def test_of_the_next_it_is_said_whether_a_difference_was_shown_or_none_or_none_was_looked_for():
    def next_of(*rows, **others):
        (said,) = [text for text in recommend(together(*rows, **others), Limits()).flips if text.startswith("Next")]
        return said

    pair = row("a", 0.9), row("b", 0.85)
    assert next_of(*pair) == "Next comes b, 5.0 points below in accuracy; a difference was shown."
    assert next_of(*pair, b_a=UNDECIDED).endswith("; no difference was shown.")
    assert next_of(row("a", 0.9), row("b", 0.9, f1=0.8), b_a=UNDECIDED).startswith("Next comes b, equal in accuracy; ")


def test_rows_that_were_never_compared_are_not_ranked():
    found = recommend([row("a", 0.9), row("b", 0.85)], Limits())
    assert found.chosen is None
    assert found.sentence == "no choice can be made"
    assert "a and b were not compared" in found.reasons[0]
    assert recommend([row("a", 0.9), row("b", 0.85, memory=99.0)], Limits(max_memory_gb=50)).chosen == "a"


def test_the_next_that_was_never_compared_is_no_row_that_was_told_apart():
    rows = together(row("a", 0.9), row("b", 0.85), row("c", 0.8))
    rows[1]["beside"].pop("c")
    rows[2]["beside"].pop("b")
    said = " ".join(recommend(rows, Limits()).flips)
    assert "Next" not in said, "which of the two comes next is not known"


def test_none_qualifies_names_the_nearest_and_its_misses():
    found = recommend(three(), Limits(max_memory_gb=16, min_f1_macro=0.9))
    # tfidf misses 0.9 by 12.5 %, lora 16 GB by 25 %, full by 275 %.
    assert (found.chosen, found.nearest) == (None, "tfidf")
    assert "None qualifies; the nearest is tfidf: macro F1 0.800 where the limit is 0.900" in found.reasons[0]


def test_the_cheapest_that_is_at_most_the_margin_worse_is_taken():
    def rows(**others):
        return together(
            row("full", 0.925, cost=3.0), row("lora", 0.91, cost=1.0), row("dora", 0.92, cost=2.0), **others
        )

    assert recommend(rows(), Limits()).chosen == "full"
    assert recommend(rows(dora_full=GOOD_ENOUGH), Limits()).chosen == "dora"
    found = recommend(rows(dora_full=GOOD_ENOUGH, lora_full=GOOD_ENOUGH), Limits())
    assert found.chosen == "lora"
    assert found.reasons[1:] == [
        "full scored 1.5 points more.",
        "lora is at most 1 point worse than full.",
        "lora costs less (1 against 3).",
    ]


def test_a_cheaper_row_within_the_margin_as_measured_is_taken_unless_the_lead_was_shown():
    def rows(found, accuracy=0.92):
        return together(row("full", 0.925, cost=3.0), row("lora", accuracy, cost=1.0), lora_full=found)

    found = recommend(rows(UNDECIDED), Limits())
    assert found.chosen == "lora"
    assert "full scored 0.5 points more, but no difference was shown." in found.reasons
    lost = "its true accuracy may be up to 2.3 points below full's; a loss of 1 point is allowed."
    assert f"lora was not shown to be worse, but {lost}" in found.reasons
    assert recommend(rows(beside("may be worse", p=0.04)), Limits()).chosen == "full"
    assert recommend(rows(UNDECIDED, accuracy=0.90), Limits()).chosen == "full"


def test_what_costs_far_more_has_to_be_shown_to_be_better():
    def rows(cost, p):
        undecided = beside("may be worse", worse_by=0.09, p=p)
        return together(row("full", 0.94, cost=cost), row("lora", 0.90, cost=1.0), lora_full=undecided)

    assert recommend(rows(50.0, 0.2), Limits()).chosen == "lora"
    assert recommend(rows(50.0, 0.01), Limits()).chosen == "full"
    found = recommend(rows(2.0, 0.2), Limits())
    assert found.chosen == "full"
    assert (
        "lora costs less, but its true accuracy may be up to 9.0 points below full's; a loss of 1 point is allowed."
        in found.reasons
    )


def test_a_method_that_diverges_is_not_taken_before_a_peer_that_does_not():
    def rows(**others):
        shaky = row("full", 0.925, cost=1.0, diverged=2, runs=5)
        return together(shaky, row("lora", 0.92, cost=2.0, runs=5), **others)

    found = recommend(rows(lora_full=GOOD_ENOUGH), Limits())
    assert found.chosen == "lora"
    assert found.warnings == []
    assert "lora had no run that diverged; full had 2 of 5." in found.reasons
    found = recommend(rows(), Limits())
    assert found.chosen == "full"
    assert found.warnings[0].startswith("2 of 5 runs of full diverged")


def test_a_row_that_had_not_converged_is_not_called_worse():
    rows = together(row("full", 0.95), row("lora", 0.80, cut_short=True), row("qlora", 0.7, cut_short=True))
    assert recommend(rows, Limits()).warnings == [
        "lora and qlora had not converged: this table does not say that they are worse."
    ]
    rows[0]["score"] = rows[0]["accuracy"] = 0.79
    found = recommend(rows, Limits())
    assert found.chosen == "lora", "one that wins can be taken all the same"
    assert found.warnings == ["qlora had not converged: this table does not say that it is worse."]


def test_without_a_price_the_faster_training_decides_between_equals():
    near, fast = row("dora", 0.925, cost=None, seconds=200), row("lora", 0.920, cost=None, seconds=50)
    found = recommend(together(near, fast, lora_dora=GOOD_ENOUGH), Limits())
    assert found.chosen == "lora"
    assert found.reasons[-1] == "lora trains faster."


def test_what_was_not_measured_does_not_qualify():
    unknown = row("zero", 0.99, cost=None)
    (miss,) = misses(unknown, Limits(max_cost=2))
    assert miss.measured is None
    assert excess(miss) == float("inf")
    assert recommend(together(unknown, row("lora", 0.92)), Limits(max_cost=2)).chosen == "lora"
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
    dear = row("dear", 0.9, cost=1_200.0, seconds=31_470.0, latency=2_345.0, memory=1_234.0)
    cheap = row("cheap", 0.895, cost=6.45e-5, seconds=3_147.0, latency=1_234.0, memory=1_000.0)
    together(dear, cheap, cheap_dear=GOOD_ENOUGH)
    limits = Limits(max_cost=10_000, max_train_seconds=50_000, max_latency_ms=5_000, max_memory_gb=5_000)
    found = recommend([dear, cheap], limits)
    none = recommend([dear, cheap], Limits(max_cost=1e-6, max_train_seconds=100))
    said = "\n".join([*found.reasons, *found.flips, *none.reasons, *none.flips, *none.warnings])
    assert not re.search(r"\d[eE][+-]?\d", said), said
    assert "costs less (0.0000645 against 1200)" in said
    assert "training time 3150 s" in said


def test_a_difference_of_cost_that_nobody_would_notice_decides_nothing():
    """A tenth of a cent saved is no reason to take the less accurate of two that may be equal."""
    unclear = beside("may be worse", worse_by=0.2, p=0.2)
    best, saves = row("lora", 0.925, cost=0.0015), row("cheap", 0.85, cost=0.0000137)
    assert recommend(together(best, saves, cheap_lora=unclear), Limits()).chosen == "lora"
    dear, saves = row("lora", 0.925, cost=15.0), row("cheap", 0.85, cost=0.14)
    assert recommend(together(dear, saves, cheap_lora=unclear), Limits()).chosen == "cheap"
