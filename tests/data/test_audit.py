"""Findings that were planted are found; clean data has none; no text leaves the data."""

import csv
import random
from pathlib import Path

import pytest

from showdown.core.spec import DataSpec, SingleSplit
from showdown.data.audit import audit_rows, findings, lines
from showdown.data.inspection import deep_audit, deep_findings, deep_lines
from showdown.data.listing import write_listing
from showdown.data.rows import Rows, gather
from showdown.data.split import Partition

STUDY = Path(__file__).parents[3] / "shared" / "data" / "resumes.csv"


def gathered(folder: Path, rows: list[tuple[str, str]]) -> Rows:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return gather(DataSpec(source=str(folder / "rows.csv")))


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
        "No likely label error",
        "No row has fewer than 3 words",
        "No label has fewer than 5 different texts",
    ):
        assert said.count(line) == 1
    rows = gathered(tmp_path, [*topics(90), (topics(90)[0][0], "b"), ("two words", "z")])
    said = [*lines(audit_rows(rows, SingleSplit(), [])), *deep_lines(deep_audit(rows))]
    assert not any(line.startswith(("No text has", "No row", "No label")) for line in said)


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


def test_label_errors_are_found(tmp_path: Path) -> None:
    planted = topics(150)
    wrong = {5: "a", 40: "c", 77: "b", 100: "c"}
    planted = [(text, wrong.get(index, label)) for index, (text, label) in enumerate(planted)]
    pytest.importorskip("cleanlab", reason="the extra package `cleanlab` is not installed")
    found = deep_audit(gathered(tmp_path, planted)).label_errors
    assert len(found) >= 3  # confident learning estimates how many there are, and may fall one short
    assert {error.row - 1 for error in found} <= set(wrong)
    assert all(error.likely == topics(150)[error.row - 1][1] for error in found)


def test_weak_witness_accuses_nobody(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab", reason="the extra package `cleanlab` is not installed")
    generator = random.Random(1)
    texts = [" ".join(f"w{generator.randrange(500)}" for _ in range(20)) for _ in range(90)]
    deep = deep_audit(gathered(tmp_path, [(text, "abc"[index % 3]) for index, text in enumerate(texts)]))
    assert deep.label_errors == []
    assert "label errors not looked for" in deep.notices[0]


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
        ("62", "near-copy"),
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
