"""Rows that change between two methods, and between the seeds of one."""

import numpy as np
import pytest

from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.flips import flips, seed_agreement
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.simulation import SIMULATED
from showdown.verdict.summary import judge


def row(*parts):
    made = {}
    for key, answers in enumerate(parts):
        predicted = np.array(answers)
        ids = np.arange(predicted.shape[1])
        made[key] = Answers(predicted=predicted, true=np.zeros(len(ids), dtype=np.int64), clusters=ids, row_ids=ids)
    return ArmOutcomes(name="a", traits=SIMULATED, parts=made, seeds=len(parts[0]), test_over_train=0.0)


def test_flips_of_one_seed_each_are_counts():
    # True labels are 0: rows 0 and 1 right in the first, rows 1, 2 and 3 in the second.
    assert flips(row([[0, 0, 1, 1, 1]]), row([[1, 0, 0, 0, 1]])) == (1.0, 2.0)


def test_flips_of_several_seeds_are_the_mean_over_all_pairs_of_them():
    first, second = row([[0, 0, 1], [0, 1, 1]]), row([[1, 0, 0], [0, 0, 1]])
    # By hand: (1, 1), (0, 0), (1, 2), (0, 1) over the four pairs of seeds.
    assert flips(first, second) == (0.5, 1.0)
    assert flips(second, first) == (1.0, 0.5)


def test_flips_of_repeats_are_the_mean_over_them():
    assert flips(row([[0, 0]], [[0, 1]]), row([[1, 1]], [[0, 1]])) == (1.0, 0.0)


def test_agreement_asks_for_the_same_answer_right_or_wrong():
    assert seed_agreement(row([[0, 1, 2, 1]], [[0, 1, 2, 1]])) is None
    assert seed_agreement(row([[0, 1, 2, 1], [0, 1, 1, 2]])) == pytest.approx(0.5)


def test_flips_add_up_to_the_difference_in_the_verdict(built, answers):
    for name, wrong, start in (("full", 30, 0), ("lora", 50, 100)):
        for seed in range(2):
            predicted, true = answers(300, wrong, start=start + seed)
            built.run(name, predicted, true, method=name, seed=seed)
    verdict = judge(built.results, built.folder)
    (pair,) = verdict.pairs
    assert (pair.first_only, pair.second_only) == (50.0, 30.0)
    assert (pair.first_only - pair.second_only) / pair.rows == pytest.approx(pair.accuracy.value)
    assert [row.seed_agreement for row in verdict.rows] == [pytest.approx(298 / 300), pytest.approx(298 / 300)]
