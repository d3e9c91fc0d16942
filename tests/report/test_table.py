"""Which cells of the table are marked best, and how cells, settings and facts are shown."""

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from sklearn.metrics import matthews_corrcoef, recall_score
from written_comparison import METHODS, write_comparison

from showdown.report import columns as columns_module
from showdown.report.above import one_row
from showdown.report.columns import Column, columns_of
from showdown.report.facts import data_facts, environment_facts
from showdown.report.notes import reading, settings
from showdown.report.table import Table, comparison_table
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

CLASSIFICATION = columns_of("classification")


def test_best_of_each_column_leaves_out_the_floor_and_failed_rows(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, failed={"qlora": "needs 99 GB"})
    table = comparison_table(results, judge(results, tmp_path))
    names = list(METHODS)
    marked = {(names[row], table.headings[column]) for row, column in table.best}
    scores = {run.name: run.accuracy for run in results.runs if run.accuracy is not None}
    leader = max(scores, key=lambda name: scores[name])
    assert (leader, "Accuracy %") in marked
    # Costs rise with the place in the table: the cheapest that does anything is TF-IDF, not the majority label.
    assert {heading for name, heading in marked if name == "tfidf"} >= {"Train s", "Memory GB", "Saved MB"}
    assert not [name for name, _ in marked if name in ("majority", "qlora")]


def test_cells_that_show_the_same_share_the_mark_and_none_is_marked_where_all_do(tmp_path: Path) -> None:
    twins = {"lora": ("lora", "LoRA", 1.0), "again": ("lora", "LoRA", 1.0), "tfidf": ("tfidf", "TF-IDF + SVM", 0.5)}
    results = write_comparison(tmp_path / "some", methods=twins)
    table = comparison_table(results, judge(results, tmp_path / "some"))
    assert {(row, column) for row, column in table.best if column == 1} == {(0, 1), (1, 1)}
    alike = {name: twins[name] for name in ("lora", "again")}
    results = write_comparison(tmp_path / "all", methods=alike)
    assert not [at for at in comparison_table(results, judge(results, tmp_path / "all")).best if at[1] == 1]


def test_rows_that_cannot_be_told_from_the_highest(tmp_path: Path) -> None:
    results = write_comparison(tmp_path)
    verdict = judge(results, tmp_path)
    table = comparison_table(results, verdict)
    near = {list(METHODS)[row] for row in table.near}
    leader = max(verdict.rows, key=lambda row: row.accuracy.value if row.accuracy else 0.0).name
    pairs = {frozenset((pair.first, pair.second)): pair.different for pair in verdict.pairs}
    assert near == {name for name in METHODS if name != leader and not pairs[frozenset((leader, name))]}
    assert "majority" not in near


@pytest.mark.parametrize(("value", "shown"), [(0.04, "0.0"), (90.94, "90.9"), (999.94, "999.9"), (14221.6, "14222")])
def test_large_times_and_sizes_have_no_needless_digits(value: float, shown: str) -> None:
    assert {
        column.show(value) for column in CLASSIFICATION.columns if column.heading.split()[-1] in ("s", "MB", "ms")
    } == {shown}


def test_lists_among_the_settings_are_words(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out")
    targets = {"learning_rate": 2e-4, "targets": ["q_proj", "v_proj"]}
    runs = [
        run.model_copy(update={"spec": run.spec.model_copy(update={"settings": targets})})
        if run.name == "lora"
        else run
        for run in results.runs
    ]
    (line,) = [line for line in settings(results.model_copy(update={"runs": runs})) if " lora:" in line]
    assert line == "Settings of lora: learning_rate 0.0002, targets q_proj and v_proj."


def test_facts_of_the_machine_have_their_units(tmp_path: Path) -> None:
    facts = dict(environment_facts(write_comparison(tmp_path / "out", gpu="NVIDIA H200")))
    assert facts["memory, GB"] == "8.0"
    assert facts["GPU memory, GB"] == "80.0"
    assert facts["threads"] == "2"
    assert not [name for name in facts if "_" in name]


def test_it_is_said_which_latency_the_verdict_takes(tmp_path: Path) -> None:
    (line,) = [line for line in reading(write_comparison(tmp_path / "out"), CLASSIFICATION) if "Latency" in line]
    assert line.endswith("Latency: one text, median; the verdict, the limits and the figures use its 95th percentile.")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (64, "one row is 1.6 points, so small differences here are noise."),
        (1000, "one row is 0.1 points, so small differences here are noise."),
        (3080, "one row is 0.03 points."),
        (200_000, "one row is 0.0005 points."),
    ],
)
def test_what_one_row_is_worth_is_never_nothing(rows: int, said: str) -> None:
    assert one_row(rows) == said


def test_the_source_of_given_files_is_in_words(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out")
    files = {"train": "a.csv", "validation": None, "test": "b.csv"}
    of_files = results.model_copy(update={"comparison": {"data": {"source": "resumes", "files": files}}})
    assert dict(data_facts(of_files))["source"] == "a.csv (train), b.csv (test)"
    assert dict(data_facts(results))["source"] == "small.csv"


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_best_of_a_new_column_is_bold_by_its_direction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: Literal["higher", "lower"]
) -> None:
    """Rows a second fall with the place in the table: the fastest is the first, the slowest the last."""
    column = Column(heading="Rows/s", direction=direction, value=lambda run: run.rows_per_second, show=str)
    wider = replace(CLASSIFICATION, columns=(*CLASSIFICATION.columns, column))
    monkeypatch.setattr(columns_module, "TABLES", {"classification": wider})
    results = write_comparison(tmp_path)
    table = comparison_table(results, judge(results, tmp_path))
    place = table.headings.index("Rows/s")
    names = [name for name in METHODS if name != "majority"]
    (marked,) = (row for row, at in table.best if at == place)
    assert list(METHODS)[marked] == (names[0] if direction == "higher" else names[-1])
    assert (place in table.descending) == (direction == "higher")


def test_every_arm_has_its_mcc_and_the_best_is_bold(tmp_path: Path) -> None:
    results = write_comparison(tmp_path, rows=120)
    assert not any(run.scores for run in results.runs), "an older version wrote them"
    verdict = judge(results, tmp_path)
    column_is_of(matthews_corrcoef, "MCC", comparison_table(results, verdict), verdict, tmp_path)


def test_a_metric_gets_a_column_by_its_key_and_its_best_row_is_bold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = (*CLASSIFICATION.scores(()), "recall_weighted")
    monkeypatch.setattr(columns_module, "TABLES", {"classification": replace(CLASSIFICATION, scores=lambda _: scores)})
    results = write_comparison(tmp_path, rows=120)
    verdict = judge(results, tmp_path)
    recalls = partial(recall_score, average="weighted", zero_division=0)
    column_is_of(recalls, "Weighted recall", comparison_table(results, verdict), verdict, tmp_path)


def column_is_of(
    score: Callable[[list[str], list[str]], float], heading: str, table: Table, verdict: Verdict, folder: Path
) -> None:
    """Check a column against the answers of each arm, and that its best cell alone is bold."""
    place = table.headings.index(heading)
    scores = {row.name: score(*answers_of(folder, row.name)) for row in verdict.rows}
    assert [cells[place] for cells in table.rows] == [f"{value:.3f}" for value in scores.values()]
    (marked,) = (row for row, at in table.best if at == place)
    assert list(scores)[marked] == max(scores, key=lambda name: scores[name])
    assert place in table.descending


def answers_of(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """Return the true and the predicted labels of an arm with one seed."""
    with (folder / "runs" / f"{name}-0.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return [line["label"] for line in lines], [line["predicted"] for line in lines]
