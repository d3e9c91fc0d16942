import json
import re

import numpy as np
import pytest

from showdown.core.errors import UserError
from showdown.verdict.claim import claim
from showdown.verdict.cost import own_price
from showdown.verdict.pair_words import signed_points
from showdown.verdict.recommend import Limits
from showdown.verdict.summary import judge


def seeds_of(built, answers, name, wrong, *, method="lora", seeds=3, rows=300, **record):
    for seed in range(seeds):
        predicted, true = answers(rows, wrong, start=seed)
        built.run(name, predicted, true, method=method, seed=seed, **record)


def test_a_clear_winner_is_said_and_recommended(built, answers):
    seeds_of(built, answers, "full", 6, method="full", train_seconds=60.0)
    seeds_of(built, answers, "tfidf", 90, method="tfidf", train_seconds=0.1)
    verdict = judge(built.results, built.folder)
    assert verdict.sentences[0].startswith("full scored highest: 98.0 % accuracy (")
    assert verdict.sentences[1].startswith("With this training set, full beats tfidf by ")
    assert "28.0" in verdict.sentences[1]
    assert verdict.pairs[0].different
    assert verdict.recommendation.chosen == "full"
    assert verdict.rows[0].accuracy.low < 0.98 < verdict.rows[0].accuracy.high
    assert any("shortest training tfidf (0.1 s)" in sentence for sentence in verdict.sentences)


def test_a_cheap_rival_that_is_not_beaten_is_the_first_sentence(built, answers):
    seeds_of(built, answers, "lora", 60)
    seeds_of(built, answers, "tfidf", 63, method="tfidf")
    verdict = judge(built.results, built.folder)
    assert verdict.sentences[0] == (
        "With this training set, fine-tuning was not shown to beat the cheap rival tfidf: lora, the best "
        "fine-tuned method, has 80.0 % accuracy and tfidf 79.0 %."
    )
    assert not verdict.pairs[0].different
    told = next(sentence for sentence in verdict.sentences if "no difference between" in sentence)
    assert "lora scored 1.0 points more (95 % interval -" in told
    assert "seeds of each trained method" in told


def test_a_cheap_rival_that_wins_is_said_so(built, answers):
    seeds_of(built, answers, "lora", 120)
    seeds_of(built, answers, "tfidf", 30, method="tfidf")
    assert judge(built.results, built.folder).sentences[0] == (
        "With this training set, the cheap rival tfidf beats fine-tuning: lora, the best fine-tuned method, has "
        "60.0 % accuracy and tfidf 90.0 %."
    )


def test_one_seed_is_told_honestly(built, answers):
    seeds_of(built, answers, "lora", 30, seeds=1)
    seeds_of(built, answers, "full", 60, seeds=1, method="full")
    verdict = judge(built.results, built.folder)
    assert any(sentence.startswith("lora, full ran with one seed each") for sentence in verdict.sentences)
    assumed = "tests and intervals assume a spread between its reruns: a standard deviation of 2.25 points"
    assert any(assumed in text for text in verdict.assumptions)
    assert verdict.rows[0].rerun_spread_points is None


def test_many_pairs_ask_for_more_than_one_pair_alone(built, answers):
    seeds_of(built, answers, "a", 40)
    for name, wrong in (("b", 47), ("c", 47), ("d", 48), ("e", 47), ("f", 48)):
        seeds_of(built, answers, name, wrong)
    verdict = judge(built.results, built.folder)
    alone = [pair for pair in verdict.pairs if pair.p_value < 0.05 < pair.p_holm]
    assert alone, "the case does not bite any more"
    assert any(
        "this result would show a difference; 15 pairs are compared, so it does not." in text
        for text in verdict.sentences
    )


def test_what_failed_stays_and_says_why(built, answers):
    seeds_of(built, answers, "lora", 30)
    built.failed("full", "out-of-memory", "needs 60 GB")
    verdict = judge(built.results, built.folder)
    full = next(row for row in verdict.rows if row.name == "full")
    assert full.accuracy is None
    assert "full has no score (out-of-memory: needs 60 GB)." in verdict.sentences
    assert verdict.pareto.front == ["lora"]


def test_leakage_let_in_is_said(built, answers):
    seeds_of(built, answers, "lora", 0, allow_leakage=True)
    sentences = judge(built.results, built.folder).sentences
    assert any("Copies of training rows" in sentence for sentence in sentences)


def test_a_choice_of_leaky_scores_is_warned_of(built, answers):
    seeds_of(built, answers, "lora", 0, allow_leakage=True)
    found = judge(built.results, built.folder).recommendation
    assert found.chosen == "lora"
    assert found.warnings[0].startswith("Copies of training rows were let into the test rows")


