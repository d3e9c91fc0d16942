"""The metric of the verdict: planted truths with a rare label, and comparisons in which nothing changes."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from showdown.core.errors import UserError
from showdown.core.record import Phase
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

ROWS = 1000
FRAUD = range(0, 990, 33)
"""30 of 1,000 rows have the label `b`."""
TRUE = [int(row in FRAUD) for row in range(ROWS)]
RARE = ["f1_macro", "mcc", "balanced_accuracy", "f1:b", "average_precision:b"]


def finds(share: float, false_alarms: int = 0) -> list[int]:
    """Answers that find a share of the rare label's rows, and take some others for it."""
    found = set(list(FRAUD)[: round(share * len(FRAUD))])
    alarms = set(range(1, 1 + 33 * false_alarms, 33))
    return [int(row in found or row in alarms) for row in range(ROWS)]


def scored(answers: Sequence[int]) -> list[list[float]]:
    return [[1.0 - said, float(said), 0.0] for said in answers]


def add(built: Any, name: str, answers: list[int], *, seconds: float, method: str = "lora", **more: Any) -> None:
    took = Phase(name="training", seconds=seconds, peak_allocated_gb=1.0, peak_reserved_gb=1.0, peak_device_gb=1.0)
    measured = {"train_seconds": seconds, "phases": [took]}
    built.run(name, answers, TRUE, method=method, scores=scored(answers), **measured, **more)


def fraud(built: Any, *, seeds: Sequence[int] = (0,)) -> None:
    """A floor that costs nothing, a method that finds 60 % of the rare label, a perfect one at 50 times the cost."""
    for seed in seeds:
        add(built, "majority", finds(0.0), seconds=0.001, method="majority", seed=seed)
        add(built, "some", finds(0.6, 2), seconds=100.0, seed=seed)
        add(built, "perfect", finds(1.0), seconds=5000.0, seed=seed)


def of(verdict: Verdict, first: str, second: str) -> Any:
    return next(pair for pair in verdict.pairs if {pair.first, pair.second} == {first, second})


def test_unbalanced_labels_are_judged_by_macro_f1_and_the_sentence_says_why(built: Any) -> None:
    fraud(built)
    verdict = judge(built.results, built.folder)
    assert verdict.metric == "f1_macro"
    assert verdict.sentences[1] == (
        "97.0 % of the test rows have the label a, so that always answering it has 97.0 % accuracy: methods are "
        "ranked, tested and recommended by macro F1, a point of which is 0.01."
    )
    assert verdict.sentences[1] in verdict.recommendation.warnings
    assert verdict.sentences[0].startswith("perfect scored highest: 1.000 macro F1 (95 % interval ")
    assert any("perfect beats " in said and "majority by 50.8 points" in said for said in verdict.sentences)


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("metric", RARE)
def test_a_method_that_finds_the_rare_label_beats_one_that_does_not(
    built: Any, metric: str, seeds: tuple[int, ...]
) -> None:
    fraud(built, seeds=seeds)
    verdict = judge(built.results, built.folder, metric=metric)
    assert verdict.metric == metric
    assert of(verdict, "majority", "perfect").different
    assert of(verdict, "majority", "some").different
    assert verdict.recommendation.chosen in {"some", "perfect"}
    by_score = sorted(verdict.rows, key=lambda row: -row.score.value)  # type: ignore[union-attr]
    assert [row.name for row in by_score] == ["perfect", "some", "majority"]


def test_by_accuracy_the_floor_may_still_be_taken_where_that_is_asked(built: Any) -> None:
    add(built, "majority", finds(0.0), seconds=0.001, method="majority")
    add(built, "finder", finds(0.1), seconds=90_000.0)
    verdict = judge(built.results, built.folder, metric="accuracy")
    assert verdict.recommendation.chosen == "majority"
    assert "97.0 % of the test rows have the label a" in verdict.sentences[1]
    assert verdict.sentences[1].endswith("recommended by accuracy, as asked.")


@pytest.mark.parametrize("metric", ["auto", *RARE])
@pytest.mark.parametrize("found", [0.04, 0.1, 0.3, 1.0])
def test_the_floor_is_never_taken_above_a_method_that_finds_the_rare_label(
    built: Any, metric: str, found: float
) -> None:
    """However little it finds, and whatever it costs."""
    add(built, "majority", finds(0.0), seconds=0.001, method="majority")
    add(built, "finder", finds(found), seconds=90_000.0)
    verdict = judge(built.results, built.folder, metric=metric)
    assert verdict.recommendation.chosen == "finder"


def test_a_trained_method_that_always_answers_one_label_is_a_floor_too(built: Any) -> None:
    add(built, "tfidf", finds(0.0), seconds=0.001, method="tfidf")
    add(built, "finder", finds(0.1), seconds=90_000.0)
    assert judge(built.results, built.folder).recommendation.chosen == "finder"


