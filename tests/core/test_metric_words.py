"""How values and differences of a metric are said, and which metric a task may have."""

from typing import Any

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.metric import METRICS, Metric
from showdown.core.metric_choice import automatic_for_writing, refuse_metric_without_scores
from showdown.core.own_metric import own_metric
from showdown.core.record import OwnScore

WORDS = {
    # key: (difference, its size, its gap, its sign, a margin of 0.01, a value with the title)
    "accuracy": (0.0123, "1.2 points", "1.2 points", "+1.2", "1 point", "87.5 % accuracy"),
    "f1_macro": (0.0123, "1.2 points", "1.2 points", "+1.2", "1 point", "0.875 macro F1"),
    "exact_match": (0.0123, "1.2 points", "1.2 points of exact match", "+1.2", "1 point", "87.5 % exact match"),
    "json_fields": (0.0123, "0.012", "0.012 of JSON field F1", "+0.012", "0.01", "0.875 JSON field F1"),
    "token_loss": (0.0123, "0.012 nats", "0.012 nats of token loss", "+0.012", "0.01 nats", "0.875 nats of token loss"),
    "perplexity": (-0.0123, "-0.012", "-0.012 of perplexity", "-0.012", "0.01", "0.875 perplexity"),
}


@pytest.mark.parametrize("key", WORDS)
def test_a_difference_is_said_in_the_unit_of_its_metric(key: str) -> None:
    difference, *words = WORDS[key]
    metric = METRICS[key]
    assert words == [
        metric.size(difference),
        metric.gap(difference),
        metric.signed(difference),
        metric.margin(0.01),
        metric.scored(0.875),
    ]
    assert metric.signed(-1e-9) in {"+0.0", "+0.000"}


def test_more_and_less() -> None:
    assert (METRICS["rouge_l"].more, METRICS["rouge_l"].best_word) == ("more", "highest")
    assert (METRICS["token_loss"].more, METRICS["token_loss"].best_word) == ("less", "lowest")


def test_headings_keep_names_as_they_are_written() -> None:
    headings = {
        key: METRICS[key].heading for key in ("chrf", "rouge_l", "exact_match", "token_loss", "f1_macro", "mcc")
    }
    assert headings == {
        "chrf": "chrF",
        "rouge_l": "ROUGE-L",
        "exact_match": "Exact match %",
        "token_loss": "Token loss nats",
        "f1_macro": "Macro F1",
        "mcc": "MCC",
    }
    assert METRICS["token_loss"].axis == "Token loss, nats"


@pytest.mark.parametrize(
    ("task", "protocol", "said"),
    [
        ("generation", {"metric": "mcc"}, "`mcc` is a metric of classification; those of generation are exact_match, "),
        ("generation", {"metric": "f1:a"}, "`f1` is a metric of classification; "),
        (
            "classification",
            {"metric": "chrf"},
            "`chrf` is a metric of generation; those of classification are accuracy, ",
        ),
        ("generation", {"metric": "own"}, "`own` is your own score of answers: name its function in `protocol.scorer`"),
    ],
)
def test_a_metric_of_another_task_is_refused_in_a_line(task: str, protocol: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as refused:
        check({"task": task, "methods": {"lora": {}}, "protocol": protocol}, "mine.yaml")
    assert str(refused.value).startswith(f"mine.yaml: `protocol.metric`: {said}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("metric", [key for key, one in METRICS.items() if one.is_of_writing])
def test_every_metric_of_written_answers_can_be_asked_for(metric: str) -> None:
    protocol = {"metric": metric, "scorer": "mine.py:score"}
    found = check({"task": "generation", "methods": {"lora": {}}, "protocol": protocol}, "mine.yaml")
    assert found.protocol.metric == metric


def test_all_arms_have_one_score_of_the_users_own() -> None:
    written = {"task": "generation", "methods": {"lora": {"protocol": {"scorer": "mine.py:other"}}}}
    with pytest.raises(UserError, match=r"all rows have one scorer; set `protocol.scorer` instead"):
        check(written, "mine.yaml")


@pytest.mark.parametrize(
    ("scored", "words", "key"),
    [
        (["exact_match", "json_fields", "rouge_l", "chrf"], 3.0, "json_fields"),
        (["exact_match", "numeric_match", "chrf"], 1.0, "numeric_match"),
        (["exact_match", "rouge_l", "chrf"], 10.0, "exact_match"),
        (["exact_match", "rouge_l", "chrf"], 10.5, "rouge_l"),
        (["exact_match", "rouge_l", "chrf"], None, "rouge_l"),
        (["exact_match", "chrf"], 40.0, "chrf"),
        ([], None, "exact_match"),
    ],
)
def test_what_auto_takes(scored: list[str], words: float | None, key: str) -> None:
    assert automatic_for_writing(scored, words).key == key


def test_a_score_that_the_data_do_not_have_is_refused() -> None:
    refuse_metric_without_scores("auto", [])
    refuse_metric_without_scores("perplexity", ["exact_match"])
    with pytest.raises(
        UserError, match=r"`protocol.metric`: `numeric_match` does not apply to these data; .* chrf, token"
    ):
        refuse_metric_without_scores("numeric_match", ["exact_match", "chrf"])


def test_the_own_score_takes_title_and_bounds_from_the_record() -> None:
    found = own_metric(OwnScore(title="stars", lowest=None, highest=5.0))
    assert isinstance(found, Metric)
    assert (found.title, found.lowest, found.highest, found.is_bounded) == ("stars", -float("inf"), 5.0, False)
    assert own_metric(OwnScore(title="stars", highest=5.0)).is_bounded
