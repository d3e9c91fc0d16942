import numpy as np
import pytest

from showdown.core.errors import UserError
from showdown.verdict.classification.answers import Answers, load_outcomes
from showdown.verdict.outcomes import ArmOutcomes, on_common_rows, shared
from showdown.verdict.simulation import SIMULATED


def test_rows_are_sorted_and_seeds_stacked(built):
    built.run("lora", [0, 1], [0, 2], rows=[9, 4], clusters=[1, 2], seed=0)
    built.run("lora", [0, 2], [0, 2], rows=[9, 4], clusters=[1, 2], seed=1)
    (row,) = load_outcomes(built.results, built.folder).values()
    part = row.parts[0]
    assert part.row_ids.tolist() == [4, 9]
    assert part.clusters.tolist() == [2, 1]
    assert part.values.tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert row.seeds == 2


def test_folds_are_pooled_and_repeats_are_not(built):
    built.run("folds", [0], [0], rows=[1], partition=0)
    built.run("folds", [1], [0], rows=[2], partition=1)
    repeated = {"split": {"kind": "repeated"}}
    built.run("repeats", [0, 0], [0, 0], rows=[1, 2], partition=0, protocol=repeated)
    built.run("repeats", [0, 1], [0, 0], rows=[2, 3], partition=1, protocol=repeated)
    found = load_outcomes(built.results, built.folder)
    assert found["folds"].parts[0].values.tolist() == [[1.0, 0.0]]
    assert not found["folds"].repeated
    assert found["repeats"].repeated
    assert found["repeats"].test_over_train == pytest.approx(0.15 / 0.7)


def test_a_seed_with_a_failed_fold_is_left_out_and_said(built):
    for seed, partition in [(0, 0), (0, 1), (1, 0)]:
        built.run("lora", [0], [0], rows=[partition + 1], partition=partition, seed=seed)
    row = load_outcomes(built.results, built.folder)["lora"]
    assert row.seeds == 1
    assert row.parts[0].row_ids.tolist() == [1, 2]
    assert "1 of 2 seeds left out" in row.notes[0]


def test_failed_runs_have_no_outcomes(built):
    built.failed("full", "out-of-memory", "needs 60 GB")
    assert load_outcomes(built.results, built.folder) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("row,cluster,truth,predicted\n", "first columns"),
        ("row,cluster,label,predicted\n", "no predictions"),
        ("row,cluster,label,predicted\n1,1,a,unknown\n", "damaged"),
        ("row,cluster,label,predicted\n1,1,a\n", "damaged"),
    ],
)
def test_bad_files_are_named_with_a_mend(built, content, words):
    built.run("lora", [0], [0])
    path = built.folder / built.runs[0].predictions_file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=words) as raised:
        load_outcomes(built.results, built.folder)
    assert "run the comparison again" in str(raised.value)
    assert path.name in str(raised.value)


def outcomes(row_ids):
    ids = np.array(row_ids)
    return Answers(predicted=ids[None] % 2, true=np.zeros(len(ids), dtype=np.int64), clusters=ids, row_ids=ids)


def test_shared_rows_alone_are_compared():
    a, b = shared(outcomes([1, 2, 5, 8]), outcomes([2, 3, 8]))
    assert a.row_ids.tolist() == b.row_ids.tolist() == [2, 8]
    assert a.predicted.tolist() == [[0, 0]]


def test_answers_to_equal_rows_are_compared_as_they_are():
    a, b, other = outcomes([1, 2, 5]), outcomes([1, 2, 5]), outcomes([1, 2, 6])
    assert shared(a, b) == (a, b), "themselves, so that what was computed of them is found again"
    assert shared(a, other)[0] is not a
    assert shared(a, other)[0].row_ids.tolist() == [1, 2]
    twice = outcomes([1, 2, 2])
    assert shared(twice, twice)[0].row_ids.tolist() == [1, 2]


def row_of(name, *parts):
    made = {key: outcomes(ids) for key, ids in enumerate(parts) if ids}
    return ArmOutcomes(name=name, traits=SIMULATED, parts=made, seeds=1, test_over_train=0.0)


