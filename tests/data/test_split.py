"""Clusters stay whole, labels reach every side, shares are met, and the same seed gives the same split."""

import random
from collections import Counter

import pytest

from showdown.core.errors import UserError
from showdown.core.split import KFoldSplit, RepeatedSplit, SingleSplit
from showdown.data.split import given_partition, kfold, repeat_seeds, split_by_rows, split_rows


def made(seed: int, rows: int = 600, labels: int = 7) -> tuple[list[str], list[int]]:
    """Rows with duplicate groups of 1 to 6."""
    generator = random.Random(seed)
    names: list[str] = []
    duplicate_groups: list[int] = []
    while len(names) < rows:
        size, label = generator.randint(1, 6), f"l{generator.randrange(labels)}"
        duplicate_groups += [max(duplicate_groups, default=-1) + 1] * size
        names += [label] * size
    return names, duplicate_groups


@pytest.mark.parametrize("seed", range(20))
def test_invariants(seed: int) -> None:
    labels, duplicate_groups = made(seed)
    partition = split_rows(labels, duplicate_groups, SingleSplit(seed=seed))
    sides = partition.sides
    assert sorted(index for side in sides.values() for index in side) == list(range(len(labels)))
    assert not partition.crossing(duplicate_groups).any
    for side in sides.values():
        assert {labels[index] for index in side} == set(labels)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_met_within_a_percent_of_the_rows(seed: int) -> None:
    labels, duplicate_groups = made(seed)
    spec = SingleSplit(seed=seed)
    for name, side in split_rows(labels, duplicate_groups, spec).sides.items():
        assert len(side) / len(labels) == pytest.approx(getattr(spec, name), abs=0.01)


def test_each_label_is_stratified_within_its_largest_cluster() -> None:
    labels, duplicate_groups = made(3)
    partition = split_rows(labels, duplicate_groups, SingleSplit())
    all_rows, test_rows = Counter(labels), Counter(labels[index] for index in partition.test)
    for label, rows in all_rows.items():
        assert abs(test_rows[label] - 0.15 * rows) <= 6


def test_same_seed_same_split() -> None:
    labels, duplicate_groups = made(0)
    assert split_rows(labels, duplicate_groups, SingleSplit(seed=5)) == split_rows(
        labels, duplicate_groups, SingleSplit(seed=5)
    )
    assert split_rows(labels, duplicate_groups, SingleSplit(seed=5)) != split_rows(
        labels, duplicate_groups, SingleSplit(seed=6)
    )


def test_huge_cluster_goes_to_training() -> None:
    labels = ["a"] * 34 + ["b"] * 20
    duplicate_groups = [0] * 30 + list(range(1, 25))
    assert set(range(30)) <= set(split_rows(labels, duplicate_groups, SingleSplit()).train)


def test_cluster_with_two_labels_stays_whole() -> None:
    labels = ["a", "b", "a"] + ["a"] * 6 + ["b"] * 6
    duplicate_groups = [0, 0, 0, *range(1, 13)]
    assert not split_rows(labels, duplicate_groups, SingleSplit()).crossing(duplicate_groups).any


def test_rare_label_is_refused_with_the_mend() -> None:
    with pytest.raises(UserError) as caught:
        split_rows(["a"] * 9 + ["x"] * 4, [*range(9), 9, 9, 9, 10], SingleSplit())
    assert str(caught.value).startswith(
        "`x` has 4 rows in 2 different texts; a split needs 3. Set `data.rare_labels: drop` or `merge`, or add rows"
    )
    assert "raise `data.near_duplicate_jaccard`" in str(caught.value)
    with pytest.raises(UserError) as lone:
        split_rows(["a"] * 9 + ["x"], range(10), SingleSplit())
    assert "near_duplicate_jaccard" not in str(lone.value)


def test_split_by_rows_of_rare_labels() -> None:
    labels = ["a"] * 30 + ["b"] * 3
    partition = split_by_rows(labels, SingleSplit())
    assert sorted([*partition.train, *partition.validation, *partition.test]) == list(range(33))
    assert all("b" in {labels[index] for index in side} for side in partition.sides.values())


