"""Findings that were planted are found; clean data has none; no text leaves the data."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from showdown.core.spec import DataSpec
from showdown.core.split import SingleSplit
from showdown.data.audit import audit_rows, findings, lines
from showdown.data.gather import gather
from showdown.data.inspection import deep_audit, deep_findings, deep_lines
from showdown.data.listing import write_listing
from showdown.data.rows import Rows
from showdown.data.split import Partition

STUDY = Path(__file__).parents[3] / "shared" / "data" / "resumes.csv"


def gathered(folder: Path, rows: list[tuple[str, str]], **asked: Any) -> Rows:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return gather(DataSpec(source=str(folder / "rows.csv"), **asked))


def topics(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different texts of three labels that a linear model tells apart."""
    generator = random.Random(seed)
    return [
        (" ".join(f"{label}{generator.randrange(60)}x{generator.randrange(3)}" for _ in range(20)), label)
        for label in (["a", "b", "c"][index % 3] for index in range(rows))
    ]


def test_clean_data_has_no_findings(tmp_path: Path) -> None:
    rows = gathered(tmp_path, topics(90))
    audit = audit_rows(rows, SingleSplit(), [])
    assert findings(audit) == []
    assert deep_findings(deep_audit(rows)) == []
    assert lines(audit)[0] == "90 rows read, 90 used"