def test_the_leak_is_counted_and_its_worth_said(built, answers):
    seeds_of(built, answers, "lora", 0, allow_leakage=True)
    data = {
        "audit": {"across": {"test_copies": 137, "test_rows": 145}},
        "inspection": {"leak_worth": {"leaky_accuracy": 0.995, "clean_accuracy": 0.786}},
    }
    said = judge(built.results.model_copy(update={"data": data}), built.folder).sentences
    (leak,) = [sentence for sentence in said if "Copies of training rows" in sentence]
    assert "137 of 145 (94 %)" in leak
    assert "worth 20.9 points: 99.5 % in cross-validation by rows, 78.6 % with copies kept on one side" in leak


def test_a_difference_of_one_row_is_said_in_rows(built, answers):
    for name, wrong in (("lora", 9), ("qlora", 8), ("full", 4)):
        seeds_of(built, answers, name, wrong, method=name, seeds=1, rows=145)
    said = judge(built.results, built.folder).sentences
    (apart,) = [sentence for sentence in said if "Chance alone" in sentence]
    assert apart == "lora and qlora differ by 1 of 145 test rows. Chance alone often makes such a difference."


def test_methods_without_a_training_loop_have_no_training_settings(built, answers):
    seeds_of(built, answers, "lora", 30, protocol={"effective_batch_rows": 16, "max_tokens": 64})
    seeds_of(built, answers, "tfidf", 60, method="tfidf", protocol={"effective_batch_rows": 8, "max_tokens": 512})
    assert judge(built.results, built.folder).pairs[0].confounds == ["max_tokens"]


def test_nothing_completed_is_still_a_verdict(built):
    built.failed("full", "failed", "boom")
    verdict = judge(built.results, built.folder)
    assert verdict.recommendation.chosen is None
    assert verdict.pairs == []


def test_scores_are_the_mean_over_seeds_and_json_comes_back_alike(built, answers):
    seeds_of(built, answers, "lora", 30)
    seeds_of(built, answers, "full", 33, method="full")
    verdict = judge(built.results, built.folder, limits=Limits(max_cost=1.0), price=own_price(3.6))
    assert verdict.rows[0].accuracy.value == pytest.approx(np.mean([run.accuracy for run in built.runs[:3]]))
    again = type(verdict).model_validate(json.loads(json.dumps(verdict.model_dump(mode="json"))))
    assert again == verdict
    assert judge(built.results, built.folder, limits=Limits(max_cost=1.0), price=own_price(3.6)) == verdict
    assert verdict.rows[0].cost.training == pytest.approx(0.018)


def test_repeats_use_the_corrected_test(built, answers):
    for partition in range(5):
        for name, wrong in (("lora", 5 + partition % 2), ("full", 20 + partition)):
            predicted, true = answers(60, wrong)
            rows = list(range(partition + 1, partition + 61))
            protocol = {"split": {"kind": "repeated"}}
            built.run(name, predicted, true, method=name, partition=partition, rows=rows, protocol=protocol)
    (pair,) = judge(built.results, built.folder).pairs
    assert pair.test == "corrected resampled t"
    assert pair.mcnemar_p is None
    assert pair.different


def test_confounds_stand_beside_the_pair_and_in_words(built, answers):
    seeds_of(built, answers, "lora", 30, protocol={"effective_batch_rows": 16})
    seeds_of(built, answers, "full", 60, method="full", protocol={"effective_batch_rows": 8})
    verdict = judge(built.results, built.folder)
    assert verdict.pairs[0].confounds == ["effective_batch_rows"]
    assert verdict.sentences[-1] == "Besides the method, the arms also differ in effective_batch_rows."


def test_what_was_asked_and_chosen_differently_is_named_once(built, answers):
    for name, rows in (("lora", 16), ("full", 4)):
        asked = {"protocol": {"micro_batch_rows": rows}, "chosen": {"micro_batch_rows": rows}}
        seeds_of(built, answers, name, 30, method=name, **asked)
    verdict = judge(built.results, built.folder)
    assert [item.kind for item in verdict.confounds if item.key == "micro_batch_rows"] == ["protocol", "engine"]
    assert verdict.pairs[0].confounds == ["micro_batch_rows"]
    assert verdict.sentences[-1] == "Besides the method, the arms also differ in micro_batch_rows."


def test_memory_of_two_kinds_is_not_compared(built, answers):
    seeds_of(built, answers, "lora", 30)
    seeds_of(built, answers, "full", 30, method="full", memory_kind="process resident set")
    verdict = judge(built.results, built.folder)
    assert "memory_gb" not in verdict.pareto.measures
    assert not any("least memory" in sentence for sentence in verdict.sentences)


def test_rows_that_share_no_test_row_make_no_pair(built):
    built.run("lora", [0, 1], [0, 1], rows=[1, 2])
    built.run("full", [0, 1], [0, 1], rows=[3, 4], method="full")
    assert judge(built.results, built.folder).pairs == []


