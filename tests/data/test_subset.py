"""Subsets of the training rows are nested, stratified, keep duplicate groups whole, and are the same for everybody."""

import random
from collections import Counter

import pytest

from showdown.core.examples import Examples
from showdown.data.subset import nested_subset

FRACTIONS = (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)


def made(seed: int) -> Examples:
    """300 or so rows of 5 labels in duplicate groups of 1 to 4, in no order."""
    generator = random.Random(seed)
    rows = []
    for group in range(120):
        target = generator.randrange(5)
        rows += [(f"text {group}", target, group)] * generator.randint(1, 4)
    generator.shuffle(rows)
    return Examples(
        texts=tuple(text for text, _, _ in rows),
        targets=tuple(target for _, target, _ in rows),
        row_ids=tuple(range(1, len(rows) + 1)),
        duplicate_groups=tuple(group for _, _, group in rows),
    )


@pytest.mark.parametrize("seed", range(8))
def test_subsets_are_nested_whole_and_stratified(seed: int) -> None:
    train = made(seed)
    size_of, label_rows = Counter(train.duplicate_groups), Counter(train.targets)
    smaller: set[int] = set()
    for fraction in FRACTIONS:
        subset = nested_subset(train, fraction, seed)
        assert smaller <= set(subset.row_ids)
        assert list(subset.row_ids) == sorted(subset.row_ids)
        assert all(rows == size_of[group] for group, rows in Counter(subset.duplicate_groups).items())
        found = Counter(subset.targets)
        assert set(found) == set(label_rows)
        assert all(abs(found[label] - max(1, fraction * rows)) <= 4 for label, rows in label_rows.items())
        for text, target, row in zip(subset.texts, subset.targets, subset.row_ids, strict=True):
            assert (text, target) == (train.texts[row - 1], train.targets[row - 1])
        smaller = set(subset.row_ids)
    assert nested_subset(train, 1.0, seed) == train


def test_the_seed_alone_draws_the_subset() -> None:
    train = made(0)
    assert nested_subset(train, 0.5, 1) == nested_subset(train, 0.5, 1)
    assert nested_subset(train, 0.5, 1) != nested_subset(train, 0.5, 2)
