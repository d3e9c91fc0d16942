"""From prompts and answers to a folder and back: splits, given files, samples, subsets, fingerprints."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from chat_files import assistant, lines, messages_of, prompts, table, user

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec, SplitFiles
from showdown.core.split import AutoSplit, GivenSplit, KFoldSplit, RepeatedSplit, SingleSplit, SplitSpec
from showdown.data.prepare import (
    Prepared,
    all_intact,
    is_intact,
    load_audit,
    load_labels,
    load_side,
    prepare,
    write_prepared,
)
from showdown.data.rows import Rows
from showdown.data.subset import nested_subset

SIDES = ("train", "validation", "test")
ODD = [
    'a "quoted" word',
    "two\nlines",
    "\u05e9\u05dc\u05d5\u05dd",
    "=cmd",
    "<script>",
    "x\u2028y",
    "\\input{x}",
    "\U0001f600",
]


def ready(data: DataSpec, split: SplitSpec | None = None) -> Prepared:
    return prepare(data, split or SingleSplit(), "generation")


def simple(folder: Path, count: int = 40) -> DataSpec:
    return DataSpec(source=table(folder, ["prompt", "answer"], prompts(count)))


@pytest.mark.parametrize(
    "split", [SingleSplit(), KFoldSplit(folds=3), RepeatedSplit(repeats=2), AutoSplit()], ids=lambda split: split.kind
)
def test_folder_gives_back_what_was_prepared(tmp_path: Path, split: SplitSpec) -> None:
    pairs = [(f"{odd} alpha{row} beta{row}", f"{odd} gamma{row}") for row, odd in enumerate(ODD * 4)]
    prepared = ready(DataSpec(source=lines(tmp_path, [{"prompt": p, "answer": a} for p, a in pairs])), split)
    write_prepared(prepared, tmp_path / "out")
    count = len(prepared.partitions)
    assert count == {"single": 1, "repeated": 2}.get(split.kind, 3 if split.kind == "kfold" else 5)
    assert all_intact(prepared, tmp_path / "out")
    for number in range(count):
        folder = tmp_path / "out" / (f"partition-{number}" if count > 1 else "")
        assert load_labels(folder) == ()
        assert load_audit(folder) == prepared.audit
        assert not (folder / "label_mapping.json").exists()
        for name in SIDES:
            side = prepared.side(name, number)
            assert load_side(folder, name) == side
            assert len(side.answers) == len(side.texts) > 0
            assert side.targets == ()
            with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                records = list(csv.DictReader(file))
            assert list(records[0]) == ["prompt", "answer", "row", "cluster"]
            assert tuple(record["answer"] for record in records) == side.answers
            assert tuple(record["prompt"] for record in records) == side.texts
    rows = {
        row: (messages_of(prompt)[0][1], answer)
        for name in SIDES
        for side in [prepared.side(name)]
        for row, prompt, answer in zip(side.row_ids, side.texts, side.answers, strict=True)
    }
    assert [rows[row] for row in sorted(rows)] == pairs


def test_damage_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_prepared(ready(simple(tmp_path)), folder)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for cut in {0, 1, len(content) // 2, len(content) - 2}:
            path.write_bytes(content[:cut])
            assert not is_intact(folder), (path, cut)
        path.write_bytes(content)
    (folder / "test.jsonl").write_text("{")
    with pytest.raises(UserError, match=r"test\.jsonl is missing or damaged"):
        load_side(folder, "test")


def test_shares_and_folds_of_rows_without_labels(tmp_path: Path) -> None:
    prepared = ready(simple(tmp_path, 100))
    assert [len(prepared.side(name)) for name in SIDES] == [70, 15, 15]
    folds = ready(simple(tmp_path, 100), KFoldSplit(folds=4))
    tested = [row for number in range(4) for row in folds.side("test", number).row_ids]
    assert sorted(tested) == list(range(1, 101))
    assert prepared.audit.labels == []
    assert prepared.labels == ()


def test_copies_stay_together(tmp_path: Path) -> None:
    """Each prompt three times, each time with another answer."""
    pairs = [(prompt, f"{answer} {turn}") for prompt, answer in prompts(30) for turn in range(3)]
    prepared = ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs)), KFoldSplit(folds=3))
    for partition in prepared.partitions:
        assert not partition.crossing(prepared.rows.duplicate_groups).any
    assert len(set(prepared.rows.duplicate_groups)) == 30


def test_fingerprint_follows_prompts_answers_and_partition(tmp_path: Path) -> None:
    pairs = prompts(20)
    base = ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs))).fingerprint
    assert base == ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs))).fingerprint
    changed = [("alpha1 beta1 gamma1", "another"), *pairs[1:]], [("new prompt here", "delta1"), *pairs[1:]]
    others = {ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], rows))).fingerprint for rows in changed}
    spec = DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs))
    others |= {ready(spec, SingleSplit(seed=1)).fingerprint}
    others |= {ready(spec.model_copy(update={"system": "Be brief."})).fingerprint}
    assert len(others | {base}) == 5


def test_given_files_count_rows_on_and_have_the_columns_of_the_training_file(tmp_path: Path) -> None:
    paths = {
        name: table(
            tmp_path, ["q", "a"], [(f"{name}{row} x{row}{name} y", f"{name} {row}") for row in range(3)], f"{name}.csv"
        )
        for name in SIDES
    }
    prepared = ready(DataSpec(files=SplitFiles(**paths), prompt="q", answer="a"))
    assert [prepared.side(name).row_ids for name in SIDES] == [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    assert prepared.side("test").answers == ("test 0", "test 1", "test 2")
    other = table(tmp_path, ["q", "b"], [("x", "y")], "other.csv")
    with pytest.raises(UserError, match=r"other\.csv: no column `a`"):
        ready(DataSpec(files=SplitFiles(**{**paths, "test": other}), prompt="q", answer="a"))
    leaky = table(tmp_path, ["q", "a"], [("train0 x0train y", "any"), ("fresh words only", "b")], "leaky.csv")
    with pytest.raises(UserError, match="1 of 2 test rows"):
        ready(DataSpec(files=SplitFiles(**{**paths, "test": leaky}), prompt="q", answer="a"))
    allowed = ready(DataSpec(files=SplitFiles(**{**paths, "test": leaky}), prompt="q", answer="a", allow_leakage=True))
    assert allowed.audit.across is not None
    assert allowed.audit.across.test_copies == 1


def test_validation_rows_are_cut_from_a_training_file(tmp_path: Path) -> None:
    chats = [{"messages": [user(prompt), assistant(answer)]} for prompt, answer in prompts(40)]
    files = SplitFiles(train=lines(tmp_path, chats[:30], "a.jsonl"), test=lines(tmp_path, chats[30:], "b.jsonl"))
    prepared = ready(DataSpec(files=files), GivenSplit())
    assert [len(prepared.side(name)) for name in SIDES] == [26, 4, 10]
    assert sum(notice.endswith("(guessed)") for notice in prepared.notices) == 1
    one = SplitFiles(train=lines(tmp_path, chats[:1] * 3, "c.jsonl"), test=files.test)
    with pytest.raises(UserError, match=r"data\.files\.train: it has no two different texts"):
        ready(DataSpec(files=one))


def test_a_limit_samples_rows_with_whole_groups(tmp_path: Path) -> None:
    pairs = [pair for pair in prompts(50) for _ in range(2)]
    spec = DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs), limit=21)
    prepared = ready(spec)
    assert len(prepared.rows.texts) == len(prepared.rows.answers) == 20
    assert all(prepared.rows.duplicate_groups.count(group) == 2 for group in prepared.rows.duplicate_groups)
    with pytest.raises(
        UserError, match=r"`data\.limit: 5`: a split needs 3 different prompts, here 6 rows; raise the limit"
    ):
        ready(spec.model_copy(update={"limit": 5}))


def test_too_few_different_prompts(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="4 rows with 2 different prompts; a split needs 3: add rows with other prompts"
    ):
        ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], prompts(2) * 2)))
    with pytest.raises(UserError, match="cannot make 5 folds"):
        ready(simple(tmp_path, 4), KFoldSplit(folds=5))


def test_subsets_of_a_learning_curve_are_nested(tmp_path: Path) -> None:
    train = ready(simple(tmp_path, 100)).side("train")
    quarter, half = nested_subset(train, 0.25, 1), nested_subset(train, 0.5, 1)
    assert (len(quarter), len(half)) == (18, 35)
    assert set(quarter.row_ids) < set(half.row_ids) < set(train.row_ids)
    answer_of = dict(zip(train.row_ids, train.answers, strict=True))
    assert list(half.answers) == [answer_of[row] for row in half.row_ids]


def test_rows_that_are_cut_are_grouped_anew(tmp_path: Path) -> None:
    """Two prompts that differ at their ends alone are copies once the ends are cut off."""
    begin = "one two three four five six seven eight nine ten"
    pairs = [*prompts(20), (f"{begin} {' '.join('abcdefghijklm')}", "x"), (f"{begin} {' '.join('nopqrstuvwxyz')}", "y")]
    spec = DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs))

    def shorter(rows: Rows) -> Rows:
        return replace(
            rows,
            texts=tuple(
                text.replace(text[text.find(" ten ") + 4 : -3], "") if " ten " in text else text for text in rows.texts
            ),
        )

    assert len(set(ready(spec).rows.duplicate_groups)) == 22
    cut = prepare(spec, SingleSplit(), "generation", shorter)
    assert messages_of(cut.rows.texts[-1]) == messages_of(cut.rows.texts[-2]) == [("user", begin)]
    assert len(set(cut.rows.duplicate_groups)) == 21


def test_each_built_in_set_is_for_its_task() -> None:
    with pytest.raises(UserError, match="`resumes` is for another task; set `task: classification`"):
        ready(DataSpec())
    with pytest.raises(UserError, match="`notes` is for another task; set `task: generation`"):
        prepare(DataSpec(source="notes"), SingleSplit())


def test_a_file_of_chats_read_as_labelled_text_says_what_it_can_be(tmp_path: Path) -> None:
    chats = lines(tmp_path, [{"messages": [user("a"), assistant("b")]}] * 3)
    with pytest.raises(UserError, match=r"\(`messages`\) can be prompts and answers or chats.*set `task: generation`"):
        prepare(DataSpec(source=chats), SingleSplit())
    pairs = table(tmp_path, ["instruction", "input", "output"], [("a", "b", "c")])
    with pytest.raises(UserError, match=r"set `task: generation`"):
        prepare(DataSpec(source=pairs), SingleSplit())


def test_no_text_in_the_manifest(tmp_path: Path) -> None:
    pairs = [(f"secret{row} words{row}", f"hidden{row}") for row in range(20)]
    write_prepared(ready(DataSpec(source=table(tmp_path, ["prompt", "answer"], pairs))), tmp_path / "out")
    manifest = (tmp_path / "out" / "manifest.json").read_text()
    assert "secret" not in manifest
    assert "hidden" not in manifest
    assert json.loads(manifest)["labels"] == []
