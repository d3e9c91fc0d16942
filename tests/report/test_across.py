"""Several comparisons beside each other: what differs is named, and differences are tested on equal rows alone."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown import api
from showdown.core.errors import UserError
from showdown.core.record import Results
from showdown.report.across.beside import lay_beside
from showdown.report.across.html import html
from showdown.report.across.markdown import markdown
from showdown.report.figures.across import scores_beside
from showdown.report.figures.figure import records_of
from showdown.verdict.across import Judged, judge_across
from showdown.verdict.classification.answers import load_outcomes
from showdown.verdict.pairs import compare


def judged(folder: Path, results: Results) -> Judged:
    return Judged(results=results, verdict=api.judge(folder), folder=folder)


def two(folder: Path, **second: object) -> dict[str, Judged]:
    """A comparison, and one that differs from it as said."""
    shared = {"seeds": (0, 1, 2), "rows": 120}
    first = write_comparison(folder / "a", name="first", **shared)  # type: ignore[arg-type]
    other = write_comparison(folder / "b", **{"name": "second", **shared, **second})  # type: ignore[arg-type]
    return {"first": judged(folder / "a", first), "second": judged(folder / "b", other)}


def test_what_differs_is_named_with_its_values(tmp_path: Path) -> None:
    found = judge_across(two(tmp_path, model="mistralai/x", gpu="NVIDIA H200", protocol={"epochs": 7}))
    values = {item.key: (item.kind, item.values) for item in found.differing}
    assert values["model.id"] == ("model", {"first": ["tiny/model"], "second": ["mistralai/x"]})
    assert values["gpu"] == ("hardware", {"first": ["none"], "second": ["NVIDIA H200"]})
    assert values["epochs"] == ("protocol", {"first": ["50"], "second": ["7"]})
    assert "cpu_threads" not in values
    assert "fingerprint" not in values
    same = judge_across({**two(tmp_path / "same", name="second")})
    assert {item.key for item in same.differing} == {"data.source"}


def test_an_own_setting_is_named_with_its_row(tmp_path: Path) -> None:
    pair = two(tmp_path)
    runs = [
        run.model_copy(update={"spec": run.spec.model_copy(update={"settings": {"learning_rate": 0.5}})})
        if run.name == "lora"
        else run
        for run in pair["second"].results.runs
    ]
    other = pair["second"]
    pair["second"] = Judged(
        results=other.results.model_copy(update={"runs": runs}), verdict=other.verdict, folder=other.folder
    )
    values = {item.key: item.values for item in judge_across(pair).differing}
    assert values["learning_rate of lora"] == {"first": ["0.0002"], "second": ["0.5"]}
    assert "learning_rate of qlora" not in values


def test_equal_test_rows_are_tested_in_pairs_as_in_one_comparison(tmp_path: Path) -> None:
    better = {**METHODS, "lora": ("lora", "LoRA", 1.0)}
    pair = two(tmp_path, methods=better, model="larger")
    found = judge_across(pair)
    assert found.same_test_rows
    by_row = {item.first.split()[0]: item for item in found.pairs}
    assert by_row.keys() == METHODS.keys()
    for row, item in by_row.items():
        both = [load_outcomes(side.results, side.folder)[row] for side in pair.values()]
        tested = compare(*both)
        assert tested is not None
        assert item.p_value == tested.test.p_value
        assert item.p_holm >= item.p_value
    assert by_row["lora"].different
    assert "lora (second) beats lora (first) by" in " ".join(found.sentences)
    assert "no difference between tfidf (first) and tfidf (second) was shown" in " ".join(found.sentences)


def test_verdicts_by_one_metric_are_tested_by_it_and_by_accuracy_where_they_differ(tmp_path: Path) -> None:
    better = {**METHODS, "lora": ("lora", "LoRA", 1.0)}
    pair = two(tmp_path, methods=better)
    by = {
        label: {key: replace(side, verdict=api.judge(side.folder, metric=key)) for key in ("mcc", "accuracy")}
        for label, side in pair.items()
    }
    alike = {label: sides["mcc"] for label, sides in by.items()}
    found = judge_across(alike)
    assert "Methods are ranked: first by MCC, second by MCC; the differences here are in MCC." in found.sentences
    assert all(one.score != one.accuracy for one in found.pairs)
    assert lay_beside(alike).headings[:5] == ["Method", "Comparison", "MCC", "95 % interval", "Accuracy %"]
    unlike = {"first": by["first"]["mcc"], "second": by["second"]["accuracy"]}
    found = judge_across(unlike)
    assert (
        "Methods are ranked: first by MCC, second by accuracy; the differences here are in accuracy." in found.sentences
    )
    assert all(one.score == one.accuracy for one in found.pairs)
    beside = lay_beside(unlike)
    assert beside.headings[:5] == ["Method", "Comparison", "Accuracy %", "95 % interval", "Macro F1"]
    assert all(len(row) == len(beside.headings) for row in beside.rows)


def test_other_rows_are_never_tested_against_each_other(tmp_path: Path) -> None:
    worse = {name: (method, title, 0.1) for name, (method, title, _) in METHODS.items()}
    found = judge_across(two(tmp_path, fingerprint="e" * 64, methods=worse))
    assert not found.same_test_rows
    assert found.pairs == []
    said = " ".join(found.sentences)
    assert "not tested on the same rows" in said
    assert not re.search(r"beats|was shown|better", said)


def test_an_equal_fingerprint_with_other_answers_asked_is_not_believed(tmp_path: Path) -> None:
    pair = two(tmp_path)
    for path in (tmp_path / "b" / "runs").glob("lora-*.csv"):
        with path.open(newline="") as file:
            lines = list(csv.reader(file))
        for line in lines[1:]:
            line[2] = "baker"
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    other = pair["second"]
    runs = [run.model_copy(update={"confusion_matrix": []}) for run in other.results.runs]  # of other answers
    results = other.results.model_copy(update={"runs": runs})
    pair["second"] = Judged(results=results, verdict=other.verdict, folder=other.folder)
    assert "lora (first)" not in {item.first for item in judge_across(pair).pairs}


def test_one_table_groups_the_rows_and_shows_what_failed(tmp_path: Path) -> None:
    only = {**METHODS, "dora": ("dora", "DoRA", 0.9)}
    two(tmp_path, methods=only, failed={"full": "needs 99 GB"}, model="larger")
    beside = api.beside(tmp_path / "a", tmp_path / "b")
    rows = [tuple(row[:2]) for row in beside.rows]
    assert rows[:2] == [("Majority label", "first"), ("Majority label", "second")]
    assert rows[-1] == ("DoRA", "second")
    assert [row[2] for row in beside.rows if not row[3]] == ["out-of-memory"]
    assert any("needs 99 GB" in line for line in beside.below)
    assert any("second: dora" in line for line in beside.verdict)
    single = {row[0]: row for row in beside.rows if row[1] == "first"}
    run = next(run for run in api.load(tmp_path / "a").runs if run.name == "lora")
    assert single["LoRA"][-2] == f"{run.model_size_mb:.1f}"


def test_names_fall_back_to_folders_and_a_folder_given_twice_is_refused(tmp_path: Path) -> None:
    two(tmp_path, name="first")
    assert api.beside(tmp_path / "a", tmp_path / "b").title == "a beside b"
    with pytest.raises(UserError, match="given twice"):
        api.beside(tmp_path / "a", tmp_path / "b" / ".." / "a")
    with pytest.raises(UserError, match="did you mean `html`"):
        api.write_reports(tmp_path / "a", tmp_path / "b", formats=["htlm"])


def test_it_is_written_and_hostile_text_stays_text(tmp_path: Path) -> None:
    titles = {f"row-{place}": ("lora", text, 0.9) for place, text in enumerate(HOSTILE)}
    two(tmp_path, methods={**METHODS, **titles}, labels=HOSTILE, model=HOSTILE[2], failed={"lora": HOSTILE[2]})
    page, text = api.write_reports(tmp_path / "a", tmp_path / "b", formats=["html", "markdown"], folder=tmp_path / "o")
    beside = api.beside(tmp_path / "a", tmp_path / "b")
    assert page.read_text(encoding="utf-8") == html(beside)
    assert text.read_text(encoding="utf-8") == markdown(beside)
    assert "<script" not in html(beside)
    assert "&lt;script&gt;alert(&#39;1&#39;)" in html(beside)
    assert not re.search(r"(src|href)=", html(beside))
    assert "<script>" not in markdown(beside)


def test_scores_of_all_comparisons_are_drawn_together(tmp_path: Path) -> None:
    only = {**METHODS, "dora": ("dora", "DoRA", 0.9)}
    pair = two(tmp_path, methods=only, failed={"full": "needs 99 GB"}, model="larger")
    figure = scores_beside(pair)
    assert figure is not None
    accuracy, f1_macro = map(records_of, figure.panels)
    wanted = {f"{row.name} ({label})": row for label, side in pair.items() for row in side.verdict.rows if row.accuracy}
    assert {one["row"] for one in accuracy} == {one["row"] for one in f1_macro} == set(wanted)
    assert len(accuracy) == len(f1_macro) == 5 + 5
    for one, other in zip(accuracy, f1_macro, strict=True):
        row = wanted[one["row"]]
        assert row.accuracy and row.f1_macro
        assert (one["value"], one["low"]) == pytest.approx((100 * row.accuracy.value, 100 * row.accuracy.low))
        assert (other["value"], other["high"]) == (row.f1_macro.value, row.f1_macro.high)
    assert [one["row"] for one in accuracy[:3]] == ["majority (first)", "majority (second)", "tfidf (first)"]
    markup = html(api.beside(tmp_path / "a", tmp_path / "b"))
    assert markup.count('role="img"') == 1
    assert not re.search(r'(fill|stroke)="#', markup), "every colour follows the theme"
    assert "--series-orange:" in markup
    nothing = two(tmp_path / "failed", failed=dict.fromkeys(METHODS, "no"))
    failed = {"second": nothing["second"]}
    assert scores_beside(failed) is None


def test_a_comparison_that_yielded_nothing_differs_in_nothing_that_ran(tmp_path: Path) -> None:
    found = judge_across(two(tmp_path, failed=dict.fromkeys(METHODS, "no")))
    assert not {"seeds", "partitions", "gpu"} & {item.key for item in found.differing}
    assert found.pairs == []