def test_given_files_with_copies_stop_the_run() -> None:
    sides = ["train", "train", "validation", "validation", "test", "test"]
    duplicate_groups = [0, 1, 1, 2, 0, 2]
    with pytest.raises(UserError) as caught:
        given_partition(sides, duplicate_groups, range(11, 17), allow_leakage=False)
    assert "1 of 2 test rows (50.0 %) and 1 of 2 validation rows are copies of training rows" in str(caught.value)
    assert "such as row 15 of row 11" in str(caught.value)
    assert "1 test row is a copy of a validation row" in str(caught.value)
    assert "data.allow_leakage: true" in str(caught.value)
    assert given_partition(sides, duplicate_groups, range(11, 17), allow_leakage=True).test == (4, 5)


def test_given_files_without_copies() -> None:
    assert given_partition(["test", "train", "validation"], [0, 1, 2], [1, 2, 3], allow_leakage=False).train == (1,)
    with pytest.raises(UserError, match=r"data\.files\.test has 0 usable rows"):
        given_partition(["train", "validation"], [0, 1], [1, 2], allow_leakage=False)


@pytest.mark.parametrize("seed", range(12))
def test_folds_test_every_row_once_and_keep_clusters_whole(seed: int) -> None:
    labels, duplicate_groups = made(seed)
    spec = KFoldSplit(seed=seed, folds=2 + seed % 5)
    partitions = kfold(labels, duplicate_groups, spec)
    assert len(partitions) == spec.folds
    assert sorted(index for partition in partitions for index in partition.test) == list(range(len(labels)))
    for partition in partitions:
        assert sorted(index for side in partition.sides.values() for index in side) == list(range(len(labels)))
        assert not partition.crossing(duplicate_groups).any
        assert len(partition.test) / len(labels) == pytest.approx(1 / spec.folds, abs=0.015)
        assert len(partition.validation) / len(labels) == pytest.approx(spec.validation, abs=0.015)
        for side in partition.sides.values():
            assert {labels[index] for index in side} == set(labels)


def test_folds_are_stratified() -> None:
    labels, duplicate_groups = made(3)
    all_rows = Counter(labels)
    for partition in kfold(labels, duplicate_groups, KFoldSplit()):
        tested = Counter(labels[index] for index in partition.test)
        assert all(abs(tested[label] - rows / 5) <= 6 for label, rows in all_rows.items())


def test_same_seed_same_folds() -> None:
    labels, duplicate_groups = made(0)
    assert kfold(labels, duplicate_groups, KFoldSplit(seed=1)) == kfold(labels, duplicate_groups, KFoldSplit(seed=1))
    assert kfold(labels, duplicate_groups, KFoldSplit(seed=1)) != kfold(labels, duplicate_groups, KFoldSplit(seed=2))


@pytest.mark.parametrize("folds", [2, 3, 5, 8])
def test_label_too_rare_for_every_fold_is_trained_on_in_all(folds: int) -> None:
    labels = ["a"] * 40 + ["b"] * 40 + ["rare"] * 3
    partitions = kfold(labels, range(len(labels)), KFoldSplit(folds=folds))
    tested = [sum(labels[index] == "rare" for index in partition.test) for partition in partitions]
    assert sum(tested) == 3
    assert max(tested) == (2 if folds == 2 else 1)
    assert all("rare" in {labels[index] for index in partition.train} for partition in partitions)


def test_folds_refuse_a_label_of_two_texts_and_too_little_data() -> None:
    with pytest.raises(UserError, match="`x` has 4 rows in 2 different texts; a split needs 3"):
        kfold(["a"] * 9 + ["x"] * 4, [*range(9), 9, 9, 9, 10], KFoldSplit())
    with pytest.raises(UserError, match=r"6 different texts cannot make 9 folds .* `protocol\.split\.folds`"):
        kfold(["a"] * 3 + ["b"] * 3, range(6), KFoldSplit(folds=9))


def test_repeats_have_seeds_of_their_own() -> None:
    few, many = repeat_seeds(RepeatedSplit(repeats=3, seed=1)), repeat_seeds(RepeatedSplit(repeats=6, seed=1))
    assert len(set(many)) == 6
    assert many[:3] == few
    assert repeat_seeds(RepeatedSplit(seed=2))[:3] != few
