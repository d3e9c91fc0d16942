"""Nested subsets of the training rows, for a learning curve."""

from collections import Counter, defaultdict

import numpy as np

from showdown.core.method import LabelledTexts


def nested_subset(train: LabelledTexts, fraction: float, seed: int) -> LabelledTexts:
    """Return about this share of the training rows: stratified by label, clusters whole, the order of the rows kept.

    Each label's clusters have a random order that depends on the seed alone, and the subset is its beginning: a smaller
    subset lies within every larger one, and all methods get the same. Each label keeps at least one cluster.

    Args:
        train: the training rows.
        fraction: share of each label's rows, over 0 and up to 1; met as nearly as whole clusters allow.
        seed: draws the order.

    """
    if fraction >= 1.0:
        return train
    chosen: list[int] = []
    generator = np.random.default_rng(seed % 2**64)
    for clusters in _by_label(train):
        wanted = fraction * sum(map(len, clusters))
        taken = 0
        for place in generator.permutation(len(clusters)):
            rows = clusters[place]
            if taken and taken + len(rows) / 2 > wanted:
                break
            chosen += rows
            taken += len(rows)
    chosen.sort()
    return LabelledTexts(
        texts=tuple(train.texts[index] for index in chosen),
        targets=tuple(train.targets[index] for index in chosen),
        row_ids=tuple(train.row_ids[index] for index in chosen),
        clusters=tuple(train.clusters[index] for index in chosen),
    )


def _by_label(train: LabelledTexts) -> list[list[list[int]]]:
    """Return the row indices of each cluster, under the label that most of its rows have; labels in order."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, cluster in enumerate(train.clusters):
        members[cluster].append(index)
    found: dict[int, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(train.targets[index] for index in rows)
        found[min(counts, key=lambda target: (-counts[target], target))].append(rows)
    return [found[target] for target in sorted(found)]
