"""A training that was cut short, or that diverged, is no method that is worse."""

from typing import Any

import pytest

from showdown.core.record import Convergence
from showdown.verdict.summary import judge

SHORT = Convergence(converged=False, stopped="cap", epochs=3, best_epoch=3)
ENDED = Convergence(converged=True, stopped="patience", epochs=9, best_epoch=6)


def seeds_of(built: Any, answers: Any, name: str, wrong: int, *, seeds: int = 3, **record: Any) -> None:
    for seed in range(seeds):
        predicted, true = answers(300, wrong, start=seed)
        built.run(name, predicted, true, seed=seed, **record)


def test_a_row_that_was_cut_short_is_said_first_and_is_not_beaten(built, answers):
    seeds_of(built, answers, "full", 30, method="full", convergence=ENDED)
    seeds_of(built, answers, "lora", 90, convergence=SHORT)
    seeds_of(built, answers, "qlora", 150, method="qlora", convergence=SHORT)
    verdict = judge(built.results, built.folder)
    assert verdict.sentences[0] == ("lora and qlora had not converged: this table does not say that they are worse.")
    assert verdict.sentences[0] in verdict.recommendation.warnings
    assert all(pair.different for pair in verdict.pairs)
    said = " ".join(verdict.sentences)
    assert "full beats" not in said
    assert "full scored more than lora by" in said
    assert "none of which had converged" in said
    assert "lora scored more than qlora, which had not converged, by" in said
    assert [row.cut_short for row in verdict.rows] == [False, True, True]
    assert [(row.trained, row.unconverged) for row in verdict.rows] == [(3, 0), (3, 3), (3, 3)]


@pytest.mark.parametrize("wrong", [31, 120])
def test_a_cheap_rival_does_not_win_against_what_had_not_converged(built, answers, wrong):
    seeds_of(built, answers, "tfidf", 30, method="tfidf")
    seeds_of(built, answers, "lora", wrong, convergence=SHORT)
    said = judge(built.results, built.folder).sentences
    assert said[0] == "lora had not converged: this table does not say that it is worse."
    assert said[1].startswith(
        "It is open whether fine-tuning beats the cheap rival tfidf: lora, the best fine-tuned method,"
    )
    assert said[1].endswith(" % accuracy so far, but had not converged; tfidf has 90.0 %.")
    assert not any("not shown to beat the cheap rival" in text or "tfidf beats" in text for text in said)


def test_another_method_that_had_not_converged_qualifies_the_cheap_rival_too(built, answers):
    seeds_of(built, answers, "tfidf", 30, method="tfidf")
    seeds_of(built, answers, "full", 90, method="full", convergence=ENDED)
    seeds_of(built, answers, "lora", 120, convergence=SHORT)
    said = judge(built.results, built.folder).sentences
    assert said[0].startswith("lora had not converged")
    assert said[1].endswith("lora may do better when trained for longer.")


def test_a_winner_that_had_not_converged_is_recommended_all_the_same(built, answers):
    seeds_of(built, answers, "lora", 30, convergence=SHORT)
    seeds_of(built, answers, "full", 90, method="full", convergence=ENDED)
    verdict = judge(built.results, built.folder)
    assert verdict.recommendation.chosen == "lora"
    assert "lora had not converged: more training may raise its score." in verdict.sentences
    assert "lora beats full by" in " ".join(verdict.sentences)


def test_one_run_of_many_that_was_cut_short_marks_no_row(built, answers):
    for seed, end in enumerate((ENDED, SHORT, ENDED)):
        predicted, true = answers(300, 60, start=seed)
        built.run("lora", predicted, true, seed=seed, convergence=end)
    seeds_of(built, answers, "full", 30, method="full", convergence=ENDED)
    verdict = judge(built.results, built.folder)
    assert not any(row.cut_short for row in verdict.rows)
    assert "1 of 3 runs of lora had not converged." in verdict.sentences


def test_divergences_are_counted_and_said_beside_every_win_of_the_survivors(built, answers):
    for seed in range(3):
        predicted, true = answers(300, 6, start=seed)
        built.run("lora", predicted, true, seed=seed)
    for seed in (3, 4):
        built.failed("lora", "diverged", "loss was not finite", method="lora", seed=seed)
    seeds_of(built, answers, "full", 60, method="full", seeds=5)
    seeds_of(built, answers, "qlora", 120, method="qlora", seeds=5)
    verdict = judge(built.results, built.folder)
    lora = verdict.rows[0]
    assert (lora.diverged, lora.runs, lora.missing_reason) == (2, 5, None)
    assert "2 of 5 runs of lora diverged: its score counts only the others." in verdict.sentences
    (won,) = [text for text in verdict.sentences if "lora beats" in text]
    assert won.endswith("These leads leave out the 2 of 5 runs of lora that diverged.")
    assert verdict.recommendation.warnings[0].startswith("2 of 5 runs of lora diverged")


def test_a_row_of_which_every_run_diverged_has_no_score_and_says_why(built, answers):
    seeds_of(built, answers, "full", 60, method="full")
    built.failed("lora", "diverged", "loss was not finite", method="lora")
    verdict = judge(built.results, built.folder)
    assert "1 of 1 runs of lora diverged: it has no score." in verdict.sentences
    assert any(text.startswith("lora has no score (diverged: loss was not finite") for text in verdict.sentences)


def test_ending_below_the_linear_probe_of_the_same_network_is_said(built, answers):
    seeds_of(built, answers, "frozen", 30, method="frozen")
    seeds_of(built, answers, "full", 90, method="full", convergence=ENDED)
    assert (
        judge(built.results, built.folder)
        .sentences[0]
        .startswith("full is under-trained or badly tuned: it scored 20.0 points less than frozen, the linear probe")
    )


@pytest.mark.parametrize(("wrong", "settings"), [(32, {}), (90, {"model": "another"})])
def test_noise_and_another_networks_probe_are_no_sign_of_it(built, answers, wrong, settings):
    seeds_of(built, answers, "frozen", 30, method="frozen", settings=settings)
    seeds_of(built, answers, "full", wrong, method="full", convergence=ENDED)
    assert "under-trained" not in " ".join(judge(built.results, built.folder).sentences)


def test_a_rate_at_an_end_of_its_range_is_said(built, answers):
    seeds_of(built, answers, "lora", 30, notes=["best learning rate 5e-3 lies at the high end of the range searched"])
    assert any(
        text.startswith("The best learning rate of lora lay at an end of the range searched")
        for text in judge(built.results, built.folder).sentences
    )
