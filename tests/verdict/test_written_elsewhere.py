"""Written answers where comparisons stand beside each other, and on the page that recommends anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generation_results import ARMS, write_generation
from report.written_comparison import write_comparison
from showdown.verdict.across import AcrossVerdict, Judged, judge_across
from showdown.verdict.decisions import decisions
from showdown.verdict.margin import with_margin
from showdown.verdict.recommend import Limits, recommend
from showdown.verdict.summary import candidates, judge


def judged(folder: Path, metric: str | None = None, **given: Any) -> Judged:
    results = write_generation(folder, **given)
    return Judged(results=results, verdict=judge(results, folder, metric=metric), folder=folder)


def of(found: AcrossVerdict, name: str) -> Any:
    return next(pair for pair in found.pairs if pair.first == f"{name} (a)")


def test_each_arm_is_tested_against_itself_elsewhere(tmp_path: Path) -> None:
    worse = {**ARMS, "lora": replace(ARMS["lora"], skill=0.5)}
    found = judge_across({"a": judged(tmp_path / "a"), "b": judged(tmp_path / "b", arms=worse)})
    assert found.same_test_rows
    assert of(found, "lora").different
    assert of(found, "lora").accuracy is None
    assert not of(found, "full").different
    assert any("lora (a) beats lora (b) by 0." in said and " of JSON field F1 " in said for said in found.sentences)
    assert "Methods are ranked: a by JSON field F1, b by JSON field F1; the differences here are in JSON field F1." in (
        found.sentences
    )


def test_comparisons_by_different_metrics_are_tested_by_one_that_both_have(tmp_path: Path) -> None:
    found = judge_across({"a": judged(tmp_path / "a", "rouge_l"), "b": judged(tmp_path / "b", "token_loss")})
    assert "Methods are ranked: a by ROUGE-L, b by token loss; the differences here are in JSON field F1." in (
        found.sentences
    )
    assert {pair.first for pair in found.pairs} == {f"{name} (a)" for name in ARMS}


def test_other_tasks_have_other_test_rows(tmp_path: Path) -> None:
    labelled = write_comparison(tmp_path / "b")
    other = Judged(results=labelled, verdict=judge(labelled, tmp_path / "b"), folder=tmp_path / "b")
    found = judge_across({"a": judged(tmp_path / "a"), "b": other})
    assert not found.same_test_rows
    assert found.pairs == []


@pytest.mark.parametrize("metric", ["json_fields", "token_loss"])
def test_the_page_looks_up_what_the_rules_say(tmp_path: Path, metric: str) -> None:
    verdict = judged(tmp_path / "a", metric).verdict
    by = verdict.ranking_metric
    rows = candidates(verdict.rows, with_margin(verdict.pairs, 0.01), by)
    whole = decisions({1.0: rows}, margin=1.0, metric=by)
    assert [one.limit for one in whole.criteria] == [
        "max_memory_gb",
        "max_cost",
        "max_latency_ms",
        "max_general_loss_rise",
    ], "no macro F1 of written answers"
    place = 3
    assert whole.criteria[place].word == "rise of the loss on general text"
    for stop in whole.criteria[place].stops:
        told = recommend(rows, Limits(max_general_loss_rise=stop), by)
        kept = sum(
            1 << at for at, value in enumerate(whole.criteria[place].values) if value is not None and value <= stop
        )
        found = whole.at_margin[0]
        pair = found.choices[str(kept)]
        assert found.pairs[pair][0] == told.chosen
        assert found.reasons[f"{pair}:{1 << place}"] == told.reasons


def test_a_rise_that_nobody_measured_is_no_measure_and_no_limit_of_the_page(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "a")
    runs = [run.model_copy(update={"elsewhere": None}) for run in results.runs]
    verdict = judge(results.model_copy(update={"runs": runs}), tmp_path / "a")
    assert "general_loss_rise" not in verdict.pareto.measures
    found = decisions({1.0: candidates(verdict.rows, verdict.pairs)}, margin=1.0)
    assert "max_general_loss_rise" not in [one.limit for one in found.criteria]


def test_the_page_of_labels_keeps_its_limits(tmp_path: Path) -> None:
    labelled = write_comparison(tmp_path / "b")
    verdict = judge(labelled, tmp_path / "b")
    found = decisions({1.0: candidates(verdict.rows, verdict.pairs)}, margin=1.0)
    assert [one.limit for one in found.criteria] == ["max_memory_gb", "max_cost", "min_f1_macro", "max_latency_ms"]
