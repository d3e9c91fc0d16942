"""What each test row is worth to a metric, checked against scikit-learn and against leaving rows out one by one."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics

from showdown.core.metric import CLASSIFICATION, METRICS, Metric, metric_named
from showdown.verdict.classification.answers import Answers
from showdown.verdict.influence import row_values

LABELS = {"ok": 0, "spam": 1, "ham": 2}
Reference = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
REFERENCES: dict[str, Reference] = {
    "accuracy": lambda true, said, scores: metrics.accuracy_score(true, said),
    "f1_macro": lambda true, said, scores: metrics.f1_score(true, said, average="macro", zero_division=0),
    "mcc": lambda true, said, scores: metrics.matthews_corrcoef(true, said),
    "balanced_accuracy": lambda true, said, scores: metrics.balanced_accuracy_score(true, said),
    "f1_weighted": lambda true, said, scores: metrics.f1_score(true, said, average="weighted", zero_division=0),
    "precision_weighted": lambda true, said, scores: metrics.precision_score(
        true, said, average="weighted", zero_division=0
    ),
    "recall_weighted": lambda true, said, scores: metrics.recall_score(true, said, average="weighted", zero_division=0),
    "f1:spam": lambda true, said, scores: metrics.f1_score(true == 1, said == 1, zero_division=0),
    "average_precision:spam": lambda true, said, scores: metrics.average_precision_score(true == 1, scores),
}


def drawn(rows: int = 60, seeds: int = 2, *, ties: bool = False) -> Answers:
    rng = np.random.default_rng(3)
    true = rng.choice(3, rows, p=[0.7, 0.1, 0.2])
    predicted = np.where(rng.random((seeds, rows)) < 0.7, true, rng.integers(0, 3, (seeds, rows)))
    scores = rng.random((seeds, rows)) + 0.4 * (true == 1)
    return Answers(
        predicted=predicted,
        true=true,
        clusters=np.arange(rows),
        row_ids=np.arange(rows),
        scores=np.round(scores, 1) if ties else scores,
    )


def asked(key: str) -> Metric:
    return metric_named(key).at(LABELS)


def test_every_metric_has_a_reference() -> None:
    assert {key.partition(":")[0] for key in REFERENCES} == {
        key for key, metric in METRICS.items() if metric.task == CLASSIFICATION
    }


@pytest.mark.parametrize("key", REFERENCES)
@pytest.mark.parametrize("ties", [False, True])
def test_a_metric_is_what_scikit_learn_says(key: str, ties: bool) -> None:
    part = drawn(ties=ties)
    assert part.scores is not None
    found = row_values(asked(key), part)
    expected = [
        REFERENCES[key](part.true, said, scores) for said, scores in zip(part.predicted, part.scores, strict=True)
    ]
    assert found.by_seed == pytest.approx(expected)
    assert found.values.mean(axis=1) == pytest.approx(expected)


@pytest.mark.parametrize("key", REFERENCES)
@pytest.mark.parametrize("ties", [False, True])
def test_a_row_is_worth_what_the_metric_loses_without_it(key: str, ties: bool) -> None:
    part = drawn(ties=ties)
    assert part.scores is not None
    rows = len(part.true)
    for said, scores, values in zip(part.predicted, part.scores, row_values(asked(key), part).values, strict=True):
        kept = [np.delete(np.arange(rows), row) for row in range(rows)]
        left_out = np.array([REFERENCES[key](part.true[at], said[at], scores[at]) for at in kept])
        assert values - values.mean() == pytest.approx((rows - 1) * (left_out.mean() - left_out), abs=1e-9)


@pytest.mark.parametrize("key", REFERENCES)
def test_a_constant_answer_moves_by_no_row_that_it_gets_wrong(key: str) -> None:
    part = drawn(seeds=1)
    constant = Answers(
        predicted=np.zeros_like(part.predicted),
        true=part.true,
        clusters=part.clusters,
        row_ids=part.row_ids,
        scores=np.zeros((1, len(part.true))),
    )
    found = row_values(asked(key), constant)
    share = {"accuracy": (part.true == 0).mean(), "balanced_accuracy": 1 / 3, "mcc": 0.0, "f1:spam": 0.0}
    share["average_precision:spam"] = (part.true == 1).mean()
    if key in share:
        assert found.value == pytest.approx(share[key])
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("key", REFERENCES)
@pytest.mark.parametrize("rows", [1, 40])
def test_rows_of_one_label_alone_have_a_value(key: str, rows: int) -> None:
    part = Answers(
        predicted=np.zeros((1, rows), dtype=np.int64),
        true=np.zeros(rows, dtype=np.int64),
        clusters=np.arange(rows),
        row_ids=np.arange(rows),
        scores=np.zeros((1, rows)),
    )
    found = row_values(asked(key), part)
    assert np.isfinite([found.value, found.weight]).all()
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize(
    ("key", "weight"),
    [
        ("accuracy", 1.0),
        ("balanced_accuracy", 1000 / 60),
        ("f1_macro", 0.89 * 1000 / 60),  # 2 / 1.5 - 1 / 1.5**2 of a label of which half is found
        ("mcc", 2**0.5 * 1000 / 60),  # half of the square root of the recall, by the recall, at a half
        ("f1:spam", 0.89 * 1000 / 30),
        ("average_precision:spam", 1000 / 30),
    ],
)
def test_one_answer_matters_by_how_rare_its_label_is(key: str, weight: float) -> None:
    true = np.array([1] * 30 + [0] * 970)
    part = Answers(
        predicted=true[None],
        true=true,
        clusters=np.arange(1000),
        row_ids=np.arange(1000),
        scores=true[None].astype(float),
    )
    assert row_values(asked(key), part).weight == pytest.approx(weight, rel=0.06)
