"""What a leak is said to be worth: as much as was measured, and no more."""

import numpy as np
import pytest

from showdown.verdict.classification.answers import Answers
from showdown.verdict.leak import copied_rows, leak_warning, scores_without
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.simulation import SIMULATED
from showdown.verdict.words import leak_sentence

SMALL = {
    "audit": {"across": {"test_copies": 31, "test_rows": 3_080, "test_copy_rows": [3, 4]}},
    "inspection": {
        "leak_across": {"test_rows": 3_080, "copies": 31, "all_accuracy": 0.886, "own_accuracy": 0.888},
        "leak_worth": {"leaky_accuracy": 0.95, "clean_accuracy": 0.80},
    },
}
LARGE = {
    "audit": {"across": {"test_copies": 137, "test_rows": 145}},
    "inspection": {
        "leak_across": {"test_rows": 145, "copies": 137, "all_accuracy": 0.995, "own_accuracy": 0.875},
        "leak_worth": {"leaky_accuracy": 0.995, "clean_accuracy": 0.786},
    },
}


def outcome(name: str, right: list[list[int]]) -> ArmOutcomes:
    correct = np.array(right)
    part = Answers(
        predicted=correct,
        true=np.ones(correct.shape[1], dtype=np.int64),
        clusters=np.arange(correct.shape[1]),
        row_ids=np.arange(1, correct.shape[1] + 1),
    )
    return ArmOutcomes(name=name, traits=SIMULATED, parts={0: part}, seeds=len(correct), test_over_train=0.0)


def test_a_small_leak_is_said_with_its_worth_and_the_scores_without_it() -> None:
    said = leak_sentence(SMALL, {"frozen": 0.927, "full": 0.77})
    assert "31 of 3,080 (1.0 %)" in said
    assert "worth -0.2 points: 88.6 % on all test rows, 88.8 % on those that are no copies" in said
    assert said.endswith("Accuracy on the test rows that are no copies: frozen 92.7 %, full 77.0 %.")
    assert "say little" not in said
    assert "do not say" not in leak_warning(SMALL)
    assert "worth -0.2 points" in leak_warning(SMALL)


def test_a_large_leak_spoils_the_scores() -> None:
    assert (
        "these scores say little of new texts. To TF-IDF with a linear SVM such a leak is worth 20.9"
        in leak_sentence(LARGE)
    )
    assert leak_warning(LARGE) == "They are 137 of 145 (94 %). These scores do not say how a method does on new texts."


@pytest.mark.parametrize(("copies", "spoilt"), [(3, False), (60, True)])
def test_a_leak_of_unknown_worth_goes_by_its_share(copies: int, spoilt: bool) -> None:
    data = {"audit": {"across": {"test_copies": copies, "test_rows": 300}}, "inspection": {"leak_worth": None}}
    assert ("say little" in leak_sentence(data)) == spoilt
    assert ("do not say" in leak_warning(data)) == spoilt


def test_accuracy_without_the_copied_rows() -> None:
    outcomes = {"a": outcome("a", [[1, 1, 1, 0], [1, 1, 0, 0]]), "b": outcome("b", [[0, 0, 1, 1]])}
    assert scores_without(outcomes, copied_rows({"audit": {"across": {"test_copy_rows": [1, 2]}}})) == {
        "a": 0.25,
        "b": 1.0,
    }
    assert scores_without(outcomes, {1, 2, 3, 4}) == {}
    assert scores_without(outcomes, copied_rows({})) == {}
