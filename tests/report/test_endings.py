"""How trainings ended stands in every format: not converged, diverged, not compared."""

import re
from pathlib import Path

import pytest
from rich.console import Console
from written_comparison import write_comparison

from showdown.core.predictions import digest
from showdown.core.record import Convergence, Results, RunRecord
from showdown.report.across.beside import lay_beside
from showdown.report.figures.gallery import figures_of
from showdown.report.formats import write_report
from showdown.report.pairs import pair_note, pair_rows
from showdown.report.pdf.content import content
from showdown.report.table import comparison_table
from showdown.report.terminal import print_table
from showdown.verdict.across import Judged
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

METHODS = {
    "tfidf": ("tfidf", "TF-IDF + SVM", 0.9),
    "full": ("full", "Full fine-tuning", 0.97),
    "lora": ("lora", "LoRA", 0.5),
}
FOOTNOTE = "‡: had not converged. It was still improving when it stopped"
Made = tuple[Results, Verdict, Path]


def ended(run: RunRecord) -> RunRecord:
    """LoRA is cut short; two of five seeds of full fine-tuning diverge."""
    if run.name == "full" and run.seed in (1, 3):
        lost = {"status": "diverged", "error": "loss was not finite", "accuracy": None, "predictions_file": None}
        return run.model_copy(update=lost)
    if run.name == "tfidf":
        return run
    end = Convergence(converged=run.name != "lora", stopped="cap", epochs=3, best_epoch=3)
    return run.model_copy(update={"convergence": end})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("ended") / "out"
    written = write_comparison(folder, methods=METHODS, seeds=range(5), rows=120)
    results = written.model_copy(update={"runs": [ended(run) for run in written.runs]})
    return results, judge(results, folder), folder


def test_the_table_marks_them_and_says_what_the_marks_mean(made: Made) -> None:
    table = comparison_table(made[0], made[1])
    assert [row[0] for row in table.rows] == [
        "TF-IDF + SVM",
        "Full fine-tuning (2 of 5 runs diverged)",
        "LoRA ‡",
    ]
    assert table.footnotes[0].startswith(FOOTNOTE)
    assert "diverged" in table.footnotes[1]
    assert table.verdict[0] == "lora had not converged: this table does not say that it is worse."
    assert any(line.startswith("2 of 5 runs of full diverged") for line in table.verdict)
    assert "full beats lora" not in " ".join(table.verdict)


def test_a_pair_has_the_mark_beside_the_name_of_what_had_not_converged(made: Made) -> None:
    rows = pair_rows(made[1])
    assert {name for row in rows for name in row[:2]} == {"tfidf", "full", "lora ‡"}
    assert FOOTNOTE in pair_note(made[1])
    for form in ("html", "paper"):
        assert "lora ‡" in write_report(form, *made).read_text(encoding="utf-8")


def test_comparisons_beside_each_other_keep_the_marks_and_their_notes(made: Made, tmp_path: Path) -> None:
    other = write_comparison(tmp_path / "other", name="other", methods=METHODS, rows=120)
    judged = {
        "short": Judged(results=made[0], verdict=made[1], folder=made[2]),
        "whole": Judged(results=other, verdict=judge(other, tmp_path / "other"), folder=tmp_path / "other"),
    }
    found = lay_beside(judged)
    assert {row[0] for row in found.rows if row[1] == "short"} >= {"LoRA ‡", "Full fine-tuning (2 of 5 runs diverged)"}
    assert any(line.startswith(FOOTNOTE) for line in found.below)
    assert not any("(short) beats lora" in line or "lora (whole) beats lora (short)" in line for line in found.verdict)


def test_where_all_went_well_nothing_is_marked(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, methods=METHODS)
    table = comparison_table(results, judge(results, tmp_path))
    assert table.footnotes == []
    assert "‡" not in " ".join(row[0] for row in table.rows)


@pytest.mark.parametrize("form", ["html", "markdown", "latex", "paper"])
def test_every_text_format_has_the_mark_its_note_and_the_rate(form: str, made: Made) -> None:
    text = write_report(form, *made).read_text(encoding="utf-8").replace("\\allowbreak{}", "")
    assert "LoRA ‡" in text
    assert FOOTNOTE in text
    assert "2 of 5 runs diverged" in text
    if form != "latex":
        assert "this table does not say that it is worse" in text


def test_the_terminal_has_them_too_and_says_what_to_take(made: Made) -> None:
    console = Console(width=200, record=True)
    print_table(made[0], made[1], console)
    text = " ".join(console.export_text().split())
    assert "LoRA ‡" in text
    assert FOOTNOTE in text
    assert "2 of 5 runs diverged" in text
    assert f"Recommendation * {made[1].recommendation.sentence}" in text


def test_the_pdf_and_its_figures_have_them_too(made: Made) -> None:
    said = content(made[0], made[1], figures := figures_of(*made))
    assert said["table"]["rows"][2]["cells"][0] == "LoRA ‡"
    assert any(line[0]["text"].startswith("‡: had not converged") for line in said["table"]["reading"])
    assert said["recommendation"][0][0]["text"] == made[1].recommendation.sentence
    captions = {figure.name: figure.caption for figure in figures}
    assert captions["scores"].endswith("Had not converged: lora.")
    assert captions["trade-off"].endswith("Had not converged: lora.")


def test_a_row_that_answered_too_few_rows_is_no_failure_and_no_score(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, methods=METHODS)
    path = tmp_path / "runs" / "lora-0.csv"
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:6]) + "\n", encoding="utf-8")
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    labels = results.runs[0].labels
    counted = [[sum((true, said) == (line[2], line[3]) for line in lines) for said in labels] for true in labels]
    few = {"predictions_rows": 5, "predictions_sha256": digest(path.read_bytes()), "confusion_matrix": counted}
    runs = [run.model_copy(update=few if run.name == "lora" else {}) for run in results.runs]
    results = results.model_copy(update={"runs": runs})
    verdict = judge(results, tmp_path)
    table = comparison_table(results, verdict)
    assert table.rows[2][:2] == ["LoRA", "not compared"]
    text = write_report("markdown", results, verdict, tmp_path).read_text(encoding="utf-8")
    assert "lora answered 5 of 60 test rows" in text
    assert "Each row's scores by label are of all test rows that it answered" in text
    captions = {figure.name: figure.caption for figure in figures_of(results, verdict, tmp_path)}
    assert "of all test rows that it answered" in captions["label-f1"]
    assert "of all test rows that it answered" in captions["confusion"]
    page = write_report("html", results, verdict, tmp_path).read_text(encoding="utf-8")
    assert re.search(r"not compared: lora answered 5 of 60 test rows", page)


def test_seeds_that_agree_are_counted(made: Made) -> None:
    (line,) = [text for text in comparison_table(made[0], made[1]).reading if "all seeds of a row answer alike" in text]
    shares = {row.name: row.seed_agreement for row in made[1].rows}
    assert all(f"{name} {100 * share:.1f} %" in line for name, share in shares.items() if share is not None)
    assert len(shares) == 3
