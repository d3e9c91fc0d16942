"""The table and the figures of confidence are those of the records, folds pooled, in every format."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pypdfium2
import pytest
from measured_confidence import with_confidences
from written_comparison import METHODS, write_comparison

from showdown.core.calibration import calibration_error
from showdown.core.record import Confidence, Results
from showdown.report.confidence import arm_confidences, confidence_table
from showdown.report.figures.coverage import coverage
from showdown.report.figures.figure import records_of
from showdown.report.figures.gallery import figures_of
from showdown.report.figures.material import Material
from showdown.report.figures.reliability import reliability
from showdown.report.formats import write_report
from showdown.verdict.summary import judge

ROWS = 300
ALL = {**METHODS, "zero-shot": ("zero-shot", "Zero-shot", 0.4)}


def written(folder: Path, **given: Any) -> Results:
    return with_confidences(folder, write_comparison(folder, methods=ALL, rows=60, **given), ROWS)


def confidences(results: Results, name: str) -> list[Confidence]:
    return [run.confidence for run in results.runs if run.name == name and run.confidence]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("confidence")
    return written(folder, seeds=(0, 7), failed={"qlora": "no room"}), folder


def test_seeds_are_averaged(drawn: tuple[Results, Path]) -> None:
    results, _ = drawn
    row = arm_confidences(results)["full"]
    runs = confidences(results, "full")
    assert len(runs) == 2
    assert row.rows == ROWS
    assert row.error == pytest.approx(fmean(one.expected_calibration_error or 0.0 for one in runs))
    assert row.error_if_calibrated == pytest.approx(
        fmean(one.expected_calibration_error_if_calibrated or 0.0 for one in runs)
    )
    assert row.brier_score == pytest.approx(fmean(one.brier_score or 0.0 for one in runs))
    points = [next(point for point in one.points if point.coverage == 0.9) for one in runs]
    found = row.at(0.9)
    assert found is not None
    assert found.answered == pytest.approx(fmean(point.answered_rows / ROWS for point in points))
    assert found.accuracy == pytest.approx(fmean(point.accuracy or 0.0 for point in points))


def test_folds_are_pooled_and_not_averaged(tmp_path: Path) -> None:
    """Two folds of one seed: their bins and counts add up; the mean of two errors would be another number."""
    results = written(tmp_path / "folds", seeds=(0, 1), protocol={"split": {"kind": "kfold", "folds": 2}})
    folds = results.model_copy(
        update={"runs": [run.model_copy(update={"seed": 0, "partition": run.seed}) for run in results.runs]}
    )
    row = arm_confidences(folds)["lora"]
    runs = confidences(results, "lora")
    assert row.rows == 2 * ROWS
    assert row.error == pytest.approx(calibration_error(row.bins))
    assert row.error != pytest.approx(fmean(one.expected_calibration_error or 0.0 for one in runs), abs=1e-4)
    points = [next(point for point in one.points if point.coverage == 0.9) for one in runs]
    answered = sum(point.answered_rows for point in points)
    found = row.at(0.9)
    assert found is not None
    assert found.answered == pytest.approx(answered / (2 * ROWS))
    assert found.accuracy == pytest.approx(
        sum(point.answered_rows * (point.accuracy or 0.0) for point in points) / answered
    )


def test_the_table_says_what_each_confidence_is(drawn: tuple[Results, Path]) -> None:
    table = confidence_table(drawn[0])
    assert table is not None
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert list(rows) == ["majority", "tfidf", "full", "lora", "zero-shot"]
    assert {name: row["Confidence"] for name, row in rows.items()} == {
        "majority": "probability",
        "tfidf": "margin",
        "full": "probability",
        "lora": "probability",
        "zero-shot": "margin",
    }
    for name in ("tfidf", "zero-shot"):
        assert [rows[name][key] for key in ("Calibration error", "Error by chance", "Brier score")] == ["-"] * 3
    for name, row in rows.items():
        assert float(row["Their accuracy %"]) > float(row["Accuracy %"]) or name == "majority"
    assert float(rows["full"]["Calibration error"]) > 2 * float(rows["full"]["Error by chance"])
    assert float(rows["lora"]["Calibration error"]) < 1.5 * float(rows["lora"]["Error by chance"])
    assert rows["majority"]["Answered %"] == "100.0"
    assert [note.partition(" ")[0] for note in table.notes] == ["Answered:", "Calibration", "Brier", "A"]


def test_results_of_before_have_no_table(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "old")
    assert confidence_table(results) is None
    material = Material(results=results, verdict=judge(results, tmp_path / "old"), folder=tmp_path / "old")
    assert reliability(material) is None
    assert coverage(material) is None


def test_the_figures_hold_what_was_measured(drawn: tuple[Results, Path]) -> None:
    results, folder = drawn
    figures = {figure.name: figure for figure in figures_of(results, judge(results, folder), folder)}
    rows = arm_confidences(results)
    diagram = figures["reliability"]
    assert len(diagram.panels) == 3, "rows with probabilities: majority, full and lora"
    for name, panel in zip(("majority", "full", "lora"), diagram.panels, strict=True):
        points = {(one["confidence"], one["right"], one["rows"]) for one in records_of(panel) if "rows" in one}
        assert points == {(one.confidence, one.accuracy, one.rows) for one in rows[name].bins}
        assert all(
            0.0 <= one["low"] <= one["confidence"] <= one["high"] <= 1.0 for one in records_of(panel) if "low" in one
        )
    lines = figures["coverage"]
    drawn_rows = {one["row"] for one in lines.records}
    assert drawn_rows == {"tfidf", "full", "lora", "zero-shot"}, "majority is as sure of every answer"
    ends = {one["row"]: one["accuracy_percent"] for one in lines.records if one["answered_percent"] == 100.0}
    assert ends == pytest.approx({name: 100 * rows[name].accuracy for name in drawn_rows})


def test_every_format_has_the_table(drawn: tuple[Results, Path]) -> None:
    results, folder = drawn
    verdict = judge(results, folder)
    table = confidence_table(results)
    assert table is not None
    shown = {form: write_report(form, results, verdict, folder) for form in ("markdown", "html", "pdf")}
    markdown = shown["markdown"].read_text(encoding="utf-8")
    assert f"| {' | '.join(table.headings)} |" in markdown
    assert all(f"| {' | '.join(row)} |" in markdown for row in table.rows)
    page = shown["html"].read_text(encoding="utf-8")
    section = page[page.index('id="confidence"') :]
    assert all(f">{cell}</t" in section for row in table.rows for cell in row)
    assert 'id="figure-reliability"' in section
    assert 'id="figure-coverage"' in section
    pages = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(shown["pdf"]))
    squeezed = "".join(pages.split())
    assert all("".join("".join(row).split()) in squeezed for row in table.rows)