def test_missing_predictions_are_a_user_error(built, answers):
    seeds_of(built, answers, "lora", 30)
    (built.folder / built.runs[0].predictions_file).unlink()
    with pytest.raises(UserError, match="predictions cannot be read"):
        judge(built.results, built.folder)


def test_no_difference_has_a_minus_before_nothing() -> None:
    assert signed_points(-0.0002) == "+0.0"


def test_equals_at_the_top_share_it(built, answers):
    seeds_of(built, answers, "frozen", 30, method="frozen")
    seeds_of(built, answers, "full", 30, method="full")
    seeds_of(built, answers, "tfidf", 120, method="tfidf")
    said = judge(built.results, built.folder).sentences
    assert "not shown to beat the cheap rival frozen: full, the best fine-tuned method, has 90.0 %" in said[0]
    assert said[1].startswith("frozen and full scored highest: 90.0 % accuracy (95 % interval of frozen ")
    assert "frozen beats tfidf by " in said[2]
    assert "no difference between frozen and full was shown: both scored the same (95 % interval" in said[3]


def test_every_cheap_rival_must_be_beaten(built, answers):
    """The stronger rival is wrong where the method is wrong, too; the weaker one elsewhere, which proves less."""
    for name, method, wrong, start in (("lora", "lora", 120, 0), ("tfidf", "tfidf", 144, 0), ("b", "frozen", 146, 400)):
        for seed in range(3):
            predicted, true = answers(600, wrong, start=start)
            built.run(name, predicted, true, method=method, seed=seed)
    verdict = judge(built.results, built.folder)
    assert [pair.different for pair in verdict.pairs] == [True, False, False]
    assert "fine-tuning was not shown to beat the cheap rival b: " in verdict.sentences[0]


def test_pairs_below_the_leader_are_said(built, answers):
    for name, wrong in (("tfidf", 30), ("full", 90), ("lora", 93), ("qlora", 180), ("majority", 280)):
        seeds_of(built, answers, name, wrong, method=name)
    said = judge(built.results, built.folder).sentences
    (others,) = [sentence for sentence in said if sentence.startswith("With this training set, of the other pairs")]
    assert "full beats qlora by " in others
    assert "no difference was shown between full and lora" in others
    assert "majority" not in others


