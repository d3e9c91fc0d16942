"""Rows of one comparison, each with its own protocol where its user says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check
from showdown.core.errors import UserError
from showdown.core.spec import ModelSpec
from showdown.data.prepare import prepare
from showdown.runner.plan import plan, refuse_unusable_model
from showdown.runner.prepared import ready


def test_a_row_does_otherwise_only_where_its_own_protocol_says_so() -> None:
    asked = check(
        {
            "methods": {
                "full": {"protocol": {"effective_batch_rows": 8, "warmup_steps": 100, "memory": "lean"}},
                "lora": {"rank": 4},
            },
            "seeds": [0],
            "protocol": {"epochs": 2, "effective_batch_rows": 16, "split": {"kind": "single"}},
        },
        "the test",
    )
    full, lora = plan(ready(asked, prepare(asked.data, asked.protocol.split), []), ModelSpec())
    assert (full.protocol.effective_batch_rows, full.protocol.warmup_steps, full.protocol.memory) == (8, 100, "lean")
    shared = asked.protocol.model_dump(exclude={"metric"})  # which no run sees
    assert lora.protocol.model_dump() == shared
    assert full.protocol.model_dump() == {**shared, "effective_batch_rows": 8, "warmup_steps": 100, "memory": "lean"}
    assert lora.settings["rank"] == 4


def refuse(model: Path, methods: dict[str, dict[str, Any]]) -> None:
    comparison = check(
        {"model": {"id": str(model)}, "methods": methods, "seeds": [0], "protocol": {"split": {"kind": "single"}}},
        "the test",
    )
    prepared = prepare(comparison.data, comparison.protocol.split)
    refuse_unusable_model(plan(ready(comparison, prepared, []), comparison.model), prepared.labels)


@pytest.mark.parametrize("method", ["lora", "qlora", "dora"])
def test_wrong_targets_are_refused_before_any_run(pretrained: Callable[[str], Path], method: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse(pretrained("bert"), {"tfidf": {}, "mine": {"method": method, "targets": ["query", "valeu"]}})
    assert str(caught.value).startswith("`methods.mine`: `targets` names `valeu`, which is no linear layer")
    assert "did you mean `value`?" in str(caught.value)


def test_right_targets_and_what_a_network_lacks_are_not_refused(pretrained: Callable[[str], Path]) -> None:
    """A method that finds nothing to train in a network keeps its row, which says so."""
    refuse(pretrained("bert"), {"lora": {"targets": ["query"], "rank": 2}, "full": {"learning_rate": 1e-4}})
    refuse(pretrained("mistral"), {"bitfit": {"learning_rate": 1e-4}, "lora": {"rank": 2}})
