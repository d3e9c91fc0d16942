"""A pair in sentences."""

import pytest
from test_margin import pair

from showdown.verdict.model import Interval
from showdown.verdict.pair_words import decided, lead, needed


def undecided(**given):
    return pair(gap=0.02, error=0.02).model_copy(update=given)


@pytest.mark.parametrize(
    ("rows", "seeds", "said"),
    [
        ((1234, 8765), (4, 9), "about 1,200 to 8,700 additional test rows, or 4 to 9 seeds of each trained method,"),
        ((1234, None), None, "about 1,200 (or many more) additional test rows"),
        (None, (4, None), "about 4 (or many more) seeds of each trained method"),
        ((150, 150), None, "about 50 additional test rows"),
        ((90, 2_000_000), None, "about 1 (or many more) additional test rows"),
        ((3_000_000, None), None, "about a million or more additional test rows"),
    ],
)
def test_what_would_show_a_difference_is_a_range(rows, seeds, said):
    found = needed(undecided(clusters_to_decide=rows, seeds_to_decide=seeds))
    assert found == f"If there is one, {said} would be likely to show it."


def test_where_nothing_would_show_one_it_is_said():
    assert (
        needed(undecided()) == "If there is one, it would probably take both more test rows and more seeds to show it."
    )
    assert needed(pair(gap=0.0)) == ""


def test_a_lead_is_shown_shrunk_with_what_was_measured():
    found = pair(gap=0.1, error=0.02, different=True)
    assert lead(found) == "10.0 points (95 % interval 6.0 to 14.0)"
    shrunk = found.model_copy(update={"lead": Interval(value=0.08, low=0.01, high=0.13)})
    assert lead(shrunk) == "10.0 points (fair estimate 8.0, 95 % interval 1.0 to 13.0)"


def test_a_difference_that_one_pair_alone_would_show_says_why_it_was_not():
    found = pair(gap=0.05, error=0.02)
    said = decided(found, [found] * 15, {})
    assert said.startswith("With this training set, no difference between full and lora was shown: full scored 5.0 ")
    assert "this result would show a difference; 15 pairs are compared, so it does not." in said


def test_the_second_may_be_the_one_ahead():
    found = pair(gap=-0.02, error=0.02)
    assert "lora scored 2.0 points more (95 % interval -2.0 to +6.0)." in decided(found, [found], {})
