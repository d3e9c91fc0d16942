"""Clusters stay whole, labels reach every side, shares are met, and the same seed gives the same split."""

import random
from collections import Counter

import pytest

from showdown.core.errors import UserError
from showdown.core.spec import SplitSpec
from showdown.data.split import given_partition, split_by_rows, split_rows


def made(seed: int, rows: int = 600, labels: int = 7) -> tuple[list[str], list[int]]:
    """Rows with duplicate clusters of 1 to 6."""
    generator = random.Random(seed)
    names: list[str] = []
    clusters: list[int] = []
    while len(names) < rows:
        size, label = generator.randint(1, 6), f"l{generator.randrange(labels)}"
        clusters += [max(clusters, default=-1) + 1] * size
        names += [label] * size
    return names, clusters


@pytest.mark.parametrize("seed", range(20))
def test_invariants(seed: int) -> None:
    labels, clusters = made(seed)
    partition = split_rows(labels, clusters, SplitSpec(seed=seed))
    sides = partition.sides
    assert sorted(index for side in sides.values() for index in side) == list(range(len(labels)))
    assert not partition.crossing(clusters).any
    for side in sides.values():
        assert {labels[index] for index in side} == set(labels)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_met_within_a_percent_of_the_rows(seed: int) -> None:
    labels, clusters = made(seed)
    spec = SplitSpec(seed=seed)
    for name, side in split_rows(labels, clusters, spec).sides.items():
        assert len(side) / len(labels) == pytest.approx(getattr(spec, name), abs=0.01)


def test_each_label_is_stratified_within_its_largest_cluster() -> None:
    labels, clusters = made(3)
    partition = split_rows(labels, clusters, SplitSpec())
    all_rows, test_rows = Counter(labels), Counter(labels[index] for index in partition.test)
    for label, rows in all_rows.items():
        assert abs(test_rows[label] - 0.15 * rows) <= 6


def test_same_seed_same_split() -> None:
    labels, clusters = made(0)
    assert split_rows(labels, clusters, SplitSpec(seed=5)) == split_rows(labels, clusters, SplitSpec(seed=5))
    assert split_rows(labels, clusters, SplitSpec(seed=5)) != split_rows(labels, clusters, SplitSpec(seed=6))


def test_huge_cluster_goes_to_training() -> None:
    labels = ["a"] * 34 + ["b"] * 20
    clusters = [0] * 30 + list(range(1, 25))
    assert set(range(30)) <= set(split_rows(labels, clusters, SplitSpec()).train)


def test_cluster_with_two_labels_stays_whole() -> None:
    labels = ["a", "b", "a"] + ["a"] * 6 + ["b"] * 6
    clusters = [0, 0, 0, *range(1, 13)]
    assert not split_rows(labels, clusters, SplitSpec()).crossing(clusters).any


def test_rare_label_is_refused_with_the_mend() -> None:
    with pytest.raises(UserError) as caught:
        split_rows(["a"] * 9 + ["x"] * 4, [*range(9), 9, 9, 9, 10], SplitSpec())
    assert str(caught.value) == "`x` has 4 rows in 2 different texts; a split needs 3. Drop, merge, or add rows"


def test_split_by_rows_of_rare_labels() -> None:
    labels = ["a"] * 30 + ["b"] * 3
    partition = split_by_rows(labels, SplitSpec())
    assert sorted([*partition.train, *partition.validation, *partition.test]) == list(range(33))
    assert all("b" in {labels[index] for index in side} for side in partition.sides.values())


def test_given_files_with_copies_stop_the_run() -> None:
    sides = ["train", "train", "validation", "validation", "test", "test"]
    clusters = [0, 1, 1, 2, 0, 2]
    with pytest.raises(UserError) as caught:
        given_partition(sides, clusters, allow_leakage=False)
    assert "1 of 2 test rows and 1 of 2 validation rows are copies of training rows" in str(caught.value)
    assert "1 test row is a copy of a validation row" in str(caught.value)
    assert "data.allow_leakage: true" in str(caught.value)
    assert given_partition(sides, clusters, allow_leakage=True).test == (4, 5)


def test_given_files_without_copies() -> None:
    assert given_partition(["test", "train", "validation"], [0, 1, 2], allow_leakage=False).train == (1,)
    with pytest.raises(UserError, match=r"data\.files\.test has 0 usable rows"):
        given_partition(["train", "validation"], [0, 1], allow_leakage=False)