def test_rows_are_ranked_on_the_test_rows_that_all_answered():
    rows = {"a": row_of("a", [1, 2, 3, 4, 5]), "b": row_of("b", [1, 2, 3, 4]), "c": row_of("c", [1, 2, 3, 4, 5])}
    found, said = on_common_rows(rows)
    assert [row.parts[0].row_ids.tolist() for row in found.values()] == [[1, 2, 3, 4]] * 3
    assert "4 test rows that all of a, b, c answered" in said
    assert "b (4) did not answer all 5" in said


def test_nothing_is_said_where_all_answered_all():
    rows = {"a": row_of("a", [1, 2, 3]), "b": row_of("b", [1, 2, 3])}
    found, said = on_common_rows(rows)
    assert said is None
    assert found["b"].parts[0].row_ids.tolist() == [1, 2, 3]
    assert on_common_rows({}) == ({}, None)


def test_a_row_with_few_answers_does_not_take_the_others_down():
    rows = {"a": row_of("a", range(1, 11)), "b": row_of("b", [1, 2]), "c": row_of("c", range(1, 11))}
    found, said = on_common_rows(rows)
    assert list(found) == ["a", "c"]
    assert len(found["a"].parts[0].true) == 10
    assert said.startswith("b answered 2 of 10 test rows")


def test_without_common_rows_it_cannot_be_done():
    found, said = on_common_rows({"a": row_of("a", [1, 2]), "b": row_of("b", [3, 4])})
    assert found == {}
    assert "cannot be ranked" in said


def test_of_repeats_the_common_ones_are_kept():
    rows = {"a": row_of("a", [1, 2], [2, 3], [4, 5]), "b": row_of("b", [1, 2], [2, 3])}
    found, said = on_common_rows(rows)
    assert list(found["a"].parts) == [0, 1]
    assert "4 test rows" in said


def grid_of(built, done, *, lost=(), protocol=None):
    """Write runs of `lora`, each (seed, partition) on a test row of its own, and add those that were lost."""
    for seed, partition in done:
        built.run("lora", [0], [0], rows=[partition + 1], partition=partition, seed=seed, protocol=protocol)
    for seed, status in lost:
        built.failed("lora", status, "no loss", method="lora", seed=seed)
    return load_outcomes(built.results, built.folder)["lora"]


def test_each_row_knows_the_training_that_answered_it(built):
    built.run("lora", [0, 0], [0, 0], rows=[1, 4], partition=0)
    built.run("lora", [0], [0], rows=[2], partition=1)
    part = load_outcomes(built.results, built.folder)["lora"].parts[0]
    assert part.row_ids.tolist() == [1, 2, 4]
    assert part.folds.tolist() == [0, 1, 0]
    assert part.at(np.array([2, 4])).folds.tolist() == [1, 0]


def test_a_seed_that_diverged_leaves_the_others_and_is_said(built):
    row = grid_of(built, [(0, 0), (2, 0)], lost=[(1, "diverged"), (3, "failed")])
    assert row.seeds == 2
    (note,) = row.notes
    assert "2 of 4 seeds left out" in note
    assert "1 diverged, 1 failed" in note


def test_as_many_answers_as_can_be_are_kept(built):
    """Fold 2 failed in two of three seeds: three seeds of two folds are more than one seed of three."""
    row = grid_of(built, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)])
    assert row.seeds == 3
    assert row.parts[0].row_ids.tolist() == [1, 2]
    assert "1 of 3 parts of the test rows left out" in row.notes[0]


def test_of_two_seeds_one_whole_one_is_kept_before_two_halves(built):
    row = grid_of(built, [(0, 0), (1, 0), (1, 1)])
    assert row.seeds == 1
    assert row.parts[0].row_ids.tolist() == [1, 2]


def test_a_learning_curve_of_repeats_knows_how_many_rows_it_trained_on(built):
    grid_of(built, [(0, 0), (0, 1)], protocol={"split": {"kind": "repeated"}})
    built.runs = [
        run.model_copy(update={"spec": run.spec.model_copy(update={"train_fraction": 0.25})}) for run in built.runs
    ]
    row = load_outcomes(built.results, built.folder)["lora"]
    assert row.test_over_train == pytest.approx(0.15 / (0.7 * 0.25))
