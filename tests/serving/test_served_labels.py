"""`/predict` of a model that gives labels: answers are those of `predict`, and what cannot be answered is one line."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serving.serving_models import Lengths, client_of, label_model
from showdown.core.bounds import RequestedData
from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.prediction.model import Model
from showdown.serving.labels import ServedModel
from showdown.stages.artifact import open_base
from tiny_pretrained import LABELS, separable_rows


def test_one_text_and_several() -> None:
    with client_of(label_model()) as (client, _):
        one = client.post("/predict", json={"text": "abcd"})
        assert one.status_code == 200
        assert one.json() == {
            "model": "lengths",
            "answers": [
                {
                    "label": "b",
                    "score": 0.6,
                    "score_kind": "probability",
                    "confidence": 0.6,
                    "unsure": False,
                    "top": [{"label": "b", "score": 0.6}],
                }
            ],
        }
        several = client.post("/predict", json={"texts": ["abc", "abcd", "abcde"], "top": 2}).json()["answers"]
    assert [one["label"] for one in several] == ["a", "b", "c"]
    assert [[ranked["label"] for ranked in one["top"]] for one in several] == [["a", "b"], ["b", "a"], ["c", "a"]]


def test_more_labels_than_there_are_gives_all() -> None:
    with client_of(label_model()) as (client, _):
        (answer,) = client.post("/predict", json={"text": "abc", "top": 99}).json()["answers"]
    assert [ranked["score"] for ranked in answer["top"]] == [0.6, 0.2, 0.2]


@pytest.mark.parametrize(
    ("asked", "unsure"),
    [
        ({}, False),
        ({"coverage": 0.5}, True),
        ({"coverage": 0.9}, False),
        ({"threshold": 0.6}, False),
        ({"threshold": 0.601}, True),
    ],
)
def test_an_answer_below_the_threshold_is_unsure(asked: dict[str, float], unsure: bool) -> None:
    with client_of(label_model()) as (client, _):
        assert client.post("/predict", json={"text": "abc", **asked}).json()["answers"][0]["unsure"] is unsure


def test_the_server_may_have_a_coverage_of_its_own() -> None:
    with client_of(label_model(), coverage=0.5) as (client, _):
        assert client.post("/predict", json={"text": "abc"}).json()["answers"][0]["unsure"] is True
        assert client.post("/predict", json={"text": "abc", "coverage": 0.9}).json()["answers"][0]["unsure"] is False
    with pytest.raises(UserError, match=r"--coverage 0\.77: thresholds are kept for 0\.5, 0\.9"):
        ServedModel(label_model(), 0.77)


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ({}, "give either `text` or `texts`"),
        ({"text": "a", "texts": ["b"]}, "give either `text` or `texts`"),
        ({"texts": []}, "`texts` is empty; give at least one"),
        ({"text": " "}, "text is empty (cleaned with `whitespace`); give a text with words"),
        ({"texts": ["a", "\t"]}, "texts[1] is empty (cleaned with `whitespace`); give a text with words"),
        ({"texts": ["a", "b\0"]}, "texts[1] contains a NUL character; remove it"),
        ({"texts": ["a", 7]}, "texts.1: Input should be a valid string"),
        ({"text": "a", "top": 0}, "top: Input should be greater than or equal to 1"),
        ({"text": "a", "label": "x"}, "label: Extra inputs are not permitted"),
        ({"text": "a", "coverage": 0.77}, "coverage 0.77: thresholds are kept for 0.5, 0.9"),
        ({"text": "a", "coverage": 0.5, "threshold": 0.5}, "give either `coverage` or `threshold`"),
        (["a"], "the body: Input should be a valid dictionary or object to extract fields from"),
    ],
)
def test_what_cannot_be_answered_is_one_line(asked: Any, detail: str) -> None:
    lengths = Lengths()
    with client_of(label_model(lengths)) as (client, _):
        lengths.batches.clear()
        found = client.post("/predict", json=asked)
    assert (found.status_code, found.json()) == (422, {"detail": detail})
    assert not lengths.batches


def test_half_a_surrogate_pair_is_refused() -> None:
    with client_of(label_model()) as (client, _):
        found = client.post("/predict", content=b'{"text": "\\ud800"}', headers={"content-type": "application/json"})
    assert found.status_code == 422
    assert "text contains half a surrogate pair" in found.json()["detail"]


def test_a_text_is_cleaned_once_as_the_training_texts_were() -> None:
    lengths = Lengths()
    with client_of(label_model(lengths, clean="study")) as (client, _):
        assert client.post("/predict", json={"text": " a  (b)  ht:tp x"}).status_code == 200
    assert lengths.batches[-1] == ["a b http x"]


def test_a_row_that_the_model_cannot_answer_is_named() -> None:
    with client_of(label_model()) as (client, _):
        found = client.post("/predict", json={"texts": ["abc", "this fails"]})
        assert client.post("/predict", json={"text": "abc"}).status_code == 200
    assert found.status_code == 500
    assert found.json() == {"detail": "texts[1] could not be answered by the model (RuntimeError)"}


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_answers_are_those_of_predict_whatever_they_are_answered_with(
    pretrained: Callable[[str], Path], family: str
) -> None:
    """A packed network and a padded one; every text is asked for alone, and all at once by many clients."""
    spec = RunSpec(
        name="full",
        method="full",
        settings={},
        model=ModelSpec(id=str(pretrained(family))),
        protocol=SharedProtocol(max_tokens=16),
        seed=0,
        data_fingerprint="f" * 64,
        needs="network",
    )
    model = Model(
        name="full",
        labels=LABELS,
        data=RequestedData(),
        classifier=open_base(spec, LABELS),  # type: ignore[arg-type]
        confidence=None,
        fix="",
    )
    texts = list(dict.fromkeys(separable_rows(40).texts))
    wanted = {text: model.predict([text])[0] for text in texts}
    with client_of(model, wait_ms=20) as (client, service), ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda text: client.post("/predict", json={"text": text}).json(), texts))
        page = service.metrics.page().decode()
    assert model.classifier.pads is (family == "distilbert")
    for text, answer in zip(texts, answers, strict=True):
        (found,) = answer["answers"]
        assert found["label"] == wanted[text].label
        assert found["score"] == pytest.approx(wanted[text].score, abs=1e-6)
    batches = float(next(line for line in page.splitlines() if line.startswith("showdown_batch_rows_count")).split()[1])
    assert batches < len(texts), "rows were answered together"
