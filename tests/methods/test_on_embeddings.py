"""Methods on embeddings, against independent implementations: neighbours, trees, static tables, pairs of SetFit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from showdown.core.journal import Journal
from showdown.core.method import FittedMethod
from showdown.core.spec import TuningSpec
from showdown.methods.choice import best_by_validation
from showdown.methods.knn import TEMPERATURE, NeighbourHead
from showdown.methods.static import distilled
from showdown.methods.table import build
from showdown.methods.trees import trees_of
from showdown.models.embedding import Embedder
from showdown.tasks.classification.contrastive import Pairs, drawn_pairs, pair_loss, rate_factor
from tiny_pretrained import job, separable_rows

TRAIN, HELD_OUT = separable_rows(24), separable_rows(9, start=24)
ONE_ROUND = {"rounds": 1}
RANDOM = np.random.default_rng(0)


def unit(rows: int, width: int = 6) -> np.ndarray:
    found = RANDOM.normal(size=(rows, width))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_neighbours_vote_as_those_of_scikit_learn() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    rows, targets, asked = unit(40).astype(np.float32), RANDOM.integers(0, 4, 40), unit(300)
    head = NeighbourHead(rows, targets, 7, 5)
    weights = lambda distances: np.exp((1 - distances**2 / 2) / TEMPERATURE)  # noqa: E731
    other = KNeighborsClassifier(7, weights=weights, algorithm="brute").fit(rows.astype(np.float64), targets)
    np.testing.assert_allclose(head.probabilities(asked)[:, :4], other.predict_proba(asked), atol=1e-4)
    assert not head.probabilities(asked)[:, 4].any()
    assert NeighbourHead(rows[:3], targets[:3], 50, 5).probabilities(asked).sum() == pytest.approx(300)


@pytest.mark.parametrize("known", [(0, 1, 2), (0, 2), (1, 2)])
def test_trees_answer_as_in_scikit_learn(known: tuple[int, ...]) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, targets, asked = unit(60), np.array(known)[RANDOM.integers(0, len(known), 60)], unit(30)
    model = HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=3, early_stopping=False).fit(rows, targets)
    head = trees_of(model, 3)
    np.testing.assert_allclose(head.probabilities(asked)[:, list(known)], model.predict_proba(asked), atol=1e-9)
    np.testing.assert_array_equal(head.of(head.tensors()).probabilities(asked), head.probabilities(asked))


def test_a_static_table_is_the_weighted_principal_components() -> None:
    from sklearn.decomposition import PCA

    vectors = RANDOM.normal(size=(50, 8)) * np.arange(1, 9)
    table = distilled(vectors, 3, silent=[7]).astype(np.float64)
    rank = 1 / np.arange(2, 52)
    wanted = PCA(3).fit_transform(vectors) * (1e-4 / (1e-4 + rank / rank.sum()))[:, None]
    wanted[7] = 0.0
    signs = np.sign((table * wanted).sum(axis=0))
    np.testing.assert_allclose(table * signs, wanted / np.abs(wanted).max(), atol=1e-3)
    assert distilled(vectors, 100, silent=[]).shape == (50, 8)


@pytest.mark.parametrize("family", ["bert", "mistral"])
def test_each_pooling_takes_its_token_whatever_is_beside_it(pretrained: Callable[[str], Path], family: str) -> None:
    """Of a text alone, without padding, by the network itself."""
    folder = pretrained(family)
    texts = ["oven dough flour bread", "wing"]
    for pooling in ("mean", "last", "cls"):
        embedder = Embedder(folder, job(folder), pooling)  # type: ignore[arg-type]
        found = embedder.embed(texts, batch_rows=2)
        for text, vector in zip(texts, found, strict=True):
            ids = torch.tensor([embedder.tokenizer(text)["input_ids"]])
            with torch.no_grad():
                hidden = embedder.module(input_ids=ids).last_hidden_state[0].double()
            wanted = {"mean": hidden.mean(0), "last": hidden[-1], "cls": hidden[0]}[pooling]
            np.testing.assert_allclose(vector, wanted / wanted.norm(), atol=1e-5)


def test_a_token_of_the_vocabulary_is_read_between_the_marks(pretrained: Callable[[str], Path]) -> None:
    embedder = Embedder(pretrained("bert"), job(pretrained("bert")))
    before, after = embedder.marks()
    assert [*before, *after] == embedder.tokenizer("")["input_ids"]
    assert len(before) == len(after) == 1
    token = embedder.tokenizer("oven")["input_ids"][1]
    vector = embedder.embed_vocabulary()[token]
    np.testing.assert_allclose(vector / np.linalg.norm(vector), embedder.embed(["oven"], batch_rows=1)[0], atol=1e-5)


def test_settings_are_chosen_by_what_is_likeliest_on_the_validation_rows() -> None:
    likely = {1: [[0.6, 0.4], [0.0, 1.0]], 2: [[0.9, 0.1], [0.5, 0.5]], 3: [[1.0, 0.0], [1.0, 0.0]]}
    chosen = best_by_validation((1, 2, 3), lambda one: one, lambda one: np.array(likely[one]), (0, 1))
    assert chosen == (1, 1)
    assert best_by_validation((3, 2), lambda one: one, lambda one: np.zeros((0, 2)), ()) == (3, 3)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [("knn", "neighbours", 3), ("naive-bayes", "smoothing", 0.5)],
)
def test_a_setting_is_taken_as_it_is_given_and_else_chosen(
    pretrained: Callable[[str], Path], name: str, setting: str, value: float
) -> None:
    asked, notes = job(pretrained("bert")), {}
    for settings in ({}, {setting: value}):
        method = build(name, settings)
        assert isinstance(method, FittedMethod)
        notes[len(settings)] = method.fit(TRAIN, asked, validation=HELD_OUT).notes
    assert "chosen on the validation rows" in notes[0][0]
    assert notes[1] == ()


def test_pairs_have_the_labels_that_they_should_and_their_loss_is_of_cosines(pretrained: Callable[[str], Path]) -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    drawn = drawn_pairs(np.arange(6), labels, np.random.default_rng(0))
    assert len(drawn.first) == 11, "the row that is alone in its label has no partner"
    assert ((labels[drawn.first] == labels[drawn.second]) == (drawn.cosine == 1)).all()
    assert (drawn.first != drawn.second).all()
    assert len(drawn_pairs(np.arange(3), np.zeros(3, dtype=np.int64), np.random.default_rng(0)).first) == 3
    embedder = Embedder(pretrained("bert"), job(pretrained("bert")))
    texts = ["oven dough", "wing flight sky", "ward"]
    ids = [embedder.tokenizer(text)["input_ids"] for text in texts]
    pairs = Pairs(first=np.array([0, 2]), second=np.array([1, 0]), cosine=np.array([1, 0], dtype=np.float32))
    vectors = embedder.embed(texts, batch_rows=1)
    wanted = ((vectors[0] @ vectors[1] - 1) ** 2 + (vectors[2] @ vectors[0]) ** 2) / 2
    assert float(pair_loss(embedder, ids, pairs).detach()) == pytest.approx(wanted, rel=1e-4)


def test_the_rate_of_pairs_rises_and_falls() -> None:
    factors = [rate_factor(step, warmup=2, steps=6) for step in range(6)]
    np.testing.assert_allclose(factors, [1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25])


def fitted(folder: Path, journal: Journal, settings: Mapping[str, Any] = ONE_ROUND, **protocol: Any) -> Any:
    method: Any = build("setfit", dict(settings))
    method.journal = journal
    asked = job(folder)
    asked = replace(asked, protocol=asked.protocol.model_copy(update=protocol))
    return method.fit(TRAIN, asked, validation=HELD_OUT)


def test_pairs_bring_texts_of_a_label_together(pretrained: Callable[[str], Path]) -> None:
    folder = pretrained("bert")
    before = Embedder(folder, job(folder))
    after = fitted(folder, Journal(), {"rounds": 5, "learning_rate": 0.003}).predictor.embedder
    same = np.equal.outer(HELD_OUT.targets, HELD_OUT.targets)

    def gap(embedder: Embedder) -> float:
        vectors = embedder.embed(HELD_OUT.texts, batch_rows=9)
        cosines = vectors @ vectors.T
        return float(cosines[same].mean() - cosines[~same].mean())

    assert gap(after) > gap(before) + 0.1


def test_learning_rates_are_tried_where_the_protocol_tunes_and_none_twice(
    pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from showdown.tasks.classification import contrastive

    rates: list[float] = []
    original = contrastive.train_on_pairs

    def counting(*args: Any, learning_rate: float, **kwargs: Any) -> int:
        rates.append(learning_rate)
        return original(*args, learning_rate=learning_rate, **kwargs)

    monkeypatch.setattr(contrastive, "train_on_pairs", counting)
    journal = Journal()
    notes = fitted(pretrained("bert"), journal, tuning=TuningSpec(trials=3)).notes
    assert len(rates) == 4
    np.testing.assert_allclose(rates[:3], 2e-5 * 10.0 ** np.array([-0.5, 0.0, 0.5]))
    best = max(journal.steps, key=lambda step: step["score"])["learning_rate"]
    assert rates[3] == best
    assert notes == (f"learning rate {best:.2g}, the best of 3 on the validation rows",)
    again = Journal()
    again.steps = [*journal.steps[:2], {"loss": 1.0}]
    assert fitted(pretrained("bert"), again, tuning=TuningSpec(trials=3)).notes == notes
    assert rates[4:] == [rates[2], rates[3]]


def test_pairs_end_in_the_time_of_a_training_and_say_so(pretrained: Callable[[str], Path]) -> None:
    notes = fitted(pretrained("bert"), Journal(), max_seconds=1e-9).notes
    assert notes == ("SetFit: cut short by the time limit after 0 rounds",)
