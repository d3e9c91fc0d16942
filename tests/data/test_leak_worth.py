"""What copies across a split are worth, by words that are counted once, is what a pipeline on the texts finds."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from showdown.core.spec import DataSpec
from showdown.data.gather import gather
from showdown.data.leak_worth import _splits, leak_across, leak_worth
from showdown.data.rows import Rows
from showdown.data.split import Partition


def rows_of(folder: Path, texts: list[str], labels: list[str]) -> Rows:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    return gather(DataSpec(source=str(folder / "rows.csv"), near_duplicate_jaccard=0.99))


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Return short texts of three labels that share words, many of them rare, and copies of every fourth."""
    draw = random.Random(0)
    known = [f"word{number}" for number in range(1000)]
    labels = [index % 3 for index in range(150)]
    texts = [
        " ".join([*draw.choices(known, k=draw.randrange(12)), *draw.choices(known[60 * label :][:80], k=3)])
        for label in labels
    ]
    return rows_of(tmp_path, [*texts, *texts[::4]], [str(label) for label in [*labels, *labels[::4]]])


def by_pipeline(rows: Rows, train: list[int], test: list[int]) -> list[bool]:
    """Return whether each test row is right by a vectorizer and a classifier that are fitted on the training texts."""
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC(random_state=0))
    model.fit([rows.texts[index] for index in train], [rows.targets[index] for index in train])
    predicted = model.predict([rows.texts[index] for index in test])
    return [bool(found == rows.targets[index]) for found, index in zip(predicted, test, strict=True)]


def test_folds_score_as_a_pipeline_on_their_texts(rows: Rows) -> None:
    worth = leak_worth(rows)
    assert worth is not None
    for found, groups in (
        (worth.leaky_accuracy, range(len(rows.texts))),
        (worth.clean_accuracy, rows.duplicate_groups),
    ):
        splits = _splits(np.array(rows.targets), np.array(groups))
        assert found == np.mean([np.mean(by_pipeline(rows, *map(np.ndarray.tolist, split))) for split in splits])
    assert 0.4 < worth.clean_accuracy < worth.leaky_accuracy < 1


def test_a_split_scores_as_a_pipeline_on_its_texts(rows: Rows) -> None:
    order = random.Random(1).sample(range(len(rows.texts)), len(rows.texts))
    partition = Partition(train=tuple(order[:100]), validation=tuple(order[100:110]), test=tuple(order[110:]))
    across = leak_across(rows, partition)
    assert across is not None
    correct = by_pipeline(rows, order[:100], order[110:])
    assert across.all_accuracy == np.mean(correct)
    trained = {rows.duplicate_groups[index] for index in partition.train}
    own = [
        right
        for right, index in zip(correct, partition.test, strict=True)
        if rows.duplicate_groups[index] not in trained
    ]
    assert across.own_accuracy == pytest.approx(np.mean(own))


def test_texts_without_words_are_worth_nothing(tmp_path: Path) -> None:
    """By scikit-learn's definition a word has two letters."""
    rows = rows_of(tmp_path, [f"{row % 7} {row % 5} a" for row in range(70)], ["x", "y"] * 35)
    sides = Partition(train=tuple(range(35)), validation=(69,), test=tuple(range(35, 69)))
    assert leak_worth(rows) is None
    assert leak_across(rows, sides) is None
