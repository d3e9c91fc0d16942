"""Rare labels are dropped or merged and said; a limit keeps labels and whole duplicate groups."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec, SplitFiles
from showdown.core.split import GivenSplit, KFoldSplit, SingleSplit
from showdown.data.gather import gather
from showdown.data.prepare import prepare
from showdown.data.rows import Rows
from showdown.data.tables import count


def source(folder: Path, rows: list[tuple[str, str]], name: str = "rows.csv") -> str:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(folder / name)


def rows_of(label: str, texts: int, copies: int = 1) -> list[tuple[str, str]]:
    return [(f"{label}{n} word{n} of{label}{n} more{n}", label) for n in range(texts) for _ in range(copies)]


def rare(folder: Path, **settings: Any) -> Rows:
    rows = [*rows_of("a", 20), *rows_of("b", 20), *rows_of("c", 2), *rows_of("d", 1, copies=4), *rows_of("e", 3)]
    return gather(DataSpec(source=source(folder, rows), **settings))


def accounted(rows: Rows) -> bool:
    out = [row for part in rows.left_out for row in part.rows]
    return sorted([*rows.row_ids, *out]) == list(range(1, rows.rows_in + 1))


def test_rare_labels_are_dropped_and_said(tmp_path: Path) -> None:
    rows = rare(tmp_path, rare_labels="drop")
    assert rows.labels == ("a", "b", "e")
    assert accounted(rows)
    assert rows.left_out[-1].rows == (41, 42, 43, 44, 45, 46)
    assert "2 labels with fewer than 3 different texts are dropped: `c`, `d`" in rows.notices
    prepare(DataSpec(source=str(tmp_path / "rows.csv"), rare_labels="drop"), KFoldSplit())


def test_rare_labels_are_merged_and_said(tmp_path: Path) -> None:
    rows = rare(tmp_path, rare_labels="merge")
    assert rows.labels == ("(rare labels)", "a", "b", "e")
    assert Counter(rows.label_of_rows)["(rare labels)"] == 6
    assert (accounted(rows), len(rows.texts)) == (True, rows.rows_in)
    said = "2 labels with fewer than 3 different texts are counted as `(rare labels)` (6 rows): `c`, `d`"
    assert said in rows.notices
    assert rare(tmp_path, rare_labels="merge", rare_label="rest").labels == ("a", "b", "e", "rest")


def test_the_name_of_merged_labels_is_no_label_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the data already has a label `a`; .* `data\.rare_label`"):
        rare(tmp_path, rare_labels="merge", rare_label="a")


def test_rare_labels_stop_the_run_unless_told_otherwise(tmp_path: Path) -> None:
    assert rare(tmp_path).labels == ("a", "b", "c", "d", "e")
    with pytest.raises(UserError, match=r"Set `data\.rare_labels: drop` or `merge`, or add rows"):
        prepare(DataSpec(source=str(tmp_path / "rows.csv")), SingleSplit())


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        ([("a", 5), ("b", 1)], {"rare_labels": "drop"}, "1 label would be left; need at least 2"),
        ([("a", 5), ("b", 1)], {"rare_labels": "merge"}, "1 label with fewer than 3 different texts (`b`) cannot be"),
        ([("a", 1), ("b", 1), ("c", 1)], {"rare_labels": "merge"}, "cannot be merged: two labels"),
    ],
)
def test_too_little_left_is_refused(
    tmp_path: Path, rows: list[tuple[str, int]], settings: dict[str, Any], said: str
) -> None:
    path = source(tmp_path, [row for label, texts in rows for row in rows_of(label, texts)])
    with pytest.raises(UserError) as caught:
        gather(DataSpec(source=path, **settings))
    assert said in str(caught.value)


def test_copies_of_other_labels_do_not_hide_a_rare_label(tmp_path: Path) -> None:
    """A text counts for the label of most of its copies: what the split would refuse is what is dropped."""
    mixed = [("shared words here now", "b"), ("shared words here now", "x"), ("shared words here now", "b")]
    rows = [*rows_of("a", 9), *rows_of("b", 9), *mixed, *rows_of("x", 2)]
    spec = DataSpec(source=source(tmp_path, rows), rare_labels="drop")
    assert prepare(spec, SingleSplit()).labels == ("a", "b")


def limit_rows(folder: Path, limit: int, seed: int = 1) -> Rows:
    rows = [*rows_of("a", 100), *rows_of("b", 50, copies=4), *rows_of("c", 4), *rows_of("d", 96)]
    return gather(DataSpec(source=source(folder, rows), limit=limit), seed)


@pytest.mark.parametrize("limit", [40, 100, 200, 399])
def test_a_limit_is_stratified_and_keeps_clusters_whole(tmp_path: Path, limit: int) -> None:
    rows, every = limit_rows(tmp_path, limit), limit_rows(tmp_path, 400)
    assert limit - 3 <= len(rows.texts) <= limit
    assert accounted(rows)
    whole = Counter(every.duplicate_groups)
    assert all(number == whole[group] for group, number in Counter(rows.duplicate_groups).items())
    counted = Counter(rows.label_of_rows)
    assert counted["c"] >= 3
    for label, of in (("a", 100), ("b", 200), ("d", 96)):
        assert abs(counted[label] - of * limit / 400) <= 5
    assert any(
        line.startswith(f"{count(400 - len(rows.texts), 'row')} left out: beyond `data.limit: {limit}`")
        for line in rows.notices
    )
    prepare(DataSpec(source=str(tmp_path / "rows.csv"), limit=limit), SingleSplit())


def test_a_limit_follows_its_seed(tmp_path: Path) -> None:
    first, again, other = (limit_rows(tmp_path, 80, seed).row_ids for seed in (1, 1, 2))
    assert first == again != other
    assert limit_rows(tmp_path, 400).row_ids == tuple(range(1, 401))
    assert not any("limit" in line for line in limit_rows(tmp_path, 5000).notices)


def test_a_limit_too_small_for_the_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`data\.limit: 12`: 3 different texts of each of 4 labels are 21 rows; raise"):
        limit_rows(tmp_path, 12)


def given(folder: Path, **settings: Any) -> DataSpec:
    train = [*rows_of("a", 40), *rows_of("b", 40, copies=2), *rows_of("c", 1)]
    test = [(f"test {text}", label) for text, label in [*rows_of("a", 10), *rows_of("b", 10), *rows_of("c", 2)]]
    files = SplitFiles(train=source(folder, train, "train.csv"), test=source(folder, test, "test.csv"))
    return DataSpec(files=files, **settings)


def test_validation_rows_are_cut_from_the_training_file(tmp_path: Path) -> None:
    prepared = prepare(given(tmp_path), GivenSplit())
    train, validation, test = (prepared.side(name) for name in ("train", "validation", "test"))
    assert (len(train) + len(validation), len(test)) == (121, 22)
    assert abs(len(validation) - 0.15 * 121) <= 2
    assert not set(train.duplicate_groups) & set(validation.duplicate_groups)
    labels = Counter(prepared.labels[target] for target in validation.targets)
    assert (labels["c"], abs(labels["b"] - 12) <= 2, abs(labels["a"] - 6) <= 2) == (0, True, True)
    assert "Split: the given files; 15% of the training file are validation rows" in prepared.notices
    assert prepare(given(tmp_path), GivenSplit()).fingerprint == prepared.fingerprint
    assert prepare(given(tmp_path), GivenSplit(seed=3)).fingerprint != prepared.fingerprint
    more = prepare(given(tmp_path), GivenSplit(validation=0.3))
    assert abs(len(more.side("validation")) - 0.3 * 121) <= 3


def test_no_validation_row_can_be_cut_of_single_texts(tmp_path: Path) -> None:
    files = SplitFiles(
        train=source(tmp_path, [*rows_of("a", 1, 3), *rows_of("b", 1)], "train.csv"),
        test=source(tmp_path, [("other text of a", "a"), ("another one here", "b")], "test.csv"),
    )
    with pytest.raises(UserError, match=r"no validation rows can be cut from it; .*`data\.files\.validation`"):
        prepare(DataSpec(files=files), GivenSplit())


def test_a_limit_takes_of_each_given_file(tmp_path: Path) -> None:
    prepared = prepare(given(tmp_path, limit=70), GivenSplit())
    assert 66 <= len(prepared.rows.texts) <= 70
    assert abs(len(prepared.side("test")) - 22 * 70 / 143) <= 4


def test_files_without_a_header_are_read_as_the_training_file_is(tmp_path: Path) -> None:
    """The test file's first line recurs nowhere in it: that file alone would not tell."""
    train = "".join(f"{'ab'[n % 2]}\tword{n} other{n} and a third{n}\n" for n in range(24))
    (tmp_path / "train.tsv").write_text(train)
    (tmp_path / "test.tsv").write_text("a\tnever seen before\nb\tnor was this one\n")
    spec = DataSpec(files=SplitFiles(train=str(tmp_path / "train.tsv"), test=str(tmp_path / "test.tsv")))
    prepared = prepare(spec, GivenSplit())
    assert (prepared.rows.rows_in, len(prepared.side("test"))) == (26, 2)
