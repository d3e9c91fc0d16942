"""From a file to a folder and back."""

import csv
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec, SplitFiles
from showdown.core.split import AutoSplit, GivenSplit, KFoldSplit, RepeatedSplit, SingleSplit
from showdown.data.prepare import (
    Prepared,
    all_intact,
    is_intact,
    load_audit,
    load_labels,
    load_manifest,
    load_side,
    partition_folder,
    prepare,
    write_prepared,
)

SHARED = Path(__file__).parents[3] / "shared" / "data"
ODD = [
    'a "quoted" word',
    "two\r\nlines",
    "bare\rreturn",
    "\u05e9\u05dc\u05d5\u05dd",
    "=cmd",
    "<script>",
    "x\u2028y",
    "None",
]


def source(folder: Path, rows: list[tuple[str, str]], name: str = "rows.csv") -> str:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(folder / name)


def small(folder: Path, *, cleaning: str = "none") -> Prepared:
    rows = [(f"{odd} {word} text", label) for odd in ODD for word, label in (("first", "None"), ("second", "b"))]
    spec = DataSpec(source=source(folder, rows), clean=cleaning)  # type: ignore[arg-type]
    return prepare(spec, SingleSplit())


def test_folder_gives_back_what_was_prepared(tmp_path: Path) -> None:
    prepared = small(tmp_path)
    write_prepared(prepared, tmp_path / "out")
    assert load_labels(tmp_path / "out") == prepared.labels == ("None", "b")
    assert load_audit(tmp_path / "out") == prepared.audit
    for name in ("train", "validation", "test"):
        side = prepared.side(name)
        assert load_side(tmp_path / "out", name) == side
        with (tmp_path / "out" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            records = list(csv.DictReader(file))
        assert tuple(record["text"] for record in records) == side.texts
        assert tuple(prepared.labels.index(record["label"]) for record in records) == side.targets
    assert is_intact(tmp_path / "out", prepared.fingerprint)
    assert not is_intact(tmp_path / "out", "another")


def test_no_text_in_the_manifest(tmp_path: Path) -> None:
    rows = [(f"secret{index} words{index} here{index}", "ab"[index % 2]) for index in range(12)]
    write_prepared(prepare(DataSpec(source=source(tmp_path, rows)), SingleSplit()), tmp_path / "out")
    assert "secret" not in (tmp_path / "out" / "manifest.json").read_text()


def test_damage_is_named(tmp_path: Path) -> None:
    prepared = small(tmp_path)
    folder = tmp_path / "out"
    write_prepared(prepared, folder)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for cut in {0, 1, len(content) // 2, len(content) - 2}:
            path.write_bytes(content[:cut])
            assert not is_intact(folder)
        path.unlink()
        assert not is_intact(folder)
        path.write_bytes(content)
    (folder / "test.jsonl").write_text("{")
    with pytest.raises(UserError, match=r"test\.jsonl is missing or damaged"):
        load_side(folder, "test")
    write_prepared(prepared, folder)
    assert is_intact(folder, prepared.fingerprint)


def test_fingerprint_follows_texts_labels_and_partition(tmp_path: Path) -> None:
    rows = [(f"alpha{index} beta{index} gamma{index}", "ab"[index % 2]) for index in range(20)]
    path = source(tmp_path, rows)
    same = prepare(DataSpec(source=path), SingleSplit()).fingerprint
    assert same == prepare(DataSpec(source=path), SingleSplit()).fingerprint
    others = {prepare(DataSpec(source=path), SingleSplit(seed=1)).fingerprint}
    others.add(prepare(DataSpec(source=source(tmp_path, [("new words", "a"), *rows[1:]])), SingleSplit()).fingerprint)
    others.add(prepare(DataSpec(source=source(tmp_path, [(rows[0][0], "b"), *rows[1:]])), SingleSplit()).fingerprint)
    assert len(others | {same}) == 4


def test_given_files_count_rows_on(tmp_path: Path) -> None:
    names = ("train", "validation", "test")
    paths = {
        name: source(tmp_path, [(f"{name} one", "a"), (f"{name} two more words", "b"), ("", "a")], f"{name}.csv")
        for name in names
    }
    prepared = prepare(DataSpec(files=SplitFiles(**paths)), SingleSplit())
    assert [prepared.side(name).row_ids for name in names] == [(1, 2), (4, 5), (7, 8)]
    assert (prepared.audit.rows_in, prepared.audit.rows_used) == (9, 6)
    leaky = dict(paths, test=source(tmp_path, [("train one", "a"), ("test two", "b")], "leaky.csv"))
    with pytest.raises(UserError, match="1 of 2 test rows"):
        prepare(DataSpec(files=SplitFiles(**leaky)), SingleSplit())
    allowed = prepare(DataSpec(files=SplitFiles(**leaky), allow_leakage=True), SingleSplit())
    assert allowed.audit.across is not None
    assert allowed.audit.across.test_copies == 1
    assert any(line.startswith("LEAK") for line in allowed.notices)
    strange = dict(paths, test=source(tmp_path, [("test one", "a"), ("test two", "B")], "strange.csv"))
    with pytest.raises(UserError, match=r"label `B` \(row 2\) has no row in the training file"):
        prepare(DataSpec(files=SplitFiles(**strange)), SingleSplit())


def test_one_label_and_emptied_texts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only one label `a`; need at least 2"):
        prepare(DataSpec(source=source(tmp_path, [("x", "a"), ("y", "a")])), SingleSplit())
    rows = [(f"word{index} other{index}", "ab"[index % 2]) for index in range(8)]
    prepared = prepare(DataSpec(source=source(tmp_path, [*rows, ("!!!", "a")]), clean="study"), SingleSplit())
    assert [(part.reason, part.rows) for part in prepared.audit.reported] == [("no text after cleaning `study`", [9])]
    assert any("row left out: no text after cleaning" in line for line in prepared.notices)


def test_labels_that_look_alike_are_mentioned(tmp_path: Path) -> None:
    rows = [(f"word{index} other{index}", ["Java", "java ", "c"][index % 3]) for index in range(12)]
    prepared = prepare(DataSpec(source=source(tmp_path, rows)), SingleSplit())
    assert any("labels `Java` and `java ` differ only in case or spaces" in line for line in prepared.notices)


def test_study_split_is_reproduced_to_the_row() -> None:
    if not SHARED.exists():
        pytest.skip(f"the study's data is not at {SHARED}")
    spec = DataSpec(source=str(SHARED / "resumes.csv"), clean="study", allow_leakage=True)
    prepared = prepare(spec, SingleSplit())
    for name, file_name in (("train", "train"), ("validation", "val"), ("test", "test")):
        with (SHARED / "seed_split" / f"{file_name}.csv").open(encoding="utf-8", newline="") as file:
            expected = [(row["text"], row["label"]) for row in csv.DictReader(file)]
        side = prepared.side(name)
        found = [(text, prepared.labels[target]) for text, target in zip(side.texts, side.targets, strict=True)]
        assert found == expected
    across = prepared.audit.across
    assert across is not None
    assert (across.test_copies, across.test_rows, across.validation_copies, across.validation_rows) == (
        137,
        145,
        140,
        144,
    )


def test_label_mapping_has_the_form_that_the_study_kept(tmp_path: Path) -> None:
    if not SHARED.exists():
        pytest.skip(f"the study's data is not at {SHARED}")
    write_prepared(prepare(DataSpec(source=str(SHARED / "resumes.csv")), SingleSplit()), tmp_path / "out")
    ours = json.loads((tmp_path / "out" / "label_mapping.json").read_text(encoding="utf-8"))
    assert ours == json.loads((SHARED / "seed_split" / "label_mapping.json").read_text(encoding="utf-8"))


def test_shipped_resumes_split_without_a_leak(tmp_path: Path) -> None:
    prepared = prepare(DataSpec(), SingleSplit())
    assert prepared.audit.across is not None
    assert not prepared.audit.across.crosses
    write_prepared(prepared, tmp_path / "out")
    rows = load_manifest(tmp_path / "out")["rows"]
    assert {name: rows[name] / prepared.audit.rows_used for name in rows} == pytest.approx(
        {"train": 0.70, "validation": 0.15, "test": 0.15}, abs=0.02
    )
    assert set(Counter(prepared.side("test").targets)) == set(range(25))


def plain(folder: Path, rows: int = 60) -> DataSpec:
    """Different texts of three labels."""
    return DataSpec(source=source(folder, [(f"one{row} two{row} three{row}", "abc"[row % 3]) for row in range(rows)]))


def test_folds_are_written_each_and_read_back(tmp_path: Path) -> None:
    data, out = plain(tmp_path), tmp_path / "processed"
    prepared = prepare(data, KFoldSplit(folds=3))
    assert len(prepared.partitions) == 3
    assert not all_intact(prepared, out)
    write_prepared(prepared, out)
    assert all_intact(prepared, out)
    assert sorted(path.name for path in out.iterdir()) == ["partition-0", "partition-1", "partition-2"]
    tested: list[int] = []
    for number in range(3):
        place = partition_folder(out, number, 3)
        assert all(load_side(place, name) == prepared.side(name, number) for name in ("train", "validation", "test"))
        tested += load_side(place, "test").row_ids
    assert sorted(tested) == list(range(1, 61))
    (out / "partition-1" / "test.jsonl").unlink()
    assert not all_intact(prepared, out)


def test_another_kind_of_split_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    data, out = plain(tmp_path), tmp_path / "processed"
    for split in (KFoldSplit(folds=4), SingleSplit(), RepeatedSplit(repeats=2)):
        prepared = prepare(data, split)
        assert not all_intact(prepared, out)
        write_prepared(prepared, out)
        assert all_intact(prepared, out)
        files = 8 * len(prepared.partitions)
        assert sum(path.is_file() for path in out.rglob("*")) == files


def test_audit_and_fingerprint_cover_all_partitions(tmp_path: Path) -> None:
    data = plain(tmp_path)
    folds, more = prepare(data, KFoldSplit(folds=3)), prepare(data, KFoldSplit(folds=4))
    repeated, longer = prepare(data, RepeatedSplit(repeats=2)), prepare(data, RepeatedSplit(repeats=3))
    assert len({found.fingerprint for found in (folds, more, repeated, longer)}) == 4
    assert repeated.partitions == longer.partitions[:2]
    assert len(set(longer.partitions)) == 3
    across = folds.audit.across
    assert across is not None
    assert (across.partitions, across.test_rows, across.crosses) == (3, 60, False)
    assert "Copies across the splits: none" in folds.notices


def test_auto_cross_validates_few_different_texts(tmp_path: Path) -> None:
    few = prepare(plain(tmp_path), AutoSplit(seed=3))
    assert few.split == KFoldSplit(seed=3)
    assert any("5-fold cross-validation" in line and "60 different texts" in line for line in few.notices)
    many = prepare(plain(tmp_path, rows=2000), AutoSplit(seed=3))
    assert many.split == SingleSplit(seed=3)
    assert any(line.startswith("One split, 70% training") for line in many.notices)
    copies = [(f"one{row % 60} two{row % 60} three{row % 60}", "abc"[row % 3]) for row in range(2400)]
    assert prepare(DataSpec(source=source(tmp_path, copies)), AutoSplit()).split.kind == "kfold"


def test_auto_takes_given_files(tmp_path: Path) -> None:
    paths = {
        name: source(tmp_path, [(f"{name} one", "a"), (f"{name} two more words", "b")], f"{name}.csv")
        for name in ("train", "validation", "test")
    }
    prepared = prepare(DataSpec(files=SplitFiles(**paths)), AutoSplit())
    assert prepared.split == GivenSplit()
    assert "Split: the given files" in prepared.notices


def test_leak_is_counted_over_all_folds(tmp_path: Path) -> None:
    rows = [(f"one{row % 30} two{row % 30} three{row % 30}", "abc"[row % 3]) for row in range(120)]
    path = source(tmp_path, rows)
    leaky = prepare(DataSpec(source=path, allow_leakage=True), KFoldSplit())
    assert leaky.audit.across is not None
    assert leaky.audit.across.test_rows == 120
    assert leaky.audit.across.test_copies > 100
    assert any(line.startswith("LEAK") for line in leaky.notices)
    clean = prepare(DataSpec(source=path), KFoldSplit())
    assert clean.audit.across is not None
    assert not clean.audit.across.crosses


def test_rows_of_named_labels_alone_are_kept(tmp_path: Path) -> None:
    rows = [(f"text number {n} of {label}", label) for label in ("a", "b", "c") for n in range(4)]
    prepared = prepare(DataSpec(source=source(tmp_path, rows), labels=["a", "c"]), SingleSplit())
    assert prepared.labels == ("a", "c")
    assert sorted(prepared.rows.row_ids) == [1, 2, 3, 4, 9, 10, 11, 12]
    assert "4 rows left out: of labels that `data.labels` does not name (rows 5, 6, 7, 8)" in prepared.notices


def test_a_wanted_label_that_no_row_has_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    rows = [(f"text number {n} of {label}", label) for label in ("baker", "pilot") for n in range(4)]
    with pytest.raises(UserError, match=r"no row has the label `bakr` of `data.labels`.*`baker`"):
        prepare(DataSpec(source=source(tmp_path, rows), labels=["bakr", "pilot"]), SingleSplit())


def test_rows_of_a_template_whose_deciding_word_makes_the_label_are_split(tmp_path: Path) -> None:
    """Four intents, one deciding word in about forty, in a frame that all rows share."""
    chance = random.Random(4)
    frame = (
        "Dear team, I hope that this message finds you well. I bought the thing{} from your shop and would now like to"
        " {} it as soon as you can. My name is name{}, and I look forward to your answer. Kind regards and many thanks"
    )
    deeds = [chance.choice(("refund", "exchange", "cancel", "track")) for _ in range(150)]
    rows = [(frame.format(chance.randrange(12), deed, chance.randrange(40)), deed) for deed in deeds]
    prepared = prepare(DataSpec(source=source(tmp_path, rows)), SingleSplit())
    assert prepared.audit.clusters > 0.9 * len(set(rows))


def test_another_clustering_is_another_fingerprint(tmp_path: Path) -> None:
    rows = [(f"word{index} other{index} third{index} fourth{index}", "ab"[index % 2]) for index in range(20)]
    rows.append((rows[0][0] + " the", "a"))
    path = source(tmp_path, rows)
    sides = {name: path for name in ("train", "validation", "test")}
    found = {
        prepare(
            DataSpec(files=SplitFiles(**sides), allow_leakage=True, near_duplicate_jaccard=jaccard), SingleSplit()
        ).fingerprint
        for jaccard in (0.8, 0.99)
    }
    assert len(found) == 2