def test_more_rows_are_promised_no_surer_than_they_are_reckoned(built, answers):
    for name, wrong, start in (("lora", 40, 0), ("full", 60, 100)):
        for seed in range(5):
            predicted, true = answers(300, wrong, start=start)
            clusters = [1 + row // 2 for row in range(300)]
            built.run(name, predicted, true, method=name, seed=seed, clusters=clusters)
    (told,) = [text for text in judge(built.results, built.folder).sentences if "no difference between" in text]
    assert re.search(
        r"If there is one, about [\d,]+( to [\d,]+| \(or many more\))? additional test rows \(each a text of its own\)",
        told,
    )


def test_repeats_assume_no_spread(built, answers):
    for partition in range(4):
        for name, wrong in (("lora", 5 + partition % 2), ("full", 6 + partition)):
            predicted, true = answers(60, wrong)
            built.run(name, predicted, true, method=name, partition=partition, protocol={"split": {"kind": "repeated"}})
    verdict = judge(built.results, built.folder)
    assert all(row.repeated for row in verdict.rows)
    assert not any("one seed" in text for text in [*verdict.sentences, *verdict.assumptions])
    assert any(text.startswith("With new training sets of this kind, ") for text in verdict.sentences)
    assert verdict.assumptions[0] == claim(repeated=True)
    assert any("additional test rows in each split" in text for text in verdict.sentences)


def test_nothing_wins_by_doing_nothing_and_what_is_saved_is_not_called_the_model(built, answers):
    seeds_of(built, answers, "zero", 30, method="zero-shot", train_seconds=0.0, model_size_mb=0.0)
    seeds_of(built, answers, "lora", 30, train_seconds=9.0, model_size_mb=1.5)
    seeds_of(built, answers, "full", 30, method="full", train_seconds=5.0, model_size_mb=90.0)
    (best,) = [text for text in judge(built.results, built.folder).sentences if text.startswith("Measured best")]
    assert "shortest training full (5 s)" in best
    assert "least saved on the disk lora (1.5 MB)" in best


def test_the_front_and_who_is_dominated_are_said_as_measured(built, answers):
    seeds_of(built, answers, "full", 30, method="full", train_seconds=60.0)
    seeds_of(built, answers, "lora", 33, train_seconds=9.0)
    seeds_of(built, answers, "dora", 36, method="dora", train_seconds=12.0)
    said = judge(built.results, built.folder).sentences
    (front,) = [text for text in said if "the Pareto front" in text]
    assert front == (
        "As measured, the Pareto front of accuracy, macro F1, memory, training time, cost, size and latency is full, "
        "lora."
    )
    (off,) = [text for text in said if "Not on it" in text]
    assert "dora (lora)" in off
    assert off.endswith("Other test rows may give another front.")


def test_a_front_of_all_rows_decides_nothing_and_is_not_said(built, answers):
    seeds_of(built, answers, "full", 30, method="full", train_seconds=60.0)
    seeds_of(built, answers, "lora", 33, train_seconds=9.0)
    said = judge(built.results, built.folder).sentences
    assert not any("Pareto front" in text for text in said)


def test_a_failed_fold_does_not_make_the_worse_method_win(built, answers):
    """The hard half of the rows is missing from the worse method's answers; on common rows the other is ahead."""
    easy, hard = list(range(1, 201)), list(range(201, 401))
    for seed in range(3):
        for name, method, wrong in (("full", "full", (10, 120)), ("tfidf", "tfidf", (30, 160))):
            for partition, (rows, miss) in enumerate(zip((easy, hard), wrong, strict=True)):
                if (name, partition) == ("tfidf", 1):
                    continue
                predicted, true = answers(200, miss)
                protocol = {"split": {"kind": "kfold", "folds": 2}}
                given = {"rows": rows, "partition": partition, "protocol": protocol}
                built.run(name, predicted, true, method=method, seed=seed, **given)
    verdict = judge(built.results, built.folder)
    scores = {row.name: row.accuracy.value for row in verdict.rows}
    assert scores == {"full": pytest.approx(0.95), "tfidf": pytest.approx(0.85)}
    assert {row.test_rows for row in verdict.rows} == {200}
    assert verdict.recommendation.chosen == "full"
    (said,) = [text for text in verdict.sentences if "test rows that all of full, tfidf answered" in text]
    assert said in verdict.recommendation.warnings


def test_rows_without_common_test_rows_are_not_ranked(built):
    built.run("lora", [0, 1], [0, 1], rows=[1, 2])
    built.run("full", [0, 0], [0, 1], rows=[3, 4], method="full")
    verdict = judge(built.results, built.folder)
    assert verdict.recommendation.chosen is None
    assert [row.accuracy for row in verdict.rows] == [None, None]
    assert all(row.missing_reason.startswith("not compared: No test row was answered by all") for row in verdict.rows)
    assert not any("highest accuracy" in text or "beat" in text for text in verdict.sentences)


def test_a_row_with_few_answers_is_not_ranked_but_stays_in_the_table(built, answers):
    seeds_of(built, answers, "full", 30, method="full", seeds=1)
    seeds_of(built, answers, "lora", 40, seeds=1)
    built.run("qlora", [0] * 5, [0] * 5, method="qlora", rows=[1, 4, 7, 10, 13])
    verdict = judge(built.results, built.folder)
    assert [row.name for row in verdict.rows if row.accuracy] == ["full", "lora"]
    assert "qlora" not in {name for pair in verdict.pairs for name in (pair.first, pair.second)}
    assert any(
        text.startswith("qlora has no score (not compared: qlora answered 5 of 300") for text in verdict.sentences
    )


def test_every_claim_of_a_difference_names_its_target(built, answers):
    for name, wrong in (("tfidf", 30), ("full", 90), ("lora", 93), ("qlora", 180)):
        seeds_of(built, answers, name, wrong, method=name)
    said = judge(built.results, built.folder).sentences
    claims = [text for text in said if " beats " in text or "no difference" in text or "not shown to beat" in text]
    assert claims
    assert [text for text in claims if not text.startswith("With this training set, ")] == []
    assert judge(built.results, built.folder).assumptions[0] == claim(repeated=False)


def test_words_that_read_as_equal_or_as_measured_where_nothing_was_are_gone(built, answers):
    for name, wrong in (("tfidf", 90), ("full", 90), ("lora", 93), ("qlora", 180)):
        seeds_of(built, answers, name, wrong, method=name, seeds=1)
    verdict = judge(built.results, built.folder)
    said = " ".join([*verdict.sentences, *verdict.recommendation.reasons, *verdict.recommendation.flips])
    for words in ("told apart", "equally well", "chance included", "spread between reruns is too large", "coin toss"):
        assert words not in said


def test_sentences_on_many_rows_name_the_first_few(built, answers):
    for place in range(20):
        seeds_of(built, answers, f"arm-{place:02d}", 20 + place, seeds=1)
    verdict = judge(built.results, built.folder)
    assert any(" more ran with one seed each" in text for text in verdict.sentences)
    single = [text for text in verdict.sentences if " pairs" not in text and "Not on it" not in text]
    assert max(text.count("arm-") for text in single) <= 8
