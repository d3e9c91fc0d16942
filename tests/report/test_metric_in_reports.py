"""A verdict by another metric than accuracy, in every format: its column comes first, and the marks follow it."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from written_comparison import HOSTILE, write_comparison

from showdown.core.metric import metric_named
from showdown.report.columns import columns_of
from showdown.report.figures.gallery import figures_of
from showdown.report.latex.paper import paper
from showdown.report.latex.table import latex_table
from showdown.report.markdown import markdown
from showdown.report.page.write import page
from showdown.report.pairs import headings
from showdown.report.pdf.content import content
from showdown.report.table import comparison_table
from showdown.report.terminal import fitting
from showdown.verdict.summary import judge

KEYS = {
    "accuracy": ["Accuracy %", "95 % interval", "Macro F1", "MCC"],
    "f1_macro": ["Macro F1", "95 % interval", "Accuracy %", "MCC"],
    "mcc": ["MCC", "95 % interval", "Accuracy %", "Macro F1"],
    "balanced_accuracy": ["Balanced accuracy %", "95 % interval", "Accuracy %", "Macro F1", "MCC"],
    "f1:pilot": ["F1 of pilot", "95 % interval", "Accuracy %", "Macro F1", "MCC"],
    "average_precision:pilot": ["Average precision of pilot", "95 % interval", "Accuracy %", "Macro F1", "MCC"],
}


@pytest.mark.parametrize("metric", KEYS)
def test_the_metric_has_the_first_column_and_the_marks_follow_it(tmp_path: Path, metric: str) -> None:
    results = write_comparison(tmp_path, failed={"qlora": "no memory"}, rows=200)
    verdict = judge(results, tmp_path, metric=metric)
    table = comparison_table(results, verdict)
    assert table.headings[: len(KEYS[metric]) + 1] == ["Method", *KEYS[metric]]
    assert all(
        len(row) == len(table.headings) == 1 + len(KEYS[metric]) + len(columns_of("classification").columns)
        for row in table.rows
    )
    scores = {place: row.score.value for place, row in enumerate(verdict.rows) if row.score}
    best = max(scores, key=lambda place: scores[place])
    assert (best, 1) in table.best
    for place, value in scores.items():
        shown = float(table.rows[place][1])
        assert shown == pytest.approx(100 * value if table.headings[1].endswith("%") else value, abs=0.06)
    name = verdict.rows[best].name
    undecided = {
        pair.first if pair.second == name else pair.second
        for pair in verdict.pairs
        if name in {pair.first, pair.second} and not pair.different
    }
    assert {verdict.rows[place].name for place in table.near} == undecided
    assert f"no difference from the highest {metric_named(metric).title} was" in table.marks[0]


@pytest.mark.parametrize("metric", ["f1_macro", "mcc", "average_precision:pilot"])
def test_every_format_goes_by_the_metric(tmp_path: Path, metric: str) -> None:
    results = write_comparison(tmp_path, seeds=(0, 1), rows=120)
    verdict = judge(results, tmp_path, metric=metric)
    title = KEYS[metric][0]
    assert headings(verdict)[2] == f"{title}, points"
    assert headings(verdict)[9] == "Accuracy, points"
    text = markdown(results, verdict)
    assert f"| Method | {title.replace('_', ' ')} |" in text
    assert f"{title} is tested" in text
    found = page(results, verdict, tmp_path)
    assert found.count('data-first="descending"') == len(KEYS[metric])
    assert f'"command": "showdown recommend OUT --metric {metric}"' in found
    assert f"{title} is tested" in found
    assert content(results, verdict, [])["table"]["headings"][1] == title
    written = latex_table(comparison_table(results, verdict), caption="x")
    assert all(part in written for part in title.rsplit(" ", 1)), "a heading stands on two lines"
    drawn = {figure.name: figure for figure in figures_of(results, verdict, tmp_path)}
    assert drawn["trade-off"].title == f"{title} against memory, time and cost"
    assert drawn["pareto"].alt.startswith(title)
    assert title.lower() in drawn["scores"].title.lower()
    written = paper(results, verdict, list(drawn.values()))
    assert f"the difference in {metric_named(metric).title} against" in written
    assert "McNemar" not in written.partition("bibliography")[0]


@pytest.mark.parametrize("metric", ["f1_macro", "mcc"])
def test_a_narrow_terminal_keeps_the_metric(tmp_path: Path, metric: str) -> None:
    results = write_comparison(tmp_path, rows=120)
    table = comparison_table(results, judge(results, tmp_path, metric=metric))
    console = Console(width=32, force_terminal=True, color_system=None, file=io.StringIO())
    assert fitting(table.headings, table.rows, console, leaving=table.leaving_order) == [0, 1]


@pytest.mark.parametrize("label", [HOSTILE[0], HOSTILE[2]])
def test_a_hostile_label_in_the_name_of_a_metric_is_text(tmp_path: Path, label: str) -> None:
    labels = (label, "b", "c")
    results = write_comparison(tmp_path, labels=labels, rows=90)
    verdict = judge(results, tmp_path, metric=f"f1:{label}")
    assert "<script>alert" not in page(results, verdict, tmp_path)
    assert r"\input{/etc" not in paper(results, verdict, [])
    assert "<script>" not in markdown(results, verdict)
