"""Nested subsets of the training rows, for a learning curve."""

from collections import Counter, defaultdict

import numpy as np

from showdown.core.examples import Examples


def nested_subset(train: Examples, fraction: float, seed: int) -> Examples:
    """Return a share of the training rows in file order, stratified by label, with duplicate groups whole.

    The seed alone gives the duplicate groups of each label a random order, and the subset takes the first ones. A
    smaller subset is therefore part of every larger one, and all methods get the same. Each label keeps at least one
    group.

    Args:
        train: the training rows.
        fraction: share of each label's rows, over 0 and up to 1; whole duplicate groups make it approximate.
        seed: seed of the order.

    """
    if fraction >= 1.0:
        return train
    chosen: list[int] = []
    generator = np.random.default_rng(seed % 2**64)
    for groups in _by_label(train):
        wanted = fraction * sum(map(len, groups))
        taken = 0
        for place in generator.permutation(len(groups)):
            rows = groups[place]
            if taken and taken + len(rows) / 2 > wanted:
                break
            chosen += rows
            taken += len(rows)
    chosen.sort()
    return Examples(
        texts=tuple(train.texts[index] for index in chosen),
        targets=tuple(train.targets[index] for index in chosen) if train.targets else (),
        answers=tuple(train.answers[index] for index in chosen) if train.answers else (),
        row_ids=tuple(train.row_ids[index] for index in chosen),
        duplicate_groups=tuple(train.duplicate_groups[index] for index in chosen),
    )


def _by_label(train: Examples) -> list[list[list[int]]]:
    """Return, for each label in order, its duplicate groups as lists of rows. Most rows of a group have its label.

    Rows without labels are one stratum.
    """
    targets = train.targets or (0,) * len(train)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(train.duplicate_groups):
        members[group].append(index)
    found: dict[int, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(targets[index] for index in rows)
        found[min(counts, key=lambda target: (-counts[target], target))].append(rows)
    return [found[target] for target in sorted(found)]
