"""Reports of written answers: columns, marks, words, figures and formats go by the task and the metric."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML
from written_comparison import HOSTILE, write_comparison

from generation_results import ARMS, Wanted, made_rows, write_generation
from processed_prompts import write_processed
from showdown import api
from showdown.core.errors import UserError
from showdown.core.files import write_json
from showdown.core.record import Elsewhere, OwnScore, Results
from showdown.core.spec import Comparison, SharedProtocol
from showdown.report.above import one_row
from showdown.report.across.html import html as across_html
from showdown.report.across.markdown import markdown as across_markdown
from showdown.report.columns import columns_of
from showdown.report.facts import comparison_yaml, protocol_facts
from showdown.report.figures.figure import Figure
from showdown.report.figures.gallery import figures_of
from showdown.report.latex.paper import paper
from showdown.report.latex.table import latex_table
from showdown.report.learning_curve import learning_curve
from showdown.report.markdown import markdown
from showdown.report.page.write import page
from showdown.report.pairs import headings, pair_note, pair_rows
from showdown.report.pdf.content import content
from showdown.report.records.flat import flat_columns
from showdown.report.samples import samples
from showdown.report.table import Table, comparison_table
from showdown.report.terminal import fitting, print_table
from showdown.report.writing_table import writing_table
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

COSTS = ["General loss nats", "KL from base nats", "Train s", "Total s", "Memory GB", "Trained params", "Saved MB"]
SPEEDS = ["First token ms", "Tokens/s"]
SCORES: dict[Wanted, list[str]] = {
    "json": ["JSON field F1", "95 % interval", "Exact match %", "Valid JSON %", "Perplexity"],
    "number": ["Numeric match %", "95 % interval", "Exact match %", "Perplexity"],
    "short": ["Exact match %", "95 % interval", "ROUGE-L", "chrF", "Perplexity"],
    "long": ["ROUGE-L", "95 % interval", "chrF", "Perplexity"],
}


def judged(folder: Path, *, metric: str | None = None, **given: Any) -> tuple[Results, Verdict]:
    results = write_generation(folder, **given)
    return results, judge(results, folder, metric=metric)


def yaml_of(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def table_of(folder: Path, **given: Any) -> Table:
    return comparison_table(*judged(folder, **given))


@pytest.mark.parametrize("wanted", SCORES)
def test_the_columns_fit_the_answers(tmp_path: Path, wanted: Wanted) -> None:
    table = table_of(tmp_path / "out", wanted=wanted)
    assert table.headings == ["Method", *SCORES[wanted], *COSTS, *SPEEDS]
    assert all(len(row) == len(table.headings) for row in table.rows)


def with_corpus_scores(results: Results) -> Results:
    scores = {"corpus_chrf": 0.5, "corpus_chrf_low": 0.4, "corpus_chrf_high": 0.6}
    runs = [
        run.model_copy(update={"writing": run.writing.model_copy(update=scores)}) if run.writing else run
        for run in results.runs
    ]
    return results.model_copy(update={"runs": runs})


def test_corpus_chrf_stands_beneath_a_table_with_chrf_and_nowhere_else(tmp_path: Path) -> None:
    def lines(name: str, **given: Any) -> list[str]:
        results, verdict = judged(tmp_path / name, **given)
        assert not [line for line in comparison_table(results, verdict).reading if "Corpus" in line], "older records"
        return [line for line in comparison_table(with_corpus_scores(results), verdict).reading if "Corpus" in line]

    (one,) = lines("one", wanted="long", seeds=(0,))
    assert one.endswith("over duplicate groups: " + ", ".join(f"{arm} 0.500 (0.400 to 0.600)" for arm in ARMS) + ".")
    (several,) = lines("several", wanted="long")
    assert several.endswith("without an interval: " + ", ".join(f"{arm} 0.500" for arm in ARMS) + ".")
    assert not lines("json", wanted="json")
    assert lines("chosen", wanted="json", metric="chrf")


def test_the_scores_and_what_was_lost_elsewhere_are_those_of_the_records(tmp_path: Path) -> None:
    results, verdict = judged(tmp_path / "out")
    table = comparison_table(results, verdict)
    for row, cells in zip(verdict.rows, table.rows, strict=True):
        runs = [run for run in results.runs if run.name == row.name]
        found = dict(zip(table.headings, cells, strict=True))
        exact = sum(run.scores["exact_match"] for run in runs) / len(runs)
        assert found["Exact match %"] == f"{100 * exact:.1f}"
        rises = [run.elsewhere.general_loss_rise for run in runs if run.elsewhere]
        assert found["General loss nats"] == (f"{sum(rises) / len(rises):+.2f}" if rises else "-")
        tokens = [run.writing.tokens_per_second for run in runs if run.writing and run.writing.tokens_per_second]
        assert found["Tokens/s"] == (f"{sum(tokens) / len(tokens):.1f}" if tokens else "-")
    assert dict(zip(table.headings, table.rows[0], strict=True))["Perplexity"] == "-", "a floor has no probabilities"


def marked(table: Table, heading: str) -> list[str]:
    place = table.headings.index(heading)
    return [table.rows[row][0] for row, column in sorted(table.best) if column == place]


def test_less_is_better_of_losses_and_divergences(tmp_path: Path) -> None:
    results, verdict = judged(tmp_path / "out", metric="token_loss")
    table = comparison_table(results, verdict)
    scores = {row.name: row.score.value for row in verdict.rows if row.score}
    best = min(scores, key=lambda name: scores[name])
    titles = {row.name: row.title for row in verdict.rows}
    assert table.headings[1] == "Token loss nats"
    assert marked(table, "Token loss nats") == [titles[best]]
    assert "no difference from the lowest token loss was shown" in table.marks[0]
    assert marked(table, "General loss nats") == ["QLoRA"]
    assert marked(table, "KL from base nats") == ["QLoRA"]
    assert marked(table, "Tokens/s") == ["Zero-shot"]
    falling = {table.headings[place] for place in table.descending}
    assert falling >= {"95 % interval", "JSON field F1", "Exact match %", "Tokens/s"}
    assert not falling & {"Token loss nats", "Perplexity", "General loss nats", "KL from base nats", "First token ms"}
    names = [row.name for row in verdict.rows]
    near = {names[place] for place in table.near}
    shown = {
        other for pair in verdict.pairs if best in (pair.first, pair.second) and pair.different
        for other in (pair.first, pair.second)
    }  # fmt: skip
    assert near == set(scores) - shown - {best}


def test_a_loss_that_fell_is_better_than_none_and_never_minus_zero(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_generation(folder)
    falls = {"full": -0.3, "lora": -0.001}
    runs = []
    for run in results.runs:
        fall = falls.get(run.name)
        if fall is not None:
            lost = Elsewhere(
                general_loss_before=3.0, general_loss_after=3.0 + fall, general_tokens=9, prompt_kl=0.1, prompt_tokens=9
            )
            runs.append(run.model_copy(update={"elsewhere": lost}))
        else:
            runs.append(run)
    changed = results.model_copy(update={"runs": runs})
    table = comparison_table(changed, judge(changed, folder))
    cells = {row[0]: row[table.headings.index("General loss nats")] for row in table.rows}
    assert (cells["Full fine-tuning"], cells["LoRA"]) == ("-0.30", "+0.00")
    assert marked(table, "General loss nats") == ["Full fine-tuning"]


def test_the_users_own_score_has_its_title(tmp_path: Path) -> None:
    own = {"own": lambda right, text: float(right == text), "own_score": OwnScore(title="politeness")}
    results, verdict = judged(tmp_path / "out", comparison={"protocol": {"scorer": "x.py:polite"}}, **own)
    assert "Politeness" in comparison_table(results, verdict).headings
    asked = judge(results, tmp_path / "out", metric="own")
    assert comparison_table(results, asked).headings[1] == "Politeness"
    assert headings(asked)[2] == "Politeness"


def test_a_narrow_terminal_keeps_the_score_and_what_was_lost_elsewhere_longest(tmp_path: Path) -> None:
    table = table_of(tmp_path / "out")
    widths = range(190, 30, -5)
    consoles = [Console(file=io.StringIO(), force_terminal=True, width=width) for width in widths]
    kept = [
        [table.headings[place] for place in fitting(table.headings, table.rows, one, leaving=table.leaving_order)]
        for one in consoles
    ]
    lost = list(dict.fromkeys(heading for some in kept for heading in table.headings if heading not in some))
    assert kept[0] == table.headings
    assert set(lost[-4:]) == {"Valid JSON %", "Exact match %", "95 % interval", "General loss nats"}
    assert table.leaving_order[-4:] == ["Valid JSON %", "Exact match %", "95 % interval", "General loss nats"]
    assert kept[-1] == ["Method", "JSON field F1"]
    assert sorted(table.leaving_order) == sorted(set(table.leaving_order))


def test_the_terminal_says_what_the_report_says(tmp_path: Path) -> None:
    results, verdict = judged(tmp_path / "out", fractions=(0.5, 1.0))
    console = Console(file=io.StringIO(), width=250)
    print_table(results, verdict, console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "JSON field F1 by training rows" in told
    assert "accuracy" not in told.casefold()
    assert "label" not in told.casefold()
    assert "KL from base: how far" in told


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("exact_match", "one row is at most 1.7 points of exact match, so small differences here are noise."),
        ("rouge_l", "one row is at most 0.017 of ROUGE-L, so small differences here are noise."),
        ("token_loss", None),
    ],
)
def test_what_one_row_is_worth(tmp_path: Path, metric: str, said: str | None) -> None:
    results, verdict = judged(tmp_path / "out", wanted="short", metric=metric)
    assert one_row(60, verdict.ranking_metric) == said
    assert comparison_table(results, verdict).above == [
        "1 split, 2 seeds, 60 test rows" + (f": {said}" if said else ".")
    ]


@pytest.mark.parametrize(
    ("metric", "unit"), [("json_fields", ""), ("exact_match", ", points"), ("token_loss", " nats")]
)
def test_pairs_are_given_in_the_units_of_the_metric(tmp_path: Path, metric: str, unit: str) -> None:
    _, verdict = judged(tmp_path / "out", metric=metric)
    named, rows = headings(verdict), pair_rows(verdict)
    assert named[2].endswith(unit)
    assert named[6:8] == ["First better, rows", "Second better, rows"]
    assert not [heading for heading in named if "McNemar" in heading or "F1, points" in heading]
    assert all(len(row) == len(named) for row in rows)
    value = verdict.pairs[0].score.value
    assert rows[0][2] == (f"{100 * value:+.1f}" if unit == ", points" else f"{value:+.3f}")
    assert ("second less the first" in pair_note(verdict)) == (metric == "token_loss")
    assert "Accuracy" not in pair_note(verdict)


def with_curves(folder: Path, results: Results) -> Results:
    """The same with training curves beside the fine-tuned runs."""
    runs = []
    for run in results.runs:
        if not run.elsewhere:
            runs.append(run)
            continue
        epochs = [
            {
                "epoch": epoch,
                "step": 5 * epoch,
                "token_probability": 0.5,
                "token_accuracy": 0.6 + epoch / 10,
                "loss": 1.0,
            }
            for epoch in (1, 2)
        ]
        training = {"step": [*range(1, 11)], "loss": [1 / step for step in range(1, 11)]}
        (folder / "runs" / run.run_id).mkdir()
        write_json(folder / "runs" / run.run_id / "curve.json", {"training": training, "validation": epochs})
        runs.append(run.model_copy(update={"curve_file": f"runs/{run.run_id}/curve.json"}))
    return results.model_copy(update={"runs": runs})


def drawn(folder: Path, *, metric: str | None = None, **given: Any) -> dict[str, Figure]:
    results = with_curves(folder, write_generation(folder, **given))
    return {figure.name: figure for figure in figures_of(results, judge(results, folder, metric=metric), folder)}


def test_figures_of_labels_are_absent_and_those_of_written_answers_there(tmp_path: Path) -> None:
    figures = drawn(tmp_path / "out", fractions=(0.5, 1.0))
    assert list(figures) == [
        *("trade-off", "scores", "pareto", "elsewhere", "training-loss", "validation-score", "learning-curve"),
    ]
    assert figures["scores"].title == "JSON field F1"
    assert len(figures["scores"].panels) == 1
    for figure in figures.values():
        figure.chart.to_dict()  # checks that it is valid Vega-Lite
    assert figures["learning-curve"].title == "JSON field F1 by training rows"
    assert not [
        name for name, one in figures.items() if "accuracy" in one.alt.casefold() and name != "validation-score"
    ]
    assert not [name for name, one in figures.items() if "macro F1" in f"{one.title} {one.alt} {one.caption}"]


def test_scores_have_their_intervals(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results, verdict = judged(folder, wanted="number")
    (scores,) = [figure for figure in figures_of(results, verdict, folder) if figure.name == "scores"]
    drawn_rows = {one["row"]: one for one in scores.records}
    for row in verdict.rows:
        assert row.score is not None and row.score.low is not None and row.score.high is not None
        one = drawn_rows[row.name]
        assert (one["value"], one["low"], one["high"]) == pytest.approx(
            (100 * row.score.value, 100 * row.score.low, 100 * row.score.high)
        )


def test_the_score_stands_against_what_was_lost_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results, verdict = judged(folder)
    (figure,) = [one for one in figures_of(results, verdict, folder) if one.name == "elsewhere"]
    rises = {one["row"]: one["general_loss_rise"] for one in figure.records if "general_loss_rise" in one}
    assert rises == {row.name: pytest.approx(row.general_loss_rise) for row in verdict.rows}
    assert rises["zero_shot"] == 0.0
    diverged = {one["row"]: one["prompt_kl"] for one in figure.records if "prompt_kl" in one}
    assert diverged.keys() == {"full", "lora", "qlora"}
    assert figure.caption.startswith("Up and left is better.")
    prompted = {name: arm for name, arm in ARMS.items() if arm.rise is None}
    assert "elsewhere" not in drawn(tmp_path / "prompted", arms=prompted)


def test_a_loss_that_fell_lies_within_its_axis(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arms = {name: arm for name, arm in ARMS.items() if name in {"few_shot", "lora", "full"}}
    results = write_generation(folder, arms=arms)
    fell = Elsewhere(general_loss_before=3.0, general_loss_after=2.8, general_tokens=9, prompt_kl=0.1, prompt_tokens=9)
    runs = [run.model_copy(update={"elsewhere": fell}) if run.name == "lora" else run for run in results.runs]
    changed = results.model_copy(update={"runs": runs})
    (figure,) = [one for one in figures_of(changed, judge(changed, folder), folder) if one.name == "elsewhere"]
    low, high = figure.panels[0].to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < -0.2
    assert high > 0.41


def test_of_losses_down_is_better(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    figures = drawn(folder, metric="token_loss")
    assert figures["trade-off"].caption.startswith("Down and left is better.")
    scores = {one["row"]: one["score"] for one in figures["trade-off"].records if "row" in one}
    assert f"{min(scores, key=lambda name: scores[name])} is lowest." in figures["trade-off"].alt
    on_front = figures["pareto"].alt.partition("On the front: ")[2].partition(";")[0]
    assert "lora" in on_front
    assert "qlora" not in on_front, "lora costs less and has a lower loss"


def test_validation_shows_the_tokens_that_were_right(tmp_path: Path) -> None:
    figure = drawn(tmp_path / "out")["validation-score"]
    assert figure.title == "Token accuracy on the validation rows"
    assert {(one["epoch"], one["token_accuracy"]) for one in figure.records} == {(1, 0.7), (2, 0.8)}


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("json_fields", r"0\.\d{3} \(0\.\d\d to 0\.\d\d\)"),
        ("exact_match", r"\d+\.\d \(\d+ to \d+\)"),
        ("token_loss", r"0\."),
    ],
)
def test_the_learning_curve_is_of_the_metric(tmp_path: Path, metric: str, shown: str) -> None:
    results, verdict = judged(tmp_path / "out", fractions=(0.5, 1.0), metric=metric)
    curve = learning_curve(results, verdict.curve)
    assert curve is not None
    lora = next(row for row in curve.rows if row[0] == "lora")
    assert re.match(shown, lora[2])
    assert curve.title == f"{verdict.ranking_metric.heading} by training rows"
    assert "labels" not in curve.sentence
    assert verdict.curve is not None
    found = verdict.curve.scores["lora"][-1]
    assert found is not None
    assert lora[2].startswith(verdict.ranking_metric.cell(found.value))


def all_formats(folder: Path, results: Results, verdict: Verdict) -> dict[str, str]:
    written = samples(results, verdict, folder, flips=3, others=1)
    figures = figures_of(results, verdict, folder)
    return {
        "page": page(results, verdict, folder),
        "markdown": markdown(results, verdict, None, written),
        "pdf": json.dumps(content(results, verdict, figures, written), ensure_ascii=False),
        "table": latex_table(comparison_table(results, verdict), caption="x"),
        "paper": paper(results, verdict, figures),
    }


def test_every_format_is_of_written_answers(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = with_curves(folder, write_generation(folder))
    write_processed(folder, made_rows(60))
    found = all_formats(folder, results, judge(results, folder))
    for form, text in found.items():
        assert "JSON field F1" in text or "JSON field & " in text, form
        assert "General loss nats" in text or "General loss & KL from base" in text, form
        for word in ("macro F1", "Macro F1", "Calibration", "Confusion", "McNemar", "classes"):
            assert word not in text, (form, word)
    assert '<section id="samples"' in found["page"]
    assert not re.search(r'<section id="(labels|confidence|disagreements)"', found["page"])
    assert "## Samples" in found["markdown"]
    assert "## Macro F1 by label" not in found["markdown"]
    assert json.loads(found["pdf"])["samples"]["rows"]
    assert json.loads(found["pdf"])["confidence"] is None
    assert "labels" not in dict(json.loads(found["pdf"])["data"])
    assert "300 prompts with their answers" in found["paper"]
    assert r"ROUGE-L~\cite{lin2004}" in found["paper"]
    assert r"\bibitem{lin2004}" in found["paper"]
    assert "first row answers better" in found["paper"]
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", found["paper"]) for key in keys.split(",")}
    assert cited == set(re.findall(r"\\bibitem\{([^}]*)\}", found["paper"]))


def test_what_writing_cost_stands_in_a_table_of_its_own(tmp_path: Path) -> None:
    results, verdict = judged(tmp_path / "out")
    table = writing_table(verdict)
    assert table is not None
    found = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert list(found) == ["zero_shot", "few_shot", "full", "lora", "qlora"], "a floor writes nothing"
    runs = [run for run in results.runs if run.name == "zero_shot"]
    written = [run.writing.tokens_written for run in runs if run.writing]
    assert found["zero_shot"]["Tokens written"] == f"{sum(written) / 2:.0f}"
    assert found["zero_shot"]["Tokens an answer"] == f"{sum(written) / 120:.1f}"
    assert found["zero_shot"]["Answers cut"] == "10"
    assert found["zero_shot"]["Tokens/s"] == "240.0"
    assert found["zero_shot"]["First token ms, p95"] == "15.0"
    assert found["zero_shot"]["Whole answer ms, p95"] == f"{runs[0].latency_p95_ms:.1f}"
    assert "at the limit, 48 tokens." in table.notes[0]


def test_reports_of_labels_have_no_table_of_writing(tmp_path: Path) -> None:
    write_comparison(tmp_path / "labelled")
    assert writing_table(api.judge(tmp_path / "labelled")) is None


def test_keys_and_settings_of_labels_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_generation(folder)
    filled = Comparison.model_validate({**results.comparison, "methods": {"few_shot": {}}}).model_dump(mode="json")
    settings = {"template": "This text is about {label}.", "examples": 4}
    runs = [run.model_copy(update={"spec": run.spec.model_copy(update={"settings": settings})}) for run in results.runs]
    results = results.model_copy(update={"comparison": filled, "runs": runs})
    told = markdown(results, judge(results, folder))
    assert "examples 4" in told
    for text in (told, comparison_yaml(results), " ".join(key for key, _ in protocol_facts(results))):
        assert not re.search("label[ _]smoothing|rare_label|text is about", text)
    assert "max_new_tokens" in comparison_yaml(results)
    known = Comparison.model_validate(yaml_of(comparison_yaml(results)))
    assert known == Comparison.model_validate(filled), "what is left out has its default"
    smoothed = [
        run.model_copy(update={"spec": run.spec.model_copy(update={"protocol": SharedProtocol(label_smoothing=0.1)})})
        for run in results.runs
    ]
    facts = dict(protocol_facts(results.model_copy(update={"runs": smoothed})))
    assert facts["label smoothing"] == "0.1"


def test_keys_of_prompts_are_left_out_for_labels(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "labelled")
    keys = {key for key, _ in protocol_facts(results)}
    assert "label smoothing" in keys
    assert not keys & {"loss on", "max new tokens", "scorer"}


def test_many_columns_stand_in_two_halves_in_latex(tmp_path: Path) -> None:
    results, verdict = judged(tmp_path / "out", failed={"full": "it did not fit"})
    table = comparison_table(results, verdict)
    first, second = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", latex_table(table, caption="x"), re.DOTALL)
    assert "General loss" in first
    assert "out-of-memory" in first
    assert "Tokens/s" in second
    assert "Full fine-tuning" not in second, "a row without scores is in the first half alone"
    assert [half.count("QLoRA") for half in (first, second)] == [1, 1]
    for half in (first, second):
        columns = half.splitlines()[0].count("r") - "\\begin{tabular}".count("r")
        assert {line.count("&") for line in half.splitlines() if "&" in line and "multicolumn" not in line} == {columns}


def test_a_paper_on_losses_names_no_statistics_of_shares(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results, verdict = judged(folder, wanted="long", metric="token_loss")
    text = paper(results, verdict, [])
    assert "wilson1927" not in text
    assert "quantiles of Student's $t$" in text
    assert "second row less the first, in nats" in text
    assert "imagined rows" not in text


@pytest.mark.usefixtures("without_figures")
def test_texts_of_the_data_are_never_markup(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_generation(folder, wanted="long", rows=len(HOSTILE) * 2)
    rows = [
        type(row)(
            row=row.row, cluster=row.cluster, prompt=HOSTILE[place % len(HOSTILE)], answer=HOSTILE[place % len(HOSTILE)]
        )
        for place, row in enumerate(made_rows(len(HOSTILE) * 2, wanted="long"))
    ]
    write_processed(folder, rows)
    verdict = judge(results, folder)
    written = samples(results, verdict, folder, flips=40, others=9)
    assert written is not None
    shown = {one.prompt for group in written.groups for one in group.samples}
    assert shown == set(HOSTILE)
    found = page(results, verdict, folder)
    assert "<script>alert" not in found
    assert "&lt;script&gt;alert" in found
    assert "<script>" not in markdown(results, verdict, None, written)
    told = json.dumps(content(results, verdict, [], written), ensure_ascii=False)
    assert "\u202e" not in told, "controls of direction are shown as code points"


def test_the_table_of_records_has_a_column_for_each_number(tmp_path: Path) -> None:
    results, _ = judged(tmp_path / "out", own=lambda right, text: 1.0, own_score=OwnScore(title="polite"))
    columns = flat_columns(results)
    lora = [run.name for run in results.runs].index("lora")
    run = results.runs[lora]
    assert run.writing and run.elsewhere
    assert columns["score_exact_match"][lora] == run.scores["exact_match"]
    assert columns["validation_score_rouge_l"][lora] == run.validation_scores["rouge_l"]
    assert columns["writing_first_token_p50_ms"][lora] == run.writing.first_token_p50_ms
    assert columns["writing_own_score_title"][lora] == "polite"
    assert columns["elsewhere_prompt_kl"][lora] == run.elsewhere.prompt_kl
    assert columns["elsewhere_prompt_kl"][0] is None
    assert columns["accuracy"] == [None] * len(results.runs)
    without, _ = judged(tmp_path / "without")
    assert not [name for name in flat_columns(without) if "own_score" in name]


def test_comparisons_of_written_answers_stand_beside_each_other(tmp_path: Path) -> None:
    write_generation(tmp_path / "one", name="one")
    write_generation(tmp_path / "two", name="two", model="other/writer")
    write_generation(tmp_path / "three", name="three", wanted="long")
    same = api.beside(tmp_path / "one", tmp_path / "two")
    assert same.headings[:4] == ["Method", "Comparison", "JSON field F1", "95 % interval"]
    other = api.beside(tmp_path / "one", tmp_path / "three")
    assert other.headings[:6] == ["Method", "Comparison", "ROUGE-L", "95 % interval", "chrF", "Perplexity"]
    assert all(len(row) == len(other.headings) for row in other.rows)
    alone = comparison_table(
        (results := api.load(tmp_path / "one")), judge(results, tmp_path / "one", metric="rouge_l")
    )
    assert [row[2:4] for row in other.rows if row[1] == "one"] == [row[1:3] for row in alone.rows]
    for beside in (same, other):
        assert "<svg " in across_html(beside)
        assert "accuracy" not in across_markdown(beside).casefold()


def test_comparisons_of_two_tasks_have_nothing_in_common(tmp_path: Path) -> None:
    write_generation(tmp_path / "written", name="written")
    write_comparison(tmp_path / "labelled", name="labelled")
    with pytest.raises(UserError) as caught:
        api.beside(tmp_path / "written", tmp_path / "labelled")
    assert str(caught.value) == (
        "comparisons of different tasks have no scores in common (written: generation, labelled: classification); give "
        "those of one task"
    )


@pytest.mark.usefixtures("without_figures")
def test_an_arm_without_scores_has_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results, verdict = judged(folder, failed={"qlora": "CUDA out of memory"})
    table = comparison_table(results, verdict)
    assert table.rows[-1][1] == "out-of-memory"
    assert not any(table.rows[-1][2:])
    assert "CUDA out of memory" in page(results, verdict, folder)
    nothing, of_nothing = judged(tmp_path / "nothing", failed=dict.fromkeys(ARMS, "no"))
    assert comparison_table(nothing, of_nothing).headings[0] == "Method"
    assert "Samples" not in page(nothing, of_nothing, tmp_path / "nothing")


def test_every_task_has_columns() -> None:
    from showdown.tasks.table import TASKS

    assert all(columns_of(task).columns for task in TASKS)
