"""The verdict on written answers: what is ranked by what, and that nothing of labels is asked for."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from generation_results import ARMS, Arm, made_rows, write_generation
from showdown.core.errors import UserError
from showdown.core.metric import METRICS
from showdown.core.record import Convergence, OwnScore, Results, RunRecord
from showdown.core.written import read_written
from showdown.tasks.generation.scorers.bootstrap import bootstrap_interval
from showdown.tasks.generation.scorers.corpus import perplexity_of_sums, perplexity_statistics
from showdown.verdict.generation.writings import load_writings, writings_of
from showdown.verdict.model import ArmVerdict, Verdict
from showdown.verdict.recommend import Limits
from showdown.verdict.summary import judge


def row(verdict: Verdict, name: str) -> ArmVerdict:
    return next(one for one in verdict.rows if one.name == name)


def changed(results: Results, **update: Any) -> Results:
    """Change all completed runs."""
    return results.model_copy(update={"runs": [run.model_copy(update=update) for run in results.runs]})


@pytest.mark.parametrize(
    ("wanted", "metric", "why"),
    [
        ("json", "json_fields", "JSON field F1: the wanted answers are JSON objects."),
        ("number", "numeric_match", "numeric match: the wanted answers are numbers."),
        ("short", "exact_match", "exact match: the wanted answers are short (1 word at the median)."),
        ("long", "rouge_l", "ROUGE-L: the wanted answers are long (13 words at the median)."),
    ],
)
def test_auto_takes_the_score_that_says_most(tmp_path: Path, wanted: Any, metric: str, why: str) -> None:
    results = write_generation(tmp_path / "out", wanted=wanted, rows=24)
    verdict = judge(results, tmp_path / "out")
    assert (verdict.task, verdict.metric) == ("generation", metric)
    assert verdict.sentences[1] == f"Methods are ranked, tested and recommended by {why}"


def test_ten_words_are_short_and_eleven_are_not(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", wanted="long", rows=24)
    for words, metric in ((10.0, "exact_match"), (11.0, "rouge_l")):
        data = {**results.data, "written": {"median_answer_words": words}}
        assert judge(results.model_copy(update={"data": data}), tmp_path / "out").metric == metric


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "mcc",
            r"^--metric: `mcc` is a metric of classification; those of generation are exact_match, numeric_match, ",
        ),
        ("f1:baker", r"^--metric: `f1` is a metric of classification"),
        ("json_fields", r"^--metric: `json_fields` does not apply to these data; the scores that do are exact_match, "),
        ("own", r"^--metric: `own` does not apply to these data"),
    ],
)
def test_a_metric_that_answers_do_not_have_is_refused_in_a_line(tmp_path: Path, asked: str, said: str) -> None:
    results = write_generation(tmp_path / "out", wanted="short", rows=12)
    with pytest.raises(UserError, match=said) as refused:
        judge(results, tmp_path / "out", metric=asked)
    assert "\n" not in str(refused.value)


def test_a_metric_of_answers_is_refused_for_labels(built: Any, answers: Any) -> None:
    built.run("lora", *answers(30, 3))
    with pytest.raises(UserError, match="`rouge_l` is a metric of generation; those of classification are accuracy, "):
        judge(built.results, built.folder, metric="rouge_l")


def test_scores_are_those_of_the_records_and_nothing_is_asked_of_labels(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    verdict = judge(results, tmp_path / "out")
    for one in verdict.rows:
        runs = [run for run in results.runs if run.name == one.name]
        means = {key: np.mean([run.scores[key] for run in runs]) for key in runs[0].scores}
        assert one.scores == {key: pytest.approx(value, abs=1e-6) for key, value in means.items()}
        assert (one.accuracy, one.f1_macro) == (None, None)
        assert one.score is not None
        assert one.score.low is not None
        assert one.score.low < one.score.value == pytest.approx(means["json_fields"], abs=1e-6)
        assert one.constant == (one.name == "common")
        assert (one.test_rows, one.clusters, one.seeds) == (60, 60, 2)
    for pair in verdict.pairs:
        assert (pair.accuracy, pair.f1_macro, pair.mcnemar_p) == (None, None, None)
        assert pair.within is not None
    assert row(verdict, "zero_shot").seed_agreement == 1.0
    assert 0.5 < (row(verdict, "qlora").seed_agreement or 0.0) < 1.0


def test_rows_scored_higher_are_counted_over_all_pairs_of_seeds(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    verdict = judge(results, tmp_path / "out")
    scores = {
        name: [read_written(tmp_path / "out", run).scores["json_fields"] for run in results.runs if run.name == name]
        for name in ("full", "few_shot")
    }
    higher = [
        sum(a > b for a, b in zip(ours, theirs, strict=True))
        for ours in scores["full"]
        for theirs in scores["few_shot"]
    ]
    pair = next(one for one in verdict.pairs if {one.first, one.second} == {"full", "few_shot"})
    assert (pair.second_only if pair.second == "full" else pair.first_only) == np.mean(higher)
    by_loss = judge(results, tmp_path / "out", metric="token_loss")
    pair = next(one for one in by_loss.pairs if {one.first, one.second} == {"full", "zero_shot"})
    assert (pair.second_only if pair.second == "full" else pair.first_only) == 60, "less loss is better"


def test_rows_of_copies_count_once(tmp_path: Path) -> None:
    verdicts = []
    for copies in (1, 4):
        results = write_generation(tmp_path / f"{copies}", copies=copies)
        verdicts.append(judge(results, tmp_path / f"{copies}"))
    plain, copied = (row(verdict, "few_shot") for verdict in verdicts)
    assert (plain.clusters, copied.clusters) == (60, 15)
    assert copied.score is not None
    assert plain.score is not None
    assert copied.score.high - copied.score.low > 1.2 * (plain.score.high - plain.score.low)  # type: ignore[operator]


def test_token_loss_has_no_row_without_probabilities_and_less_is_better(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    verdict = judge(results, tmp_path / "out", metric="token_loss")
    assert row(verdict, "common").score is None
    assert "common has no score (not compared: it has no token loss)." in verdict.sentences
    best = min((one for one in verdict.rows if one.score), key=lambda one: one.score.value)  # type: ignore[union-attr]
    assert any(
        said.startswith(f"{best.name} scored lowest: ") and "nats of token loss" in said for said in verdict.sentences
    )
    assert verdict.recommendation.chosen == best.name
    for one in verdict.rows:
        if one.score:
            assert one.score.low is not None
            assert 0.0 < one.score.low < one.score.value < one.score.high  # type: ignore[operator]
    pair = next(one for one in verdict.pairs if {one.first, one.second} == {"zero_shot", "lora"})
    assert pair.different
    assert (pair.score.value > 0) == (pair.first == "lora")
    assert pair.largest is None


def test_losses_over_other_tokens_are_said_to_be_of_another_thing(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", rows=20)
    part = load_writings(results, tmp_path / "out", METRICS["token_loss"])
    assert not any(
        "different tokens" in said for said in judge(results, tmp_path / "out", metric="token_loss").sentences
    )
    runs = [_with_more_tokens(tmp_path / "out", run) if run.name == "lora" else run for run in results.runs]
    verdict = judge(results.model_copy(update={"runs": runs}), tmp_path / "out", metric="token_loss")
    assert any("and lora count different tokens in the same answers" in said for said in verdict.sentences)
    assert any("different tokens" in said for said in verdict.recommendation.warnings)
    assert part


def _with_more_tokens(folder: Path, run: RunRecord) -> RunRecord:
    """Count one token more in each wanted answer of a run."""
    path = folder / str(run.predictions_file)
    found = read_written(folder, run)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert found.loss_tokens is not None
    place = lines[0].split(",").index("loss_tokens")
    # Answers have commas: count cells from the end, behind which there are none.
    back = len(lines[0].split(",")) - place
    changed_lines = [lines[0]]
    for line, tokens in zip(lines[1:], found.loss_tokens, strict=True):
        cells = line.rsplit(",", back)
        assert cells[1] == str(tokens)
        cells[1] = str(tokens + 1)
        changed_lines.append(",".join(cells))
    path.write_text("\n".join(changed_lines) + "\n", encoding="utf-8")
    loss = sum(found.losses or ()) / sum(tokens + 1 for tokens in found.loss_tokens)
    scores = {**run.scores, "token_loss": loss, "perplexity": math.exp(loss)}
    return run.model_copy(update={"scores": scores, "predictions_sha256": None})


def test_the_interval_of_perplexity_is_near_the_bootstrap(tmp_path: Path) -> None:
    """With a deterministic method both say how far test rows may lead; they differ by their methods alone."""
    results = write_generation(tmp_path / "out", rows=200)
    found = row(judge(results, tmp_path / "out", metric="perplexity"), "zero_shot").score
    part = writings_of(load_writings(results, tmp_path / "out", METRICS["perplexity"])["zero_shot"])[0]
    losses, tokens = (one[0] for one in part.loss_sums())
    ends = bootstrap_interval(
        perplexity_statistics(losses.tolist(), tokens.astype(int).tolist()), perplexity_of_sums, part.clusters, seed=1
    )
    assert ends is not None
    assert found is not None
    assert found.value == pytest.approx(math.exp(losses.sum() / tokens.sum()))
    assert (found.low, found.high) == (pytest.approx(ends[0], rel=0.02), pytest.approx(ends[1], rel=0.02))


def test_the_own_score_has_its_title_and_bounds(tmp_path: Path) -> None:
    own = OwnScore(title="stars", lowest=0.0, highest=5.0)
    results = write_generation(tmp_path / "out", own=lambda wanted, said: 5.0 * (wanted == said), own_score=own)
    verdict = judge(results, tmp_path / "out", metric="own")
    assert verdict.ranking_metric.title == "stars"
    assert "Methods are ranked, tested and recommended by stars, as asked." in verdict.sentences
    assert any(" of stars (fair estimate " in said for said in verdict.sentences)
    exact = judge(results, tmp_path / "out", metric="exact_match")
    for one, other in zip(verdict.rows, exact.rows, strict=True):
        assert one.score is not None
        assert other.score is not None
        for end in ("value", "low", "high"):
            assert getattr(one.score, end) == pytest.approx(5 * getattr(other.score, end)), (
                "its range is five times as wide"
            )
    for mine, theirs in zip(verdict.pairs, exact.pairs, strict=True):
        assert mine.score.low == pytest.approx(5 * theirs.score.low)
        assert mine.p_value == pytest.approx(theirs.p_value)


def test_an_own_score_without_bounds_breaks_nothing(tmp_path: Path) -> None:
    own = OwnScore(title="length", lowest=None, highest=None)
    results = write_generation(tmp_path / "out", own=lambda wanted, said: -abs(len(wanted) - len(said)), own_score=own)
    verdict = judge(results, tmp_path / "out", metric="own")
    for one in verdict.rows:
        assert one.score is not None
        assert one.score.low is not None
        assert one.score.low <= one.score.value < 0.5
    assert all(math.isfinite(pair.p_value) for pair in verdict.pairs)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def skilled(**skills: float) -> Mapping[str, Arm]:
    return {name: replace(ARMS[name], skill=skill) for name, skill in skills.items()}


def test_fine_tuning_that_beats_prompting_is_the_first_sentence(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    said = judge(results, tmp_path / "out").sentences[0]
    assert said.startswith(
        "With this training set, fine-tuning beats prompting: full leads few_shot, the best prompt method, by 0."
    )
    assert " of JSON field F1 (fair estimate 0." in said


def test_fine_tuning_that_was_not_shown_to_beat_prompting_is_the_first_sentence(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", arms=skilled(zero_shot=0.5, few_shot=0.9, lora=0.88))
    said = judge(results, tmp_path / "out").sentences[0]
    assert said.startswith("With this training set, fine-tuning was not shown to beat prompting: lora, the best ")
    assert ", the best fine-tuned method, has 0." in said
    assert " JSON field F1 and few_shot, the best prompt method, 0." in said


def test_prompting_that_beats_fine_tuning_is_the_first_sentence(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", arms=skilled(few_shot=0.95, full=0.4, lora=0.5))
    verdict = judge(results, tmp_path / "out")
    assert verdict.sentences[0].startswith("With this training set, prompting beats fine-tuning: lora, the best ")
    assert "few_shot, the best prompt method, " in verdict.sentences[0]
    assert verdict.recommendation.chosen == "few_shot"


def test_fine_tuning_that_had_not_converged_was_not_beaten(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", arms=skilled(few_shot=0.95, lora=0.5))
    ends = [
        run.model_copy(update={"convergence": run.convergence.model_copy(update={"converged": False})})
        if run.convergence
        else run
        for run in results.runs
    ]
    said = judge(results.model_copy(update={"runs": ends}), tmp_path / "out").sentences
    assert said[0].startswith("It is open whether fine-tuning beats prompting: lora, the best fine-tuned method, has ")
    assert " so far, but had not converged; few_shot, the best prompt method, has " in said[0]


def test_without_a_prompt_method_there_is_no_such_sentence(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", arms=skilled(full=0.9, lora=0.8))
    assert not any("prompting" in said for said in judge(results, tmp_path / "out").sentences)


def test_a_floor_stands_in_for_nothing(tmp_path: Path) -> None:
    """However little it costs, and however near the scores are."""
    arms = {**skilled(common=-1.0, lora=0.12), "copy": replace(ARMS["common"], skill=0.1, method="copy_prompt")}
    results = write_generation(tmp_path / "out", arms=arms, rows=30)
    verdict = judge(results, tmp_path / "out", metric="json_fields", margin_points=20)
    assert (
        verdict.recommendation.chosen
        == max(
            verdict.rows,
            key=lambda one: one.score.value,  # type: ignore[union-attr]
        ).name
    )


def test_what_it_cost_elsewhere_is_a_mean_with_its_spread(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    found = row(judge(results, tmp_path / "out"), "full").forgetting
    rises = [run.elsewhere.general_loss_rise for run in results.runs if run.name == "full" and run.elsewhere]
    assert found is not None
    assert found.general_loss_rise == pytest.approx(np.mean(rises))
    assert found.general_loss_rise_spread == pytest.approx(np.std(rises, ddof=1))
    assert (found.runs, found.prompt_kl) == (2, pytest.approx(0.205))
    assert row(judge(results, tmp_path / "out"), "few_shot").forgetting is None


def test_who_lost_clearly_more_elsewhere_is_named_beside_the_best_that_did_not(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    said = [one for one in judge(results, tmp_path / "out").sentences if "lost more elsewhere" in one]
    assert len(said) == 1
    assert said[0].startswith("full lost more elsewhere than lora: the loss on general text rose by 0.4")
    assert said[0].endswith("and lora was not shown to be worse on the task.")
    assert all("qlora lost" not in one for one in said), "0.01 nats are no clear difference"


def test_who_is_worse_on_the_task_did_not_keep_more(tmp_path: Path) -> None:
    arms = {**skilled(few_shot=0.5, full=0.95), "lora": replace(ARMS["lora"], skill=0.4)}
    results = write_generation(tmp_path / "out", arms=arms)
    assert not any("lost more elsewhere" in one for one in judge(results, tmp_path / "out").sentences)


def test_a_rise_within_chance_is_not_named(tmp_path: Path) -> None:
    """Runs of one arm that differ by more than the arms do."""
    results = write_generation(tmp_path / "out")

    def risen(run: RunRecord) -> RunRecord:
        if run.elsewhere is None or run.name != "full":
            return run
        after = run.elsewhere.general_loss_before + (0.02 if run.seed else 0.9)
        return run.model_copy(update={"elsewhere": run.elsewhere.model_copy(update={"general_loss_after": after})})

    runs = [risen(run) for run in results.runs]
    verdict = judge(results.model_copy(update={"runs": runs}), tmp_path / "out")
    assert (row(verdict, "full").general_loss_rise or 0.0) > 0.4
    assert not any("lost more elsewhere" in one for one in verdict.sentences)


def test_answers_that_were_cut_are_counted(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    verdict = judge(results, tmp_path / "out")
    assert (
        "Answers were cut at the limit of 48 tokens: 2 of 120 of few_shot, 10 of 120 of zero_shot. They were scored as "
        "they stand; `protocol.max_new_tokens` sets the limit."
    ) in verdict.sentences
    writing = row(verdict, "zero_shot").writing
    assert writing is not None
    assert (writing.tokens_per_second, writing.first_token_p95_ms, writing.max_new_tokens) == (240.0, 15.0, 48)
    uncut = {name: replace(arm, cut=0) for name, arm in ARMS.items()}
    results = write_generation(tmp_path / "uncut", arms=uncut)
    assert not any("cut at the limit" in one for one in judge(results, tmp_path / "uncut").sentences)


def test_quantised_twice_is_said_where_another_arm_is_not(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", rows=20)
    said = (
        "The weights of this network were rounded before, to 4 bits (GGUF Q4_1): all methods start from what that left."
    )
    before = {"base_quantised_before": "4 bits (GGUF Q4_1)"}
    marked = results.model_copy(
        update={"runs": [run.model_copy(update={"chosen": {**run.chosen, **before}}) for run in results.runs]}
    )
    (found,) = [one for one in judge(marked, tmp_path / "out").sentences if "rounded before" in one]
    assert found.startswith(said)
    assert "qlora rounds them again, with about as large an error as if they had never been rounded." in found
    assert "So weights rounded twice (qlora) are compared with weights rounded once (full and lora)" in found
    assert not any("rounded before" in one for one in judge(results, tmp_path / "out").sentences)
    alone = marked.model_copy(update={"runs": [run for run in marked.runs if run.name not in {"full", "lora"}]})
    assert not any("rounded before" in one for one in judge(alone, tmp_path / "out").sentences)


def test_what_a_quantised_network_lost_includes_the_rounding(tmp_path: Path) -> None:
    """And one that had not converged was not beaten."""
    arms = {"lora": ARMS["lora"], "qlora": replace(ARMS["qlora"], skill=0.3, rise=0.3)}
    results = write_generation(tmp_path / "out", arms=arms, rows=40)

    def lost(given: Results) -> str:
        (said,) = [one for one in judge(given, tmp_path / "out").sentences if "lost more elsewhere" in one]
        return said

    rounding = "Of qlora that includes what rounding the network's weights costs."
    assert lost(results).endswith(f"and lora beats it on the task. {rounding}")
    short = Convergence(converged=False, stopped="cap", epochs=3, best_epoch=3)
    runs = [run.model_copy(update={"convergence": short if run.name == "qlora" else None}) for run in results.runs]
    said = lost(results.model_copy(update={"runs": runs}))
    assert said.endswith(f"and lora scored more on the task, where qlora had not converged. {rounding}")


def test_a_limit_of_forgetting_leads_to_who_keeps_to_it(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")

    def chosen(rise: float, given: Results = results) -> Any:
        return judge(given, tmp_path / "out", limits=Limits(max_general_loss_rise=rise)).recommendation

    assert judge(results, tmp_path / "out").recommendation.chosen == "full"
    assert chosen(0.2).chosen == "lora"
    assert "rise of the loss on general text 0.06" in chosen(0.2).reasons[0]
    assert chosen(0.055).chosen == "qlora"
    assert chosen(0.001).chosen == "few_shot", "a network that is not trained loses nothing"
    assert {one.name for one in chosen(0.2).rejected} == {"full"}
    unknown = changed(results, elsewhere=None)
    assert {one.name for one in chosen(9.0, unknown).rejected} == {"full", "lora", "qlora"}


def test_pareto_knows_the_costs_of_writing(tmp_path: Path) -> None:
    verdict = judge(write_generation(tmp_path / "out"), tmp_path / "out")
    assert {"score", "first_token_ms", "tokens_per_second", "general_loss_rise"} <= {*verdict.pareto.measures}
    assert not {"accuracy", "f1_macro"} & {*verdict.pareto.measures}
    assert any("fastest writing zero_shot (240 tokens a second)" in one for one in verdict.sentences)


def test_the_copies_that_were_let_in_are_left_out_by_the_metric(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out")
    across = {"test_copies": 30, "test_rows": 60, "test_copy_rows": [*range(1, 31)]}
    data = {**results.data, "audit": {**results.data["audit"], "across": across}}
    leaky = changed(results, allow_leakage=True).model_copy(update={"data": data})
    (said,) = [one for one in judge(leaky, tmp_path / "out").sentences if one.startswith("Copies of training rows")]
    run = next(run for run in results.runs if run.name == "few_shot")
    rest = np.mean(read_written(tmp_path / "out", run).scores["json_fields"][30:])
    assert "JSON field F1 on the test rows that are no copies: " in said
    assert f"few_shot {rest:.3f}" in said


def test_a_learning_curve_is_of_the_metric(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", fractions=(0.25, 1.0))
    curve = judge(results, tmp_path / "out").curve
    assert curve is not None
    assert (curve.metric, curve.fractions) == ("json_fields", [0.25, 1.0])
    less, more = curve.scores["lora"]
    assert less is not None
    assert more is not None
    assert more.value - less.value > 0.2
    assert [step.shown for step in curve.steps] == [True, True, True]
    assert curve.scores["few_shot"][0] is None
    by_loss = judge(results, tmp_path / "out", metric="perplexity").curve
    assert by_loss is not None
    assert by_loss.metric == "perplexity"


def test_failed_runs_leave_the_others_judged(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", failed={"full": "it did not fit"})
    verdict = judge(results, tmp_path / "out")
    assert "full has no score (out-of-memory: it did not fit)." in verdict.sentences
    assert verdict.recommendation.chosen == "lora"
    none = write_generation(tmp_path / "none", failed=dict.fromkeys(ARMS, "it did not fit"))
    assert judge(none, tmp_path / "none").recommendation.chosen is None


def test_assumptions_are_in_the_metric(tmp_path: Path) -> None:
    results = write_generation(tmp_path / "out", seeds=(0,))
    (said,) = [one for one in judge(results, tmp_path / "out").assumptions if "had one seed" in one]
    assert said.endswith("a standard deviation of 4.5 % of that between test rows.")
    assert not any("accuracy" in one for one in judge(results, tmp_path / "out").assumptions)


def test_rows_made_for_tests_are_the_same_each_time() -> None:
    assert made_rows(5) == made_rows(5)
    assert [one.cluster for one in made_rows(4, copies=2)] == [0, 0, 1, 1]


@pytest.mark.parametrize("wanted", ["json", "number", "short", "long"])
@pytest.mark.parametrize("data", [{}, {"written": None}, {"written": {}}])
def test_results_without_counted_answers_are_judged(tmp_path: Path, wanted: Any, data: dict[str, Any]) -> None:
    results = write_generation(tmp_path / "out", wanted=wanted)
    verdict = judge(results.model_copy(update={"data": data}), tmp_path / "out")
    assert any(line.startswith("Methods are ranked, tested and recommended by ") for line in verdict.sentences)


def test_an_impossible_count_of_words_is_refused(tmp_path: Path) -> None:
    results = json.loads(write_generation(tmp_path / "out").model_dump_json())
    results["data"]["written"]["median_answer_words"] = "many"
    with pytest.raises(ValidationError, match="median_answer_words"):
        Results.model_validate(results)
