"""Texts that several benchmarks of data and statistics use: real ones, one of each kind, and random ones."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from showdown.core.examples import Examples
from showdown.core.spec import DataSpec
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.read import read_table
from showdown.data.rows import Rows

STUDY = Path(__file__).resolve().parents[3] / "shared" / "data" / "resumes.csv"
"""The study's data set, which is not part of the repository; benchmarks leave it out where it is absent."""
JACCARD = 0.8
"""The product's default threshold for near-copies; it allows 11 % of the words to be replaced."""


def different_texts(source: str) -> tuple[list[str], list[str]]:
    """Return one text of each duplicate group of a data set, and its label."""
    table = read_table(DataSpec(source=source))
    columns = {name.casefold(): index for index, name in enumerate(table.names)}
    texts = [str(cell) for cell in table.column(columns["resume" if "resume" in columns else "text"])]
    labels = [str(cell) for cell in table.column(columns["category" if "category" in columns else "label"])]
    first: dict[int, int] = {}
    for index, group in enumerate(find_duplicate_groups(texts, JACCARD).duplicate_groups):
        first.setdefault(group, index)
    return [texts[index] for index in first.values()], [labels[index] for index in first.values()]


def examples_at(rows: Rows, places: Iterable[int]) -> Examples:
    """Return the examples at these places of a data set."""
    chosen = list(places)
    return Examples(
        texts=tuple(rows.texts[place] for place in chosen),
        targets=tuple(rows.targets[place] for place in chosen),
        row_ids=tuple(rows.row_ids[place] for place in chosen),
        duplicate_groups=tuple(rows.duplicate_groups[place] for place in chosen),
    )


def zipf_texts(
    rng: np.random.Generator,
    *,
    rows: int,
    labels: int,
    words: int,
    vocabulary: int,
    own_words: int,
    own_share: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw texts whose words follow Zipf's law, but for a share that comes from words of the label's own.

    Args:
        rng: the source of chance.
        rows: number of texts.
        labels: number of labels.
        words: words of each text.
        vocabulary: number of different words, those of the labels among them.
        own_words: words that belong to each label.
        own_share: share of the words that comes from these; the smaller it is, the harder are the labels.

    Returns:
        Words, shape (rows, words), and the number of each text's label, shape (rows,).

    """
    names = np.array([f"w{number:x}" for number in range(vocabulary)])
    targets = rng.integers(0, labels, rows)
    common = np.minimum(rng.zipf(1.3, (rows, words)) - 1, vocabulary - labels * own_words - 1)
    own = vocabulary - (targets[:, None] + 1) * own_words + rng.integers(0, own_words, (rows, words))
    return names[np.where(rng.random((rows, words)) < own_share, own, common)], targets
