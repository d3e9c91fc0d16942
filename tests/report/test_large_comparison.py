"""Many labels and many methods: reports stay small, show what matters most, and say what they leave out."""

import re
from pathlib import Path
from statistics import fmean

import pypdfium2
import pytest
from written_comparison import write_comparison

from showdown.core.record import Results, RunRecord
from showdown.report.figures.confusion import MOST_CONFUSIONS
from showdown.report.figures.figure import records_of
from showdown.report.figures.gallery import figures_of
from showdown.report.figures.points import MOST_NAMED
from showdown.report.formats import write_report
from showdown.report.label_table import FREQUENT, MOST_ROWS, WORST, label_table
from showdown.report.latex.paper import paper
from showdown.report.markdown import markdown
from showdown.report.notes import settings
from showdown.report.page.write import page
from showdown.report.pair_table import shown_pairs
from showdown.report.pool import label_scores
from showdown.verdict.classification.macro_f1 import f1_jackknife
from showdown.verdict.decisions import MOST_CELLS, decisions, fit_on_page
from showdown.verdict.model import Verdict
from showdown.verdict.summary import candidates, judge

LABELS = [f"class {place:03d} of a catalogue with a sentence for a name, ".ljust(120, ".") for place in range(300)]
ARMS = {f"arm-{place:02d}": ("lora", f"LoRA {place:02d}", 0.5 + place / 40) for place in range(14)}
MOST_BYTES = 5_000_000
Made = tuple[Results, Verdict, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("large") / "out"
    results = write_comparison(folder, labels=LABELS, methods=ARMS, rows=600)
    return results, judge(results, folder), folder


@pytest.fixture(scope="module")
def markup(made: Made) -> str:
    return page(*made)


def runs_of(results: Results) -> dict[str, list[RunRecord]]:
    return {run.name: [run] for run in results.runs}


@pytest.mark.parametrize("form", ["markdown", "latex", "csv", "parquet"])
def test_every_file_is_small(made: Made, form: str) -> None:
    results, verdict, folder = made
    assert 0 < write_report(form, results, verdict, folder).stat().st_size < MOST_BYTES


def test_markdown_shows_some_labels_and_pairs_and_says_so(made: Made) -> None:
    results, verdict, _ = made
    text = markdown(results, verdict)
    shown = re.findall(r"^\| (class \d{3}) of a catalogue", text, flags=re.MULTILINE)
    assert WORST <= len(shown) == len(set(shown)) <= WORST + FREQUENT
    assert f"Shown are {len(shown)} of 300 labels" in text
    pairs = re.findall(r"^\| (arm-\d\d) \| (arm-\d\d) \|", text, flags=re.MULTILINE)
    assert 13 <= len(pairs) < len(verdict.pairs) == 91
    assert f"Shown are {len(pairs)} of 91 pairs" in text
    assert "p is adjusted over 91 pairs" in text, "what is not shown was tested all the same"


def test_the_worst_and_the_most_frequent_labels_are_shown(made: Made) -> None:
    found = label_table(runs_of(made[0]))
    assert found is not None
    every = label_scores(runs_of(made[0]))
    mean = {one.label: fmean(one.f1.values()) for one in every}
    shown = [one.label for one in found.labels]
    assert [mean[label] for label in shown] == sorted(mean[label] for label in shown)
    assert mean[shown[WORST - 1]] <= min(mean[label] for label in LABELS if label not in shown)


def test_a_label_with_most_rows_is_shown_however_easy(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out", labels=LABELS, methods={"lora": ("lora", "LoRA", 1.0)}, rows=601)
    found = label_table(runs_of(results))
    assert found is not None
    assert {one.rows for one in label_scores(runs_of(results))} == {2, 3}, "one label has a row more than the others"
    assert 3 in {one.rows for one in found.labels}


def test_of_many_methods_those_with_the_highest_accuracy_are_beside_each_other(tmp_path: Path) -> None:
    arms = {f"arm-{place:02d}": ("lora", f"LoRA {place:02d}", 0.3 + place / 50) for place in range(MOST_ROWS + 5)}
    results = write_comparison(tmp_path / "out", labels=("a", "b", "c"), methods=arms, rows=300)
    found = label_table(runs_of(results))
    assert found is not None
    accuracy = {run.name: run.accuracy or 0.0 for run in results.runs}
    assert set(found.names) == set(sorted(accuracy, key=lambda name: -accuracy[name])[:MOST_ROWS])
    assert len(found.labels) == 3
    assert found.left_out.startswith(f"Shown are {MOST_ROWS} of {MOST_ROWS + 5} methods")


def test_small_comparisons_are_shown_whole(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out")
    verdict = judge(results, tmp_path / "out")
    assert (shown_pairs(verdict).pairs, shown_pairs(verdict).left_out) == (verdict.pairs, "")
    found = label_table(runs_of(results))
    assert found is not None
    assert ([one.label for one in found.labels], found.left_out) == (results.runs[0].labels, "")
    assert found.names == [run.name for run in results.runs]


def test_pairs_of_the_leader_and_of_the_recommended_row_are_shown(made: Made) -> None:
    verdict = made[1]
    found = shown_pairs(verdict)
    leader = max(verdict.rows, key=lambda row: row.score.value if row.score else 0.0).name
    names = {leader, verdict.recommendation.chosen}
    assert found.pairs == [pair for pair in verdict.pairs if {pair.first, pair.second} & names]
    assert all(name in found.left_out for name in names if name)


def test_the_page_is_small_and_shows_top_confusions_and_some_labels(markup: str) -> None:
    assert len(markup.encode("utf-8")) < MOST_BYTES
    assert f"The {MOST_CONFUSIONS} most frequent confusions of each row, of 300 labels." in markup
    assert "Confusion matrices" not in markup
    assert "Shown are" in markup[markup.index("F1 by label as a table") :][:100]


def test_the_page_groups_answers_of_many_methods(markup: str) -> None:
    rows = re.findall(r'<article class="disagreement">.*?</article>', markup, flags=re.DOTALL)
    assert rows
    for row in rows:
        counts = [int(number) for number in re.findall(r"</bdi> \((\d+): ", row)]
        wrong = [int(number) for number in re.findall(r'<li class="wrong">.*?</bdi> \((\d+): ', row)]
        rest = re.search(r"and (\d+) more wrong answers", row)
        assert wrong == sorted(wrong, reverse=True)
        assert len(counts) <= 6
        assert sum(counts) == len(ARMS) or rest, "what is not shown is counted"


def test_the_paper_says_which_pairs_it_has(made: Made) -> None:
    results, verdict, _ = made
    text = paper(results, verdict, [])
    found = shown_pairs(verdict)
    assert f"Shown are {len(found.pairs)} of 91 pairs" in text
    assert "all 91 pairs" in text
    assert r"\section{Pairs}" in text
    assert text.count(r"& not shown \\") + text.count(r"& differ \\") == len(found.pairs)


@pytest.mark.long
def test_the_pdf_is_small_and_holds_the_top_confusions(made: Made) -> None:
    results, verdict, folder = made
    path = write_report("pdf", results, verdict, folder)
    assert path.stat().st_size < MOST_BYTES
    text = " ".join(sheet.get_textpage().get_text_range() for sheet in pypdfium2.PdfDocument(path))
    assert "Most frequent confusions" in " ".join(text.split())


def mixed(verdict: Verdict) -> Verdict:
    """Repeat the rows with costs in different orders, so that limits can leave over very many sets of rows."""
    rows = [
        row.model_copy(
            update={
                "name": f"{row.name}-{turn}",
                "memory_gb": 1.0 + 5 * place % 42,
                "latency_ms": 1.0 + 11 * place % 42,
            }
        )
        for turn in range(3)
        for place, row in enumerate(verdict.rows, start=14 * turn)
    ]
    return verdict.model_copy(update={"rows": rows})


def test_a_page_holds_no_choices_without_end(made: Made) -> None:
    rows = mixed(made[1]).rows
    assert not fit_on_page(candidates(rows, ()))
    assert fit_on_page(candidates(rows[:7], ()))
    few = decisions({1.0: candidates(rows[:7], ())}, margin=1.0)
    assert 7 < len(few.at_margin[0].choices) < MOST_CELLS


@pytest.mark.long
def test_a_page_without_the_choices_names_the_command(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.verdict.decisions.MOST_CELLS", 10)
    markup = page(*made)
    assert '<section id="limits"' in markup
    assert 'href="#limits"' in markup
    assert 'id="decisions"' not in markup
    assert "With 14 methods there are too many choices for a page to hold" in markup


def test_many_rows_with_equal_settings_share_a_line(made: Made, tmp_path: Path) -> None:
    (line,) = [line for line in settings(made[0]) if line.startswith("Settings of ")]
    assert re.findall(r"arm-\d\d", line) == list(ARMS)
    few = write_comparison(tmp_path / "out", methods={name: ARMS[name] for name in list(ARMS)[:7]})
    assert len(settings(few)) == 7


def test_of_many_points_those_that_no_other_beats_have_names(tmp_path: Path) -> None:
    arms = {f"arm-{place:02d}": ("lora", f"LoRA {place:02d}", 0.2 + 0.7 * (7 * place % 25) / 25) for place in range(25)}
    results = write_comparison(tmp_path / "out", methods=arms, rows=300)
    verdict = judge(results, tmp_path / "out")
    figures = {figure.name: figure for figure in figures_of(results, verdict, tmp_path / "out")}
    assert len(arms) > MOST_NAMED
    for name in ("trade-off", "pareto"):
        assert "Of the 25 rows those that no other beats" in figures[name].caption
        for panel in figures[name].panels:
            points = {one["row"]: one for one in records_of(panel) if "row" in one}
            (key,) = {"memory_gb", "train_seconds", "cost", "model_size_mb", "latency_ms"} & set(points["arm-00"])
            assert set(points) == set(arms), "all are drawn"
            for row, one in points.items():
                beaten = any(
                    other[key] <= one[key]
                    and other["score"] >= one["score"]
                    and (other[key], other["score"]) != (one[key], one["score"])
                    for other in points.values()
                )
                assert one["called"] == ("" if beaten else row)
                assert not (beaten and one["far"]), "no line leads to a name that is not there"


def test_what_is_computed_of_a_row_is_computed_once_for_all_its_pairs(made: Made) -> None:
    results, verdict, folder = made
    f1_jackknife.cache_clear()
    assert judge(results, folder) == verdict
    assert f1_jackknife.cache_info().misses == len(ARMS) < len(verdict.pairs)