def test_false_alarms_count(built: Any) -> None:
    """Macro F1 ranks by what an engineer would: balanced accuracy hardly sees 100 false alarms."""
    add(built, "alarmist", finds(0.8, 30), seconds=1.0)
    add(built, "careful", finds(0.6), seconds=1.0, method="full")
    by = {key: judge(built.results, built.folder, metric=key) for key in ("auto", "balanced_accuracy")}
    leads = {key: of(verdict, "alarmist", "careful").score.value > 0 for key, verdict in by.items()}
    assert leads == {"auto": False, "balanced_accuracy": True}


def test_balanced_labels_are_judged_by_accuracy_without_a_word(
    built: Any, answers: Callable[..., tuple[list[int], list[int]]]
) -> None:
    for name, wrong in (("full", 5), ("lora", 30)):
        built.run(name, *answers(300, wrong), method=name)
    verdict = judge(built.results, built.folder)
    assert verdict == judge(built.results, built.folder, metric="accuracy")
    assert verdict.metric == "accuracy"
    assert not any("ranked" in said for said in verdict.sentences)
    for row in verdict.rows:
        assert row.score and row.accuracy
        assert (row.score.value, row.score.low, row.score.high) == (
            row.accuracy.value,
            row.accuracy.low,
            row.accuracy.high,
        )
    assert all(pair.score == pair.accuracy for pair in verdict.pairs)


@pytest.mark.parametrize(("frequent", "metric"), [(239, "accuracy"), (240, "f1_macro")])
def test_labels_are_unbalanced_from_four_fifths_on(built: Any, frequent: int, metric: str) -> None:
    true = [int(row >= frequent) for row in range(300)]
    built.run("full", true, true)
    assert judge(built.results, built.folder).metric == metric


def test_the_comparison_names_the_metric_and_the_caller_may_overrule_it(built: Any) -> None:
    fraud(built)
    asked = built.results.model_copy(update={"comparison": {"protocol": {"metric": "mcc"}}})
    assert judge(asked, built.folder).metric == "mcc"
    said = judge(asked, built.folder).sentences[1]
    assert said.endswith("methods are ranked, tested and recommended by MCC, a point of which is 0.01.")
    assert judge(asked, built.folder, metric="f1:b").metric == "f1:b"
    older = built.results.model_copy(update={"comparison": {"protocol": {}}})
    assert judge(older, built.folder).metric == "f1_macro"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("f1:bb", "no label `bb` in the data; did you mean `b`?"),
        ("f1", "`f1` is of one label: name it, as in `f1: LABEL`"),
        ("mcc:b", "`mcc` is of all labels: drop `b`"),
        ("balanced_acuracy", "did you mean `balanced_accuracy`?"),
        ("", "the metrics are auto, accuracy, f1_macro"),
    ],
)
def test_a_metric_that_there_is_not_is_one_line(built: Any, metric: str, said: str) -> None:
    fraud(built)
    with pytest.raises(UserError, match="metric") as refused:
        judge(built.results, built.folder, metric=metric)
    assert said in str(refused.value)


@pytest.mark.parametrize("metric", ["f1_macro", *RARE])
def test_repeated_splits_are_judged_by_the_metric_too(built: Any, metric: str) -> None:
    protocol = {"split": {"kind": "repeated"}}
    for repeat in range(3):
        for name, answers in (("majority", finds(0.0)), ("perfect", finds(0.6 + 0.1 * repeat))):
            add(
                built,
                name,
                answers,
                seconds=1.0,
                partition=repeat,
                protocol=protocol,
                method="majority" if name == "majority" else "lora",
            )
    verdict = judge(built.results, built.folder, metric=metric)
    (pair,) = verdict.pairs
    assert pair.test == "corrected resampled t"
    assert pair.different
    assert pair.score.value < -0.2


@pytest.mark.parametrize("metric", RARE)
def test_folds_are_pooled_before_a_metric_is_computed(built: Any, metric: str) -> None:
    whole, parts = judge_of(built, metric, folds=1), judge_of(built, metric, folds=5)
    for one, other in zip(whole.rows, parts.rows, strict=True):
        assert one.score and other.score
        assert one.score.value == pytest.approx(other.score.value)


def judge_of(built: Any, metric: str, *, folds: int) -> Verdict:
    built.runs.clear()
    for name, answers in (("majority", finds(0.0)), ("some", finds(0.6, 2))):
        for fold in range(folds):
            rows = list(range(fold, ROWS, folds))
            built.run(
                name,
                [answers[row] for row in rows],
                [TRUE[row] for row in rows],
                rows=rows,
                partition=fold,
                scores=scored([answers[row] for row in rows]),
                protocol={"split": {"kind": "kfold"}} if folds > 1 else None,
            )
    return judge(built.results, built.folder, metric=metric)


def test_a_label_with_one_text_has_no_interval(built: Any) -> None:
    true = [int(row == 7) for row in range(300)]
    built.run("full", true, true)
    built.run("lora", [0] * 300, true)
    verdict = judge(built.results, built.folder, metric="f1:b")
    assert [row.score.low for row in verdict.rows if row.score] == [None, None]
    assert (
        "full scored highest: 1.000 F1 of b (no interval: b has fewer than 2 different test texts)."
        in verdict.sentences
    )