def test_every_check_has_its_line_also_where_nothing_was_found(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab", reason="the extra package `cleanlab` is not installed")
    rows = gathered(tmp_path, topics(90))
    said = [*lines(audit_rows(rows, SingleSplit(), [])), *deep_lines(deep_audit(rows))]
    for line in (
        "No text has two labels",
        "No row to look at first: the other rows contradict no label",
        "No row has fewer than 3 words",
        "No label has fewer than 5 different texts",
    ):
        assert said.count(line) == 1
    rows = gathered(tmp_path, [*topics(90), (topics(90)[0][0], "b"), ("two words", "z")])
    said = [*lines(audit_rows(rows, SingleSplit(), [])), *deep_lines(deep_audit(rows))]
    assert not any(line.startswith(("No text has", "No row has", "No label has")) for line in said)


def test_planted_findings(tmp_path: Path) -> None:
    base = topics(90)
    planted = [
        *base,
        (base[0][0], "a"),
        (base[1][0], "c"),
        (base[2][0].upper() + " more", "c"),
        ("", "a"),
        ("lone words here", "z"),
    ]
    rows = gathered(tmp_path, planted)
    audit = audit_rows(rows, SingleSplit(), [])
    assert (audit.rows_in, audit.rows_used, audit.exact_copies, audit.near_copies, audit.clusters) == (95, 94, 2, 1, 91)
    assert [(conflict.rows, conflict.labels) for conflict in audit.two_labels] == [([2, 92], ["b", "c"])]
    said = "\n".join(findings(audit))
    for part in (
        "1 row left out: no text (row 94)",
        "2 exact copies",
        "1 near-copy",
        "1 text has two labels",
        "`z` has 1 row",
    ):
        assert part in said
    assert audit.if_split_by_rows is None


@pytest.mark.parametrize(
    ("copies", "said"), [(1, "1 row of 31 (3 %) repeats an earlier"), (2, "2 rows of 32 (6 %) repeat an earlier")]
)
def test_one_row_repeats_and_two_repeat(tmp_path: Path, copies: int, said: str) -> None:
    rows = topics(30)
    found = gathered(tmp_path, [*rows, *rows[:copies]])
    assert any(line.startswith(said) for line in lines(audit_rows(found, SingleSplit(), [], allow_leakage=False)))


@pytest.fixture
def cleanlab() -> None:
    pytest.importorskip("cleanlab", reason="the extra package `cleanlab` is not installed")


@pytest.mark.usefixtures("cleanlab")
def test_rows_to_look_at_first_are_named_with_the_measured_precision(tmp_path: Path) -> None:
    planted = topics(150)
    wrong = {5: "a", 40: "c", 77: "b", 100: "c"}
    planted = [(text, wrong.get(index, label)) for index, (text, label) in enumerate(planted)]
    deep = deep_audit(gathered(tmp_path, planted))
    assert len(deep.look_first) >= 3  # confident learning estimates how many there are, and may fall one short
    assert {suspect.row - 1 for suspect in deep.look_first} <= set(wrong)
    assert all(suspect.looks_like == topics(150)[suspect.row - 1][1] for suspect in deep.look_first)
    assert deep.look_first_precision is not None
    assert deep.look_first_precision.enough
    low, high = deep.look_first_precision.bounds
    (said,) = [line for line in deep_findings(deep) if "to look at first" in line]
    assert f"of the rows that this search names, {100 * low:.0f} to {100 * high:.0f} % have a wrong label" in said
    assert deep_audit(gathered(tmp_path, planted)) == deep


@pytest.mark.usefixtures("cleanlab")
def test_many_wrong_labels_do_not_silence_a_search_that_finds_them(tmp_path: Path) -> None:
    generator = random.Random(2)
    right = topics(300)
    wrong = set(generator.sample(range(300), 24))
    rows = [
        (text, "abc"[("abc".index(label) + 1) % 3] if index in wrong else label)
        for index, (text, label) in enumerate(right)
    ]
    found = {suspect.row - 1 for suspect in deep_audit(gathered(tmp_path, rows)).look_first}
    assert len(found & wrong) >= 20
    assert len(found - wrong) <= 2


@pytest.mark.usefixtures("cleanlab")
@pytest.mark.parametrize("own_words", [0, 2], ids=["no signal", "middling"])
def test_a_search_that_is_mostly_wrong_names_nobody(tmp_path: Path, own_words: int) -> None:
    generator = random.Random(1)
    rows = []
    for index in range(400):
        label = "abcd"[index % 4]
        common = [f"w{generator.randrange(500)}" for _ in range(20)]
        mine = [f"{generator.choice([label, label, *'abcd'])}{generator.randrange(12)}" for _ in range(own_words)]
        rows.append((" ".join(common + mine), label))
    deep = deep_audit(gathered(tmp_path, rows))
    assert deep.look_first_precision is not None
    assert deep.look_first_precision.all_rows.named > 0
    assert not deep.look_first_precision.enough
    assert deep.look_first == []
    assert "Rows to look at first are not named: the search is too imprecise on this data" in deep.notices[0]
    assert not any("look at first" in line for line in deep_findings(deep))


def test_short_long_and_rare(tmp_path: Path) -> None:
    rows = gathered(
        tmp_path, [*topics(60), ("two words", "a"), ("\u6211\u4eec\u5728\u5317\u4eac", "a"), ("some lone words", "z")]
    )
    deep = deep_audit(rows, count_tokens=lambda texts: [len(text.split()) + 2 for text in texts], max_tokens=12)
    assert (deep.short_rows, deep.rare_labels) == ([61], ["z"])
    assert deep.lengths is not None
    assert (len(deep.lengths.cut_rows), deep.lengths.longest_tokens) == (60, 22)
    assert deep.lengths.cut_share == pytest.approx(600 / (60 * 22 + 4 + 3 + 5))
    assert any("longer than 12 tokens" in line for line in deep_lines(deep))


def test_listing_holds_rows_and_no_text(tmp_path: Path) -> None:
    base = topics(60)
    rows = gathered(tmp_path, [*base, base[0], (base[1][0] + " tail", "=cmd"), ("", "a")])
    audit = audit_rows(rows, SingleSplit(), [])
    written = write_listing(tmp_path / "listing.csv", rows, audit, deep_audit(rows))
    with (tmp_path / "listing.csv").open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert len(records) == written
    assert {(record["row"], record["finding"]) for record in records} >= {
        ("61", "exact copy"),
        ("62", "two labels"),
        ("63", "left out"),
    }
    assert not any(record["detail"].startswith(("=", "+", "-", "@")) for record in records)
    content = (tmp_path / "listing.csv").read_text() + audit.model_dump_json()
    assert not any(text[:12] in content for text, _ in base)


def test_rows_of_rare_labels_and_copies_across_the_split_are_listed(tmp_path: Path) -> None:
    base = topics(60)
    rows = gathered(tmp_path, [*base, base[0], base[3], ("some lone words", "z")])
    partitions = [
        Partition(train=tuple(range(50)), validation=tuple(range(50, 60)), test=(60, 62)),
        Partition(train=tuple(range(60)), validation=(61,), test=(62,)),
    ]
    audit = audit_rows(rows, SingleSplit(), partitions)
    write_listing(tmp_path / "listing.csv", rows, audit, deep_audit(rows), partitions)
    with (tmp_path / "listing.csv").open(encoding="utf-8", newline="") as file:
        records = [tuple(record.values()) for record in csv.DictReader(file)]
    assert ("63", "rare label", "label `z` has 1 different text") in records
    across = [record for record in records if record[1] == "copy across the split"]
    assert across == [
        ("61", "copy across the split", "in the test rows of split 1, a copy of it in the training rows"),
        ("62", "copy across the split", "in the validation rows of split 2, a copy of it in the training rows"),
    ]


def test_near_copies_with_different_labels_are_said_and_count_as_different_texts(tmp_path: Path) -> None:
    base = topics(60)
    rows = gathered(tmp_path, [*base, (base[1][0] + " tail", "c")])
    audit = audit_rows(rows, SingleSplit(), [])
    assert (audit.near_copies, audit.clusters) == (0, 61)
    assert [(conflict.rows, conflict.exact) for conflict in audit.two_labels] == [([2, 61], False)]
    said = (
        "1 group of near-copies with different labels, such as rows 2, 61: `b` and `c`; they count as different texts"
    )
    assert said in lines(audit)
    assert said in findings(audit)


def test_what_copies_across_the_split_are_worth_on_its_own_test_rows(tmp_path: Path) -> None:
    base = topics(90)
    rows = gathered(tmp_path, [*base, *base[:3]])
    partition = Partition(train=tuple(range(60)), validation=tuple(range(60, 66)), test=tuple(range(66, 93)))
    across = deep_audit(rows, [partition]).leak_across
    assert across is not None
    assert (across.test_rows, across.copies) == (27, 3)
    assert across.own_accuracy is not None
    assert across.all_accuracy * 27 == pytest.approx(across.own_accuracy * 24 + 3)
    quick = audit_rows(rows, SingleSplit(), [partition])
    assert quick.across is not None
    assert quick.across.test_copy_rows == (91, 92, 93)
    clean = Partition(train=(*range(60), 90, 91, 92), validation=partition.validation, test=tuple(range(66, 90)))
    assert deep_audit(rows, [clean]).leak_across is None


def test_cut_chains_are_said(tmp_path: Path) -> None:
    generator = random.Random(7)
    words = [f"w{number}" for number in range(40)]
    rows = topics(30)
    for step in range(100):
        words[generator.randrange(40)] = f"step{step}"
        rows.append((" ".join(words), "a"))
    audit = audit_rows(gathered(tmp_path, rows), SingleSplit(), [])
    assert audit.cut_pairs > 0
    assert any("may be on two sides of a split" in line for line in lines(audit))


def test_study_leak_is_worth_twenty_points() -> None:
    if not STUDY.exists():
        pytest.skip(f"the study's data is not at {STUDY}")
    rows = gather(DataSpec(source=str(STUDY), clean="study"))
    audit = audit_rows(rows, SingleSplit(), [])
    assert (audit.exact_copies, audit.clusters) == (796, 166)
    assert audit.if_split_by_rows is not None
    assert (audit.if_split_by_rows.test_copies, audit.if_split_by_rows.test_rows) == (137, 145)
    worth = deep_audit(rows).leak_worth
    assert worth is not None
    assert worth.leaky_accuracy > 0.99
    assert worth.clean_accuracy == pytest.approx(0.79, abs=0.05)


def test_rows_that_nobody_asked_for_are_no_findings(tmp_path: Path) -> None:
    """`audit --strict` speaks of the rows that are used."""
    fewer = gathered(tmp_path, topics(90), labels=["a", "b"], limit=40)
    audit = audit_rows(fewer, SingleSplit(), [])
    assert findings(audit) == []
    assert lines(audit)[0].startswith("90 rows read, 40 used; 50 left out: 30 of labels that")
    without_a_text = gathered(tmp_path, [*topics(90), ("", "a")], labels=["a", "b"])
    (said,) = findings(audit_rows(without_a_text, SingleSplit(), []))
    assert said == "1 row left out: no text (row 91)"
