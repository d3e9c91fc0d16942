"""Is one method at most the margin worse than another?"""

import numpy as np
import pytest

from showdown.verdict.margin import most_worse, p_of_lead, with_margin
from showdown.verdict.model import Interval, PairVerdict
from showdown.verdict.pair_words import turned
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.simulation import Trainings, World, simulate
from showdown.verdict.summary import judge


def pair(first="full", second="lora", *, gap=0.0, error=0.004, different=False):
    return PairVerdict(
        first=first,
        second=second,
        test="paired over rows and reruns",
        score=Interval(value=gap, low=gap - 2 * error, high=gap + 2 * error),
        accuracy=Interval(value=gap, low=gap - 2 * error, high=gap + 2 * error),
        f1_macro=None,
        p_value=0.5,
        p_holm=0.5,
        mcnemar_p=None,
        different=different,
        centre=gap,
        sources=[(error**2, 1e9)],
        rows=100,
        clusters=100,
        clusters_to_decide=None,
        confounds=[],
    )


def standings(found, margin=0.01):
    (judged,) = with_margin([found], margin)
    return judged.within.first, judged.within.second


def test_the_three_states_by_hand():
    assert standings(pair(gap=0.0)) == ("non-inferior", "non-inferior")
    assert standings(pair(gap=0.008)) == ("non-inferior", "may be worse")
    assert standings(pair(gap=0.03, different=True)) == ("non-inferior", "worse")
    assert standings(pair(gap=-0.03, different=True)) == ("worse", "non-inferior")
    assert standings(pair(gap=0.0, error=0.02)) == ("may be worse", "may be worse")


def test_a_wider_margin_lets_more_pass():
    assert standings(pair(gap=0.008), margin=0.02)[1] == "non-inferior"
    assert standings(pair(gap=0.03, different=True), margin=0.05)[1] == "non-inferior"
    assert standings(pair(gap=0.0), margin=0.005)[1] == "may be worse"


def test_p_values_and_bound_by_hand():
    (judged,) = with_margin([pair(gap=0.002)], 0.01)
    # (0.01 - 0.002) / 0.004 = 2 standard errors; (0.01 + 0.002) / 0.004 = 3.
    assert judged.within.p_second == pytest.approx(0.02275, abs=1e-4)
    assert judged.within.p_first == pytest.approx(0.00135, abs=1e-4)
    assert most_worse(judged) == pytest.approx(0.002 + 1.645 * 0.004, abs=1e-5)
    assert p_of_lead(judged) == pytest.approx(0.3085, abs=1e-4)


def test_turning_a_pair_turns_all_of_it():
    (judged,) = with_margin([pair(gap=0.008)], 0.01)
    again = turned(judged)
    assert (again.within.first, again.within.second) == ("may be worse", "non-inferior")
    assert again.within == with_margin([turned(pair(gap=0.008))], 0.01)[0].within
    assert turned(again) == judged


def test_claims_beside_one_reference_are_adjusted_together():
    alone = pair(gap=0.0028)  # 1.8 standard errors from the margin: p = 0.036
    others = [pair("full", name, gap=0.0028) for name in ("dora", "qlora")]
    assert standings(alone)[1] == "non-inferior"
    found = with_margin([alone, *others], 0.01)
    assert [item.within.second for item in found] == ["may be worse"] * 3
    assert found[0].within.p_second == pytest.approx(3 * 0.0359, abs=1e-3)
    clearly_worse = [pair("full", name, gap=0.2, different=True) for name in ("tfidf", "majority")]
    assert with_margin([alone, *clearly_worse], 0.01)[0].within.second == "non-inferior", "they are decided already"
    apart = pair("tfidf", "frozen", gap=0.0028)
    assert with_margin([alone, apart], 0.01)[0].within.second == "non-inferior", "another reference, another family"


def test_a_true_loss_of_the_margin_is_seldom_called_at_most_the_margin():
    rng, false = np.random.default_rng(7), 0
    trainings = Trainings(spread=0.005, seeds=3)
    for _ in range(200):
        drawn = simulate(rng, World(), accuracies=np.array([0.85, 0.84]), rows=1000, trainings=trainings)
        (judged,) = with_margin(judge_pairs([(drawn.row(0), drawn.row(1))]), 0.01)
        false += judged.within.second == "non-inferior"
    assert false <= 19  # 5 % of 200 and three standard errors


def test_the_margin_of_the_comparison_is_the_default_and_is_said(built, answers):
    for name, wrong in (("full", 30), ("lora", 33)):
        for seed in range(3):
            predicted, true = answers(300, wrong, start=seed)
            built.run(name, predicted, true, method=name, seed=seed)
    wide = built.results.model_copy(update={"comparison": {"margin_points": 25.0}})
    assert judge(built.results, built.folder).margin_points == 1.0
    verdict = judge(wide, built.folder)
    assert verdict.margin_points == 25.0
    assert "With this training set, lora is at most 25 points worse than full." in verdict.sentences
    narrow = judge(wide, built.folder, margin_points=0.1)
    assert narrow.margin_points == 0.1
    assert any(
        "the test could not show that any other method is at most 0.1 points worse than full. The true gap" in text
        for text in narrow.sentences
    )
