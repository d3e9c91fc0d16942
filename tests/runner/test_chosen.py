"""What `auto` stood for in a folder stays when rows are added, and is chosen anew where anything else has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.core.spec import Comparison, ModelSpec, TuningSpec
from showdown.runner.chosen import keep_chosen, with_chosen
from showdown.runner.store import Store

MODEL = ModelSpec(id="a", revision="1")
SEARCH = TuningSpec(trials=4)


def asked(*methods: str, **protocol: Any) -> Comparison:
    return Comparison.model_validate({"methods": {name: {} for name in methods}, "protocol": protocol})


def settled(comparison: Comparison, seeds: list[int], tuning: TuningSpec | None) -> Comparison:
    protocol = comparison.protocol.model_copy(update={"tuning": tuning})
    return comparison.model_copy(update={"seeds": seeds, "protocol": protocol})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A folder in which `lora` ran with three seeds and a search."""
    store = Store(tmp_path)
    before = asked("tfidf", "lora")
    keep_chosen(before, settled(before, [0, 1, 2], SEARCH), "data", MODEL, store)
    return store


def test_a_row_more_or_less_keeps_seeds_and_search(store: Store) -> None:
    for methods in (("tfidf", "lora", "full", "qlora"), ("lora",)):
        found, said = with_chosen(asked(*methods), "data", MODEL, store)
        assert (found.seeds, found.protocol.tuning) == ([0, 1, 2], SEARCH)
        assert said == [
            "seeds: 3, as before in this folder",
            "learning rates: searched, 4 trials a run, as before in this folder",
        ]


def test_a_comparison_without_trained_rows_in_between_forgets_nothing(store: Store) -> None:
    between = asked("tfidf")
    keep_chosen(between, settled(between, [0, 1, 2], SEARCH), "data", MODEL, store)
    assert with_chosen(asked("lora"), "data", MODEL, store)[0].seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("comparison", "fingerprint", "model"),
    [
        (asked("lora", epochs=3), "data", MODEL),
        (asked("lora"), "other data", MODEL),
        (asked("lora"), "data", ModelSpec(id="b", revision="1")),
    ],
    ids=["protocol", "data", "model"],
)
def test_anything_else_that_changed_is_chosen_for_anew(
    store: Store, comparison: Comparison, fingerprint: str, model: ModelSpec
) -> None:
    assert with_chosen(comparison, fingerprint, model, store) == (comparison, [])


def test_what_the_comparison_names_is_never_replaced(store: Store) -> None:
    named = settled(asked("lora"), [7], None)
    assert with_chosen(named, "data", MODEL, store) == (named, [])
    keep_chosen(named, named, "data", MODEL, store)
    assert not store.chosen_file.exists(), "what stood for `auto` before is not that of these runs"


def test_what_no_trained_row_depended_on_is_not_kept(tmp_path: Path) -> None:
    store, alone = Store(tmp_path), asked("tfidf")
    keep_chosen(alone, settled(alone, [0], SEARCH), "data", MODEL, store)
    assert json.loads(store.chosen_file.read_text())["auto"] == ["seeds", "tuning"]
    more = asked("tfidf", "lora")
    assert with_chosen(more, "data", MODEL, store) == (more, [])


def test_a_damaged_file_is_no_choice(store: Store) -> None:
    store.chosen_file.write_text('{"of": ')
    comparison = asked("lora")
    assert with_chosen(comparison, "data", MODEL, store) == (comparison, [])
